// Regions on the default head: they lie where they should, are seen from the front only, and wake with what creases
// them.
#include <gtest/gtest.h>

#include "mien/metrics/wrinkle_regions.h"

namespace mien {
namespace {

class WrinkleRegionsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    try {
      head_ = HeadModel::load(find_head_asset());
    } catch (const std::exception&) {
      GTEST_SKIP() << "no head asset; scripts/setup makes it";
    }
    head_.deform(nullptr, 0, nullptr, vertices_);
  }
  Vec3 landmark(int index) const {
    const SurfacePoint& p = head_.landmarks[index];
    Vec3 out = Vec3::Zero();
    for (int k = 0; k < 3; ++k) out += p.barycentric[k] * head_.mesh.positions[head_.mesh.faces[p.face][k]];
    return out;
  }
  HeadModel head_;
  std::vector<Vec3> vertices_;
};

TEST_F(WrinkleRegionsTest, PlacesByTheirLandmarks) {
  const WrinkleRegions regions(head_);
  ASSERT_TRUE(regions.usable());
  EXPECT_EQ(regions.region_at(0.4f * landmark(9) + 0.6f * landmark(10)), 0);  // middle of the forehead
  EXPECT_EQ(regions.region_at(landmark(9)), 1);                               // between the brows
  for (const int outside_eye : {353, 124}) EXPECT_EQ(regions.region_at(landmark(outside_eye)), 2);
  for (const int fold : {426, 206}) EXPECT_EQ(regions.region_at(landmark(fold)), 3);
  for (const int elsewhere : {1, 4, 0, 17, 152, 159}) EXPECT_EQ(regions.region_at(landmark(elsewhere)), -1);
}

TEST_F(WrinkleRegionsTest, MasksAreSeenFromTheFront) {
  WrinkleRegions regions(head_);
  const Camera front = look_at(Vec3(0, 0, 1), Vec3::Zero(), 0.4f, 128, 128);
  const auto& masks = regions.masks(vertices_, front);
  for (int r = 0; r < kWrinkleRegionCount; ++r) {
    int pixels = 0, left = 0;
    for (int y = 0; y < 128; ++y) {
      for (int x = 0; x < 128; ++x) {
        if (masks[r].pixels[static_cast<std::size_t>(y) * 128 + x] == 0) continue;
        ++pixels;
        left += x < 64 ? 1 : 0;
        for (int other = r + 1; other < kWrinkleRegionCount; ++other)
          EXPECT_EQ(masks[other].pixels[static_cast<std::size_t>(y) * 128 + x], 0);
      }
    }
    EXPECT_GT(pixels, 20) << kWrinkleRegionNames[r];
    EXPECT_LT(pixels, 1200) << kWrinkleRegionNames[r];
    EXPECT_NEAR(left, 0.5 * pixels, 0.1 * pixels + 3) << kWrinkleRegionNames[r];
  }
  for (const Image8& mask : regions.masks(vertices_, look_at(Vec3(0, 0, -1), Vec3::Zero(), 0.4f, 128, 128)))
    EXPECT_EQ(std::count(mask.pixels.begin(), mask.pixels.end(), 255), 0);
}

TEST_F(WrinkleRegionsTest, MovementsThatCrease) {
  const WrinkleRegions regions(head_);
  std::vector<float> expression(kArkitCount, 0.0f);
  for (const float a : regions.activations(expression)) EXPECT_EQ(a, 0);
  expression[arkit_index("browInnerUp")] = 1;
  EXPECT_NEAR(regions.activations(expression)[0], 0.75f, 1e-6f);
  expression[arkit_index("mouthSmileRight")] = 1;
  EXPECT_NEAR(regions.activations(expression)[3], 0.8f, 1e-6f);
  EXPECT_NEAR(regions.activations(expression)[2], 0.25f, 1e-6f);
  expression[arkit_index("mouthSmileRight")] = 0;
  expression[arkit_index("jawOpen")] = 1;
  EXPECT_EQ(regions.activations(expression)[3], 0);
}

TEST(WrinkleRegions, HeadsWithoutLandmarksHaveNone) {
  const WrinkleRegions regions{HeadModel()};
  EXPECT_FALSE(regions.usable());
}

}  // namespace
}  // namespace mien
