#include <gtest/gtest.h>

#include <cmath>

#include "gaussian_avatar/visual_hull.h"
#include "mien/base/error.h"
#include "mien/gaussian_avatar/initialise.h"
#include "simple_head.h"

namespace mien {
namespace {

// A ball of `radius` seen by cameras all round: its silhouette, computed analytically, in one colour a view side.
std::vector<CanonicalView> views_of_ball(float radius, int count) {
  std::vector<CanonicalView> views;
  for (int i = 0; i < count; ++i) {
    const float angle = 6.2831853f * static_cast<float>(i) / static_cast<float>(count);
    CanonicalView view;
    view.camera = look_at(Vec3(std::sin(angle), 0.0f, std::cos(angle)), Vec3::Zero(), 0.4f, 128, 128);
    view.rgb = ImageF(128, 128, 3);
    view.matte = ImageF(128, 128, 1);
    for (int y = 0; y < 128; ++y) {
      for (int x = 0; x < 128; ++x) {
        const Vec3 ray(static_cast<float>(x) + 0.5f - view.camera.cx, static_cast<float>(y) + 0.5f - view.camera.cy,
                       view.camera.fx);
        const Vec3 centre = view.camera.to_camera(Vec3::Zero());
        const float miss = (centre - centre.dot(ray.normalized()) * ray.normalized()).norm();
        if (miss > radius) continue;
        *view.matte.at(x, y) = 1;
        view.rgb.at(x, y)[0] = 0.75f;
        view.rgb.at(x, y)[1] = 0.25f;
      }
    }
    views.push_back(std::move(view));
  }
  return views;
}

TEST(VisualHull, OfABallIsNearlyTheBall) {
  const VoxelGrid grid =
      carve_visual_hull(Vec3::Constant(-0.15f), Vec3::Constant(0.15f), 0.005f, views_of_ball(0.1f, 16));
  int wrong = 0, inside = 0;
  for (int z = 0; z < grid.nz; ++z) {
    for (int y = 0; y < grid.ny; ++y) {
      for (int x = 0; x < grid.nx; ++x) {
        const bool hull = grid.depth[(static_cast<std::size_t>(z) * grid.ny + y) * grid.nx + x] > 0;
        const float r = grid.centre(x, y, z).norm();
        inside += hull ? 1 : 0;
        // A hull from a horizontal ring never misses the ball; it may add a little above and below.
        if (r < 0.094f && !hull) ++wrong;
        if (r > 0.125f && hull) ++wrong;
      }
    }
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(inside, 30000);
}

TEST(Initialise, GaussiansLieOnTheSurfaceAndInTheShellAndHaveTheColour) {
  const HeadModel head = simple_head();
  InitialiseOptions options;
  options.surface_count = 2000;
  options.volume_count = 1000;
  const GaussianAvatar avatar = initialise_avatar(head, MotionFrame{}, views_of_ball(0.12f, 12), options);
  ASSERT_EQ(avatar.gaussians.count(), 3000);
  for (int i = 0; i < avatar.gaussians.count(); ++i) {
    const float r = Vec3(Eigen::Map<const Vec3>(&avatar.gaussians.means[i * 3])).norm();
    if (i < 2000) {
      EXPECT_NEAR(r, 0.1f, 0.0025f);
    } else {
      EXPECT_GT(r, 0.097f);
      EXPECT_LT(r, 0.15f);
    }
    float sum = 0;
    for (const float w : avatar.anchors[i].weight) sum += w;
    EXPECT_NEAR(sum, 1, 1e-5f);
  }
  // Seen Gaussians take the pictures' colour: SH degree 0 gives 0.5 + 0.28209 c.
  const float* sh = avatar.gaussians.sh.data();
  EXPECT_NEAR(0.5f + 0.2820948f * sh[1000 * 48], 0.75f, 0.02f);
  EXPECT_NEAR(0.5f + 0.2820948f * sh[1000 * 48 + 1], 0.25f, 0.02f);
}

TEST(Initialise, MotionOfTheCanonicalMomentIsUndone) {
  // Shifting the person and the cameras together must give the same canonical Gaussians.
  const HeadModel head = simple_head();
  InitialiseOptions options;
  options.surface_count = 100;
  options.volume_count = 300;
  auto views = views_of_ball(0.12f, 12);
  const GaussianAvatar still = initialise_avatar(head, MotionFrame{}, views, options);
  MotionFrame moved;
  moved.pose.translation = Vec3(0.008f, 0.004f, -0.012f);  // whole voxels, so that the grids agree
  for (CanonicalView& view : views) {
    view.camera.world_to_camera.topRightCorner<3, 1>() -=
        view.camera.world_to_camera.topLeftCorner<3, 3>() * moved.pose.translation;
  }
  const GaussianAvatar shifted = initialise_avatar(head, moved, views, options);
  ASSERT_EQ(still.gaussians.count(), shifted.gaussians.count());
  double mean = 0;
  for (std::size_t i = 0; i < still.gaussians.means.size(); ++i) {
    mean += std::abs(still.gaussians.means[i] - shifted.gaussians.means[i]) /
            static_cast<double>(still.gaussians.means.size());
  }
  EXPECT_LT(mean, 1e-3);
}

TEST(Initialise, HairFollowsTheFaceNearIt) {
  // Where all of the face moves by t and nothing else moves, hair at distance d moves by t exp(-0.1 d / mm), beside
  // what the frames of the rest's edge do to it.
  const HeadModel head = simple_head();
  const Vec3 t(0, 0.004f, 0.003f);
  std::vector<Vec3> posed = head.mesh.positions;
  std::vector<Vec3> face;
  for (int v = 0; v < head.vertex_count(); ++v) {
    if (head.region[v] != HeadRegion::kFace) continue;
    face.push_back(head.mesh.positions[v]);
    posed[v] += t;
  }
  SurfaceFrames frames(head);
  frames.update_vertices(posed);
  const auto motion_of_hair = [&](float fade, std::vector<Vec3>& at) {
    InitialiseOptions options;
    options.surface_count = 100;
    options.volume_count = 4000;
    options.face_fade = fade;
    const GaussianAvatar avatar = initialise_avatar(head, MotionFrame{}, views_of_ball(0.12f, 12), options);
    std::vector<float> means, deformation;
    deform_gaussians(avatar, frames, means, deformation);
    std::vector<Vec3> moved;
    for (int i = 100; i < avatar.gaussians.count(); ++i) {
      at.push_back(Eigen::Map<const Vec3>(&avatar.gaussians.means[i * 3]));
      moved.push_back(Eigen::Map<const Vec3>(&means[i * 3]) - at.back());
    }
    return moved;
  };
  std::vector<Vec3> at, alone_at;
  const std::vector<Vec3> moved = motion_of_hair(0.1f, at);
  const std::vector<Vec3> alone = motion_of_hair(1e6f, alone_at);
  ASSERT_EQ(moved.size(), alone.size());
  int near = 0, far = 0;
  double error = 0;
  for (std::size_t i = 0; i < at.size(); ++i) {
    ASSERT_LT((at[i] - alone_at[i]).norm(), 1e-6f);
    float d = 1;
    for (const Vec3& f : face) d = std::min(d, (f - at[i]).norm());
    if (d > 0.04f) {  // a share of less than 2 %: none
      EXPECT_EQ(moved[i], alone[i]);
      ++far;
      continue;
    }
    const float share = std::exp(-100 * d);
    error += ((moved[i] - share * t) - (1 - share) * alone[i]).norm();
    ++near;
  }
  EXPECT_GT(near, 50);
  EXPECT_GT(far, 500);
  EXPECT_LT(error / near, 0.1 * t.norm());
}

TEST(Initialise, FloatersGoAndTheRestStays) {
  const auto views = views_of_ball(0.12f, 12);
  InitialiseOptions options;
  options.surface_count = 500;
  options.volume_count = 200;
  GaussianAvatar avatar = initialise_avatar(simple_head(), MotionFrame{}, views, options);
  const int all = avatar.gaussians.count();
  EXPECT_EQ(prune_floaters(avatar, MotionFrame{}, views), 0);
  for (int k = 0; k < 3; ++k) avatar.gaussians.means[10 * 3 + k] = k == 0 ? 0.17f : 0.0f;  // beside the ball
  for (int k = 0; k < 3; ++k) avatar.gaussians.means[20 * 3 + k] = k == 1 ? 0.6f : 0.0f;   // above every picture
  const float next = avatar.gaussians.means[21 * 3];
  EXPECT_EQ(prune_floaters(avatar, MotionFrame{}, views), 2);
  EXPECT_EQ(avatar.gaussians.count(), all - 2);
  EXPECT_EQ(avatar.gaussians.means[19 * 3], next);
}

TEST(Initialise, WithoutViewsIsRefused) {
  EXPECT_THROW(initialise_avatar(simple_head(), MotionFrame{}, {}, InitialiseOptions{}), Error);
}

}  // namespace
}  // namespace mien
