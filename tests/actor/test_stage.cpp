// The stage on a plain ball, whose picture can be worked out by hand.
#include <gtest/gtest.h>

#include <cmath>

#include "mien/actor/rig.h"
#include "mien/actor/stage.h"
#include "mien/base/error.h"
#include "mien/base/parallel.h"

namespace mien {
namespace {

constexpr float kRadius = 0.1f;

// A ball of grey skin at the origin, with the 52 expressions (which do nothing).
HeadModel ball() {
  constexpr int kRows = 48, kColumns = 96;
  HeadModel head;
  head.id = "ball";
  for (int r = 0; r <= kRows; ++r) {
    for (int c = 0; c <= kColumns; ++c) {
      const float v = static_cast<float>(r) / kRows, u = static_cast<float>(c) / kColumns;
      const float a = 6.2831853f * u, e = 3.14159265f * (v - 0.5f);
      head.mesh.positions.emplace_back(kRadius * std::cos(e) * std::sin(a), kRadius * std::sin(e),
                                       kRadius * std::cos(e) * std::cos(a));
      head.mesh.uv.emplace_back(u, v);
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int c = 0; c < kColumns; ++c) {
      const int i = r * (kColumns + 1) + c;
      head.mesh.faces.emplace_back(i, i + 1, i + kColumns + 2);
      head.mesh.faces.emplace_back(i, i + kColumns + 2, i + kColumns + 1);
    }
  }
  head.mesh.face_uv = head.mesh.faces;
  head.face_part.assign(head.mesh.faces.size(), HeadPart::kSkin);
  head.region.assign(head.mesh.positions.size(), HeadRegion::kFace);
  head.skin_weights.assign(head.mesh.positions.size(), {1, 1});
  for (const char* name : kArkitNames) head.expression_names.emplace_back(name);
  head.expression.assign(kArkitCount * head.mesh.positions.size(), Vec3::Zero());
  head.joints.fill(Vec3::Zero());
  return head;
}

HeadAssets grey_assets() {
  HeadAssets assets;
  assets.skins.push_back({"grey", encode_png(Image8(16, 16, 3, 128)), {}});
  assets.irises.push_back({"grey", encode_png(Image8(16, 16, 3, 128)), {}});
  return assets;
}

Performer grey_performer() {
  Performer p;
  p.skin = p.iris = "grey";
  return p;
}

StageOptions quick() {
  StageOptions o;
  o.skin_texels = 128;
  o.background = {0.2f, 0.4f, 0.6f};
  return o;
}

const Camera kCamera = look_at({0, 0, 1}, {0, 0, 0}, 0.35f, 96, 96);

StagePicture picture(const StageOptions& options) {
  Stage stage(ball(), grey_assets(), grey_performer(), options);
  stage.set_frame({});
  return stage.draw(kCamera);
}

float linear(std::uint8_t v) {
  const float s = static_cast<float>(v) / 255;
  return s <= 0.04045f ? s / 12.92f : std::pow((s + 0.055f) / 1.055f, 2.4f);
}

TEST(Stage, MatteIsTheCoverageOfTheBall) {
  const StagePicture p = picture(quick());
  double area = 0;
  for (const std::uint8_t m : p.matte.pixels) area += m / 255.0;
  const double r = kCamera.fx * kRadius / std::sqrt(1 - kRadius * kRadius);  // silhouette of a ball 1 m away
  EXPECT_NEAR(area, 3.14159265 * r * r, 0.01 * 3.14159265 * r * r);
  for (int y = 0; y < 96; ++y) {
    for (int x = 0; x < 96; ++x) {
      const double d = std::hypot(x + 0.5 - 48, y + 0.5 - 48);
      if (d < r - 1.5) {
        EXPECT_EQ(*p.matte.at(x, y), 255) << x << " " << y;
      } else if (d > r + 1) {
        EXPECT_EQ(*p.matte.at(x, y), 0) << x << " " << y;
      }
    }
  }
}

TEST(Stage, LabelsSayWhichPartEachPixelShows) {
  HeadModel head = ball();  // a ball whose lower half is neck, and shoulders below that
  for (std::size_t v = 0; v < head.region.size(); ++v) {
    const float y = head.mesh.positions[v].y();
    head.region[v] = y < -0.06f ? HeadRegion::kShoulders : y < 0 ? HeadRegion::kNeck : HeadRegion::kFace;
  }
  Stage stage(head, grey_assets(), grey_performer(), quick());
  stage.set_frame({});
  const StagePicture p = stage.draw(kCamera);
  for (std::size_t i = 0; i < p.matte.pixels.size(); ++i) {
    EXPECT_EQ(p.labels.pixels[i] > 0, p.matte.pixels[i] > 0) << i;
  }
  const auto at = [&](float y) {  // of the ball's front
    const auto& c = kCamera;
    const float depth = 1 - std::sqrt(kRadius * kRadius - y * y);
    return *p.labels.at(48, static_cast<int>(48 - c.fy * y / depth));
  };
  EXPECT_EQ(at(0.08f), 1);
  EXPECT_EQ(at(0.01f), 1);
  EXPECT_EQ(at(-0.012f), 2);
  EXPECT_EQ(at(-0.05f), 2);
  EXPECT_EQ(at(-0.075f), 3);
}

TEST(Stage, PictureIsTheMattedColourOverTheBackground) {
  StageOptions black = quick();
  black.background = {0, 0, 0};
  const StagePicture over_black = picture(black);
  const StagePicture over_colour = picture(quick());
  for (std::size_t i = 0; i < over_black.matte.pixels.size(); ++i) {
    ASSERT_EQ(over_black.matte.pixels[i], over_colour.matte.pixels[i]);
    const float a = static_cast<float>(over_black.matte.pixels[i]) / 255;
    for (int c = 0; c < 3; ++c) {
      const float wanted = static_cast<float>(over_black.rgb.pixels[3 * i + c]) + (1 - a) * 255 * quick().background[c];
      EXPECT_NEAR(over_colour.rgb.pixels[3 * i + c], wanted, 1.01f);
    }
  }
}

TEST(Stage, LightAddsUpLinearly) {
  // Far below the shoulder of the tone curve, half the light is half the radiance.
  StageOptions full = quick(), half = quick(), dark = quick();
  full.light_scale = 0.5f;
  half.light_scale = 0.25f;
  dark.light_scale = 0;
  const StagePicture a = picture(full), b = picture(half), c = picture(dark);
  int compared = 0;
  for (std::size_t i = 0; i < a.matte.pixels.size(); ++i) {
    if (a.matte.pixels[i] != 255) continue;
    for (int k = 0; k < 3; ++k) {
      EXPECT_EQ(c.rgb.pixels[3 * i + k], 0);
      const float whole = linear(a.rgb.pixels[3 * i + k]);
      if (whole > 0.5f) continue;
      EXPECT_NEAR(linear(b.rgb.pixels[3 * i + k]), 0.5f * whole, 0.006f);
      ++compared;
    }
  }
  EXPECT_GT(compared, 3000);
}

TEST(Stage, KeyLightComesFromItsSide) {
  // The studio's key light stands on the person's left (+x): the right of the picture seen from the front.
  const StagePicture p = picture(quick());
  EXPECT_GT(p.rgb.at(60, 44)[1], p.rgb.at(36, 44)[1] + 10);
}

TEST(Stage, SamePictureEveryTimeAndForAnyThreadCount) {
  const int before = thread_count();
  set_thread_count(1);
  const StagePicture one = picture(quick());
  set_thread_count(3);
  const StagePicture three = picture(quick());
  set_thread_count(before);
  EXPECT_EQ(one.rgb.pixels, three.rgb.pixels);
  EXPECT_EQ(one.matte.pixels, three.matte.pixels);
}

TEST(Stage, RefusesWhatDoesNotExist) {
  StageOptions options = quick();
  options.supersample = 0;
  EXPECT_THROW(picture(options), Error);
  Performer p = grey_performer();
  p.hair = "no such hair";
  EXPECT_THROW(Stage(ball(), grey_assets(), p, quick()), Error);
  p = grey_performer();
  p.light = "moonlight";
  EXPECT_THROW(Stage(ball(), grey_assets(), p, quick()), Error);
  p = grey_performer();
  p.identity["no such mode"] = 1;
  EXPECT_THROW(Stage(ball(), grey_assets(), p, quick()), Error);
  EXPECT_THROW(named_performer("nobody"), Error);
}

TEST(Rig, ElevenCamerasEvenlyOverHalfACircle) {
  const std::vector<RigCamera> rig = emotalk_rig();
  ASSERT_EQ(rig.size(), 11u);
  EXPECT_EQ(rig[5].id, "F");
  EXPECT_EQ(rig.front().id, "L90");
  EXPECT_EQ(rig.back().id, "R90");
  EXPECT_GT(rig.front().camera.centre().x(), 1);  // the person's left is +x
  EXPECT_GT(rig[5].camera.centre().z(), 1);
  for (std::size_t i = 0; i < rig.size(); ++i) {
    const Camera& c = rig[i].camera;
    EXPECT_EQ(c.width, 512);
    EXPECT_NEAR(c.centre().y(), rig[5].camera.centre().y(), 1e-5f);  // one height
    const Vec3 forward = c.world_to_camera.row(2).head<3>();
    EXPECT_NEAR(forward.dot(Vec3(c.centre().x(), 0, c.centre().z() - 0.015f).normalized()), -1, 1e-4f);
    if (i == 0) continue;
    const Vec3 before = rig[i - 1].camera.world_to_camera.row(2).head<3>();
    EXPECT_NEAR(std::acos(std::min(1.0f, forward.dot(before))), 0.31415927f, 1e-3f);
  }
}

TEST(Rig, TheDomeAddsLooksFromAboveAndBelow) {
  const std::vector<RigCamera> rig = dome_rig(), ring = emotalk_rig();
  ASSERT_EQ(rig.size(), 19u);
  for (std::size_t i = 0; i < ring.size(); ++i)
    EXPECT_EQ(rig[i].camera.world_to_camera, ring[i].camera.world_to_camera);
  for (std::size_t i = ring.size(); i < rig.size(); ++i) {
    const double wanted = rig[i].id[0] == 'U' ? 24 : -18;
    const Vec3 to = rig[i].camera.centre() - Vec3(0, -0.035f, 0.015f);
    EXPECT_NEAR(std::asin(to.y() / to.norm()) * 57.29578, wanted, 1e-3) << rig[i].id;
    EXPECT_NEAR(to.norm(), 1.7f, 1e-4f);
    EXPECT_EQ(to.x() > 0.1f, rig[i].id[1] == 'L') << rig[i].id;
  }
}

TEST(Rig, MovingCameraIsRigidAndSmooth) {
  const std::vector<Camera> path = moving_camera(300, 30, 4);
  float travelled = 0;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const Mat3 r = path[i].world_to_camera.topLeftCorner<3, 3>();
    EXPECT_LT((r * r.transpose() - Mat3::Identity()).norm(), 1e-4f);
    if (i == 0) continue;
    const float step = (path[i].centre() - path[i - 1].centre()).norm();
    EXPECT_LT(step, 0.03f);  // below 1 m/s
    travelled += step;
  }
  EXPECT_GT(travelled, 0.3f);
  EXPECT_EQ(moving_camera(10, 30, 4)[9].world_to_camera, path[9].world_to_camera);
  EXPECT_NE(moving_camera(10, 30, 5)[9].world_to_camera, path[9].world_to_camera);
}

}  // namespace
}  // namespace mien
