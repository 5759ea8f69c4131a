// Refined clothes and hair, hair kept out of the eyes, and light shared inside a pixel.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "actor/stage/refine.h"
#include "actor/stage/scene.h"
#include "mien/actor/stage.h"
#include "mien/base/error.h"

namespace mien {
namespace {

using stage::Refinement;

// An icosahedron of radius 1, outward.
struct Ball {
  std::vector<Vec3> positions;
  std::vector<Index3> faces;
};
Ball icosahedron() {
  Ball ball;
  const float g = 0.5f * (1 + std::sqrt(5.0f));
  for (const float a : {-1.0f, 1.0f}) {
    for (const float b : {-g, g}) {
      for (const Vec3& p : {Vec3(a, b, 0), Vec3(0, a, b), Vec3(b, 0, a)}) ball.positions.push_back(p.normalized());
    }
  }
  const float edge = 2 / std::sqrt(1 + g * g) + 1e-4f;
  for (int i = 0; i < 12; ++i) {
    for (int j = i + 1; j < 12; ++j) {
      for (int k = j + 1; k < 12; ++k) {
        const Vec3 &a = ball.positions[i], &b = ball.positions[j], &c = ball.positions[k];
        if ((a - b).norm() > edge || (b - c).norm() > edge || (c - a).norm() > edge) continue;
        const bool outward = (b - a).cross(c - a).dot(a) > 0;
        ball.faces.emplace_back(i, outward ? j : k, outward ? k : j);
      }
    }
  }
  return ball;
}

// How many edges lack their twin; none in a closed mesh, where each edge comes once in each direction.
int open_edges(const std::vector<Index3>& faces) {
  std::multiset<std::pair<int, int>> edges;
  for (const Index3& f : faces) {
    for (int k = 0; k < 3; ++k) edges.insert({f[k], f[(k + 1) % 3]});
  }
  int odd = 0;
  for (const auto& [a, b] : edges) odd += edges.count({b, a}) == 1 ? 0 : 1;
  return odd;
}

TEST(Refinement, BringsACoarseBallNearerToTheSphere) {
  auto [positions, faces] = icosahedron();
  ASSERT_EQ(faces.size(), 20u);
  double worst = 1;
  for (int level = 0; level < 2; ++level) {
    const Refinement refinement(faces, static_cast<int>(positions.size()));
    const std::vector<Vec3> before = positions;
    refinement.apply(positions);
    faces = refinement.faces();
    ASSERT_EQ(static_cast<int>(positions.size()), refinement.vertex_count());
    for (std::size_t i = 0; i < before.size(); ++i) EXPECT_EQ(positions[i], before[i]) << "old vertices stay";
    EXPECT_EQ(open_edges(faces), 0);
    // Euler: V - E + F = 2.
    EXPECT_EQ(
        static_cast<int>(positions.size()) - 3 * static_cast<int>(faces.size()) / 2 + static_cast<int>(faces.size()),
        2);
    double error = 0;
    for (const Vec3& p : positions) error = std::max(error, std::abs(1.0 - p.norm()));
    worst = error;
  }
  EXPECT_LT(worst, 0.06) << "plain middles would lie 0.15 inside";
}

TEST(Refinement, RoundsABorderAndKeepsCornersAndFlats) {
  // A fan whose rim is an arc of 8 points on a circle, closed through its centre.
  std::vector<Vec3> positions = {Vec3::Zero()};
  std::vector<Index3> faces;
  for (int i = 0; i < 8; ++i) positions.emplace_back(std::cos(0.3f * i), std::sin(0.3f * i), 0);
  for (int i = 1; i < 8; ++i) faces.emplace_back(0, i, i + 1);
  const Refinement refinement(faces, 9);
  refinement.apply(positions);
  double worst = 0;
  int middles = 0;
  for (std::size_t i = 9; i < positions.size(); ++i) {
    EXPECT_EQ(positions[i].z(), 0) << "what is flat stays flat";
    const double r = positions[i].norm();
    if (r < 0.9) continue;  // inside
    const double angle = std::atan2(positions[i].y(), positions[i].x());
    if (angle < 0.3 || angle > 1.8) {
      EXPECT_NEAR(r, std::cos(0.15), 1e-4) << "next to a corner: the plain middle";
    } else {
      worst = std::max(worst, std::abs(1 - r));
      ++middles;
    }
  }
  EXPECT_EQ(middles, 5);
  EXPECT_LT(worst, 0.001) << "a plain middle would be 0.011 inside";
}

TEST(Refinement, SplitCornersMatchTheFaces) {
  const auto split = stage::split_corners<Vec2>({Vec2(0, 0), Vec2(2, 0), Vec2(0, 2)});
  const Refinement refinement({{0, 1, 2}}, 3);
  std::vector<Vec3> positions = {{0, 0, 0}, {2, 0, 0}, {0, 2, 0}};
  refinement.apply(positions);
  ASSERT_EQ(refinement.faces().size(), 4u);
  for (std::size_t f = 0; f < 4; ++f) {
    for (int k = 0; k < 3; ++k) EXPECT_EQ(positions[refinement.faces()[f][k]].head<2>(), split[f][k]) << f << k;
  }
}

class RealHead : public testing::Test {
 protected:
  void SetUp() override {
    try {
      path_ = find_head_asset();
    } catch (const Error&) {
      GTEST_SKIP() << "the head model is not there; run scripts/setup";
    }
    model_ = HeadModel::load(path_);
    assets_ = HeadAssets::load(path_, model_);
  }
  std::filesystem::path path_;
  HeadModel model_;
  HeadAssets assets_;
};

TEST_F(RealHead, NoHairStyleHangsOverTheEyes) {
  int swept = 0;
  for (const HeadStyle& original : assets_.styles) {
    if (original.kind != StyleKind::kHair) continue;
    HeadStyle style = original;
    stage::sweep_hair(model_, style);
    std::vector<Vec3> before, after;
    evaluate_style(model_, original, model_.mesh.positions, HeadPose{}, before);
    evaluate_style(model_, style, model_.mesh.positions, HeadPose{}, after);
    for (const HeadJoint joint : {HeadJoint::kEyeLeft, HeadJoint::kEyeRight}) {
      const Vec3 eye = model_.joints[static_cast<int>(joint)];
      const auto covers = [&](const Vec3& p) {
        return p.z() > eye.z() && std::abs(p.x() - eye.x()) < 0.013f && std::abs(p.y() - eye.y()) < 0.012f;
      };
      EXPECT_LE(std::count_if(after.begin(), after.end(), covers), 1) << style.name;
    }
    float moved = 0;
    for (std::size_t i = 0; i < before.size(); ++i) moved = std::max(moved, (after[i] - before[i]).norm());
    swept += moved > 0 ? 1 : 0;
    EXPECT_TRUE(style.name != "long01" || moved == 0) << "ada's hair is not in the way";
    EXPECT_TRUE(style.name != "bob01" || moved > 0.03f) << "this one is";
  }
  EXPECT_GT(swept, 0);
}

TEST_F(RealHead, LightSharedInAPixelIsNotSeen) {
  StageOptions shared, every;
  shared.skin_texels = every.skin_texels = 512;
  shared.hair = every.hair = false;
  every.light_every_sample = true;
  const Performer ada = named_performer("ada");
  Stage quick(model_, assets_, ada, shared), exact(model_, assets_, ada, every);
  const Camera camera = look_at({0.4f, 0, 1.65f}, {0, -0.03f, 0.01f}, 0.24f, 256, 256);
  quick.set_frame({});
  exact.set_frame({});
  const StagePicture a = quick.draw(camera), b = exact.draw(camera);
  EXPECT_EQ(a.matte.pixels, b.matte.pixels);
  double sum = 0;
  int worst = 0;
  for (std::size_t i = 0; i < a.rgb.pixels.size(); ++i) {
    const int d = std::abs(a.rgb.pixels[i] - b.rgb.pixels[i]);
    sum += d * d;
    worst = std::max(worst, d);
  }
  EXPECT_GT(worst, 0) << "nothing was shared";
  EXPECT_GT(10 * std::log10(255.0 * 255.0 * static_cast<double>(a.rgb.pixels.size()) / sum), 45);
}

}  // namespace
}  // namespace mien
