// The fast rasterisers, every instruction set that the machine has and CUDA: against gsplat's published results, and
// against the oracle where those have nothing to say (deformation, odd sizes, low SH degrees, crowds, giants).
#include <gtest/gtest.h>
#include <omp.h>

#include <limits>

#include "mien/base/error.h"
#include "splat/backends.h"

namespace mien::splat {
namespace {

class Splat : public testing::TestWithParam<Backend> {
 protected:
  void SetUp() override {
    const std::string problem = unavailable(GetParam());
    if (!problem.empty()) GTEST_SKIP() << problem;
  }
  void compare_with_oracle(const TestScene& scene, bool with_alpha) {
    TestRasterizer rasterizer(GetParam());
    const Image image = rasterizer.forward(scene);
    const auto oracle_scene = reference_scene<double>(scene);
    const auto oracle_camera = reference_camera<double>(scene);
    const auto expected = reference_forward(oracle_scene, oracle_camera);
    // A pixel may fall on the other side of the alpha floor or of the transmittance stop: at most about 1/255.
    expect_image(image.rgb, expected.rgb, 6e-3, 2e-5);
    expect_image(image.alpha, expected.alpha, 6e-3, 2e-5);

    const auto d_rgb = random_values(3 * scene.pixels(), 8);
    const auto d_alpha = with_alpha ? random_values(scene.pixels(), 9) : std::vector<float>();
    TestGradients g(scene.count());
    rasterizer.backward(scene, d_rgb, d_alpha, g);
    const auto e = reference_backward(oracle_scene, oracle_camera, std::vector<double>(d_rgb.begin(), d_rgb.end()),
                                      std::vector<double>(d_alpha.begin(), d_alpha.end()));
    EXPECT_LE(relative_error(g.means, e.means), 2e-3);
    EXPECT_LE(relative_error(g.quats, e.quats), 2e-3);
    EXPECT_LE(relative_error(g.scales, e.scales), 2e-3);
    EXPECT_LE(relative_error(g.opacities, e.opacities), 2e-3);
    EXPECT_LE(relative_error(g.sh, e.sh), 2e-3);
    std::vector<double> norms;
    for (int n = 0; n < scene.count(); ++n) norms.push_back(std::hypot(e.mean2d[2 * n], e.mean2d[2 * n + 1]));
    EXPECT_LE(relative_error(g.mean2d_norm, norms), 2e-3);
  }
};

TEST_P(Splat, AgreesWithPublishedResults) {
  const auto folder = shared_folder();
  if (!folder) GTEST_SKIP() << "no ../shared/reference/splat beside the repository";
  for (const std::string name : {"small", "head", "edge"}) {
    SCOPED_TRACE(name);
    const auto file = SafetensorsFile::open(*folder / "reference/splat" / ("splat_" + name + ".safetensors"));
    const TestScene scene = read_scene(file);
    const int n = scene.count(), w = scene.camera.width, h = scene.camera.height;
    TestRasterizer rasterizer(GetParam());
    const Image image = rasterizer.forward(scene);
    expect_image(image.rgb, file.floats("expected_rgb", {h, w, 3}), 2e-3, 2e-5);
    expect_image(image.alpha, file.floats("expected_alpha", {h, w, 1}), 2e-3, 2e-5);

    TestGradients g(n);
    const auto d_rgb = file.floats("cotangent_rgb", {h, w, 3}), d_alpha = file.floats("cotangent_alpha", {h, w, 1});
    rasterizer.backward(scene, d_rgb, d_alpha, g);
    EXPECT_LE(relative_error(g.means, file.floats("expected_grad_means", {n, 3})), 0.01);
    EXPECT_LE(relative_error(g.quats, file.floats("expected_grad_quats", {n, 4})), 0.01);
    EXPECT_LE(relative_error(g.scales, file.floats("expected_grad_scales", {n, 3})), 0.01);
    EXPECT_LE(relative_error(g.opacities, file.floats("expected_grad_opacities", {n})), 0.01);
    EXPECT_LE(relative_error(g.sh, file.floats("expected_grad_sh", {n, 16, 3})), 0.01);
  }
}

TEST_P(Splat, AgreesWithTheOracle) {
  compare_with_oracle(random_scene(500, 128, 96, 1), true);
}

TEST_P(Splat, AgreesWithTheOracleUnderDeformation) {
  compare_with_oracle(random_scene(500, 128, 96, 2, true), true);
}

TEST_P(Splat, AgreesWithTheOracleAtSizesThatFillNoTile) {
  compare_with_oracle(random_scene(300, 37, 51, 3), false);
  compare_with_oracle(random_scene(60, 3, 90, 4), true);
  compare_with_oracle(random_scene(60, 1, 1, 5), true);
}

TEST_P(Splat, AgreesWithTheOracleAtEverySphericalHarmonicDegree) {
  for (int degree = 0; degree <= 3; ++degree) {
    SCOPED_TRACE(degree);
    TestScene scene = random_scene(200, 64, 64, 6, degree % 2 == 1);
    scene.sh_degree = degree;
    compare_with_oracle(scene, true);
  }
}

TEST_P(Splat, AgreesWithTheOracleOnOneGaussian) {
  compare_with_oracle(random_scene(1, 64, 48, 15), true);
}

TEST_P(Splat, AgreesWithTheOracleOnGiants) {
  TestScene scene = random_scene(40, 200, 168, 16);  // faint, and each over much of the picture
  for (float& s : scene.scales) s *= 8;
  for (float& o : scene.opacities) o *= 0.2f;
  compare_with_oracle(scene, true);
}

TEST_P(Splat, AgreesWithTheOracleOnCrowds) {
  TestScene scene = random_scene(5000, 16, 24, 17);  // thousands in each tile, a tenth of them at the same depths
  for (float& o : scene.opacities) o = std::min(o, 0.02f);
  for (int n = 0; n < 5000; n += 10)
    for (int a = 0; a < 3; ++a) scene.means[3 * n + a] = scene.means[3 * (n / 100) + a];
  compare_with_oracle(scene, true);
}

TEST_P(Splat, WhatLiesBehindTheCameraIsNotDrawn) {
  TestScene scene = random_scene(100, 40, 32, 18);
  for (int n = 0; n < 100; ++n) scene.means[3 * n + 2] += 5;
  TestRasterizer rasterizer(GetParam());
  const Image image = rasterizer.forward(scene);
  for (std::size_t i = 0; i < scene.pixels(); ++i) {
    ASSERT_EQ(image.alpha[i], 0);
    ASSERT_EQ(image.rgb[3 * i], scene.options.background[0]);
  }
  TestGradients g(100);
  rasterizer.backward(scene, random_values(3 * scene.pixels(), 8), {}, g);
  EXPECT_EQ(g.means, std::vector<float>(300, 0.0f));
  EXPECT_EQ(g.sh, std::vector<float>(4800, 0.0f));
}

TEST_P(Splat, GradientsAreAdded) {
  const TestScene scene = random_scene(100, 48, 48, 7);
  TestRasterizer rasterizer(GetParam());
  rasterizer.forward(scene);
  const auto d_rgb = random_values(3 * scene.pixels(), 8);
  TestGradients once(scene.count()), twice(scene.count());
  for (TestGradients* g : {&once, &twice, &twice}) rasterizer.backward(scene, d_rgb, {}, *g);
  for (std::size_t i = 0; i < once.sh.size(); ++i) ASSERT_FLOAT_EQ(twice.sh[i], 2 * once.sh[i]);
  for (std::size_t i = 0; i < once.means.size(); ++i) ASSERT_FLOAT_EQ(twice.means[i], 2 * once.means[i]);
}

TEST_P(Splat, IsRepeatableAndTheImageIndependentOfThreads) {
  const TestScene scene = random_scene(600, 96, 96, 11);
  const auto d_rgb = random_values(3 * scene.pixels(), 8);
  const int threads = omp_get_max_threads();
  TestRasterizer rasterizer(GetParam());
  const Image first = rasterizer.forward(scene);
  TestGradients a(scene.count()), b(scene.count());
  rasterizer.backward(scene, d_rgb, {}, a);
  rasterizer.forward(scene);
  rasterizer.backward(scene, d_rgb, {}, b);
  EXPECT_EQ(a.means, b.means);
  EXPECT_EQ(a.quats, b.quats);
  EXPECT_EQ(a.sh, b.sh);
  for (const int t : {1, 3}) {
    omp_set_num_threads(t);
    EXPECT_EQ(rasterizer.forward(scene).rgb, first.rgb) << t << " threads";
    EXPECT_EQ(rasterizer.forward(scene, false).rgb, first.rgb) << t << " threads, only to look at";
  }
  omp_set_num_threads(threads);
}

TEST_P(Splat, HostileValuesAreSkipped) {
  TestScene scene = random_scene(40, 64, 48, 12);
  TestRasterizer rasterizer(GetParam());
  const float bad[] = {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), -1e30f, 0.0f};
  for (int n = 0; n < 16; ++n) {
    const float value = bad[n % 4];
    (n < 4    ? scene.means[3 * n + n % 3]
     : n < 8  ? scene.quats[4 * n]
     : n < 12 ? scene.scales[3 * n]
              : scene.opacities[n]) = n == 13 ? -1.0f : value;
  }
  const Image image = rasterizer.forward(scene);
  for (const float v : image.rgb) ASSERT_TRUE(std::isfinite(v));
}

TEST_P(Splat, NothingToDrawGivesTheBackground) {
  const TestScene scene = random_scene(0, 33, 20, 13);
  TestRasterizer rasterizer(GetParam());
  const Image image = rasterizer.forward(scene);
  for (std::size_t i = 0; i < scene.pixels(); ++i) {
    ASSERT_EQ(image.alpha[i], 0);
    for (int c = 0; c < 3; ++c) ASSERT_EQ(image.rgb[3 * i + c], scene.options.background[c]);
  }
}

TEST_P(Splat, ArgumentsAreChecked) {
  const TestScene scene = random_scene(10, 32, 32, 14);
  TestRasterizer rasterizer(GetParam());
  const Image image = rasterizer.forward(scene, false);
  TestGradients g(10);
  EXPECT_THROW(rasterizer.backward(scene, image.rgb, {}, g), Error);
  TestScene wrong = scene;
  wrong.camera.width = 1 << 20;
  wrong.camera.height = 1;
  EXPECT_THROW(rasterizer.forward(wrong), Error);
  wrong = scene;
  wrong.sh_degree = 4;
  EXPECT_THROW(rasterizer.forward(wrong), Error);
}

INSTANTIATE_TEST_SUITE_P(Backends, Splat, testing::ValuesIn(kBackends),
                         [](const auto& p) { return std::string(p.param.name); });

}  // namespace
}  // namespace mien::splat
