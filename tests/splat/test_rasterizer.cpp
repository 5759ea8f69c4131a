// The fast rasteriser against gsplat's published results.
#include <gtest/gtest.h>

#include <cmath>

#include "splat/splat_scenes.h"

namespace mien::splat {
namespace {

double relative_error(const std::vector<float>& got, const std::vector<float>& expected) {
  EXPECT_EQ(got.size(), expected.size());
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    difference += std::pow(double{got[i]} - expected[i], 2);
    norm += std::pow(double{expected[i]}, 2);
  }
  EXPECT_GT(norm, 0);
  return std::sqrt(difference / norm);
}

void expect_image(const std::vector<float>& got, const std::vector<float>& expected, double worst, double mean) {
  ASSERT_EQ(got.size(), expected.size());
  double largest = 0, sum = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double d = std::abs(double{got[i]} - expected[i]);
    ASSERT_TRUE(std::isfinite(got[i])) << "value " << i;
    largest = std::max(largest, d);
    sum += d;
  }
  EXPECT_LE(largest, worst);
  EXPECT_LE(sum / static_cast<double>(expected.size()), mean);
  testing::Test::RecordProperty("largest", std::to_string(largest));
}

class Published : public testing::TestWithParam<const char*> {};

TEST_P(Published, ImageAndGradientsAgree) {
  const auto folder = shared_folder();
  if (!folder) GTEST_SKIP() << "no ../shared/reference/splat beside the repository";
  const auto file =
      SafetensorsFile::open(*folder / "reference/splat" / ("splat_" + std::string(GetParam()) + ".safetensors"));
  const TestScene scene = read_scene(file);
  const int n = scene.count(), w = scene.camera.width, h = scene.camera.height;
  std::vector<float> rgb(3 * scene.pixels(), 7), alpha(scene.pixels(), 7);
  SplatRasterizer rasterizer;
  rasterizer.forward(scene.input(), scene.camera, scene.options, rgb.data(), alpha.data(), true);
  expect_image(rgb, file.floats("expected_rgb", {h, w, 3}), 2e-3, 2e-5);
  expect_image(alpha, file.floats("expected_alpha", {h, w, 1}), 2e-3, 2e-5);

  TestGradients g(n);
  const auto d_rgb = file.floats("cotangent_rgb", {h, w, 3}), d_alpha = file.floats("cotangent_alpha", {h, w, 1});
  rasterizer.backward(scene.input(), scene.camera, scene.options, d_rgb.data(), d_alpha.data(), g.pointers());
  EXPECT_LE(relative_error(g.means, file.floats("expected_grad_means", {n, 3})), 0.01);
  EXPECT_LE(relative_error(g.quats, file.floats("expected_grad_quats", {n, 4})), 0.01);
  EXPECT_LE(relative_error(g.scales, file.floats("expected_grad_scales", {n, 3})), 0.01);
  EXPECT_LE(relative_error(g.opacities, file.floats("expected_grad_opacities", {n})), 0.01);
  EXPECT_LE(relative_error(g.sh, file.floats("expected_grad_sh", {n, 16, 3})), 0.01);
}

INSTANTIATE_TEST_SUITE_P(Scenes, Published, testing::Values("small", "head", "edge"),
                         [](const auto& p) { return std::string(p.param); });

}  // namespace
}  // namespace mien::splat
