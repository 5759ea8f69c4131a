// The fast rasteriser, with every instruction set that the machine has: against gsplat's published results, and against
// the oracle where those have nothing to say (deformation, odd sizes, low SH degrees).
#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <limits>

#include "mien/base/error.h"
#include "splat/dispatch.h"
#include "splat/splat_scenes.h"

namespace mien::splat {
namespace {

template <typename A, typename B>
double relative_error(const std::vector<A>& got, const std::vector<B>& expected) {
  EXPECT_EQ(got.size(), expected.size());
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    difference += std::pow(static_cast<double>(got[i]) - static_cast<double>(expected[i]), 2);
    norm += std::pow(static_cast<double>(expected[i]), 2);
  }
  EXPECT_GT(norm, 0);
  return std::sqrt(difference / norm);
}

template <typename T>
void expect_image(const std::vector<float>& got, const std::vector<T>& expected, double worst, double mean) {
  ASSERT_EQ(got.size(), expected.size());
  double largest = 0, sum = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double d = std::abs(static_cast<double>(got[i]) - static_cast<double>(expected[i]));
    ASSERT_TRUE(std::isfinite(got[i])) << "value " << i;
    largest = std::max(largest, d);
    sum += d;
  }
  EXPECT_LE(largest, worst);
  EXPECT_LE(sum / static_cast<double>(expected.size()), mean);
  testing::Test::RecordProperty("largest", std::to_string(largest));
}

struct Instructions {
  const char* name;
  Isa isa;
};
const Instructions kInstructions[] = {{"plain", Isa::kPlain}, {"avx2", Isa::kAvx2}, {"avx512", Isa::kAvx512}};

// Makes rasterisers built during its life use one instruction set.
class WithInstructions {
 public:
  explicit WithInstructions(const Instructions& i) { setenv("MIEN_SPLAT_ISA", i.name, 1); }
  ~WithInstructions() { unsetenv("MIEN_SPLAT_ISA"); }
};

class Splat : public testing::TestWithParam<Instructions> {
 protected:
  void SetUp() override {
    if (!isa_available(GetParam().isa)) GTEST_SKIP() << "this processor lacks " << GetParam().name;
    chosen_ = std::make_unique<WithInstructions>(GetParam());
    ASSERT_EQ(&choose_kernels(), &choose_kernels(GetParam().isa));
  }
  std::unique_ptr<WithInstructions> chosen_;
};

struct Image {
  std::vector<float> rgb, alpha;
};
Image render(SplatRasterizer& rasterizer, const TestScene& scene, bool keep = true) {
  Image image{std::vector<float>(3 * scene.pixels(), 7), std::vector<float>(scene.pixels(), 7)};
  rasterizer.forward(scene.input(), scene.camera, scene.options, image.rgb.data(), image.alpha.data(), keep);
  return image;
}

TEST_P(Splat, AgreesWithPublishedResults) {
  const auto folder = shared_folder();
  if (!folder) GTEST_SKIP() << "no ../shared/reference/splat beside the repository";
  for (const std::string name : {"small", "head", "edge"}) {
    SCOPED_TRACE(name);
    const auto file = SafetensorsFile::open(*folder / "reference/splat" / ("splat_" + name + ".safetensors"));
    const TestScene scene = read_scene(file);
    const int n = scene.count(), w = scene.camera.width, h = scene.camera.height;
    SplatRasterizer rasterizer;
    const Image image = render(rasterizer, scene);
    expect_image(image.rgb, file.floats("expected_rgb", {h, w, 3}), 2e-3, 2e-5);
    expect_image(image.alpha, file.floats("expected_alpha", {h, w, 1}), 2e-3, 2e-5);

    TestGradients g(n);
    const auto d_rgb = file.floats("cotangent_rgb", {h, w, 3}), d_alpha = file.floats("cotangent_alpha", {h, w, 1});
    rasterizer.backward(scene.input(), scene.camera, scene.options, d_rgb.data(), d_alpha.data(), g.pointers());
    EXPECT_LE(relative_error(g.means, file.floats("expected_grad_means", {n, 3})), 0.01);
    EXPECT_LE(relative_error(g.quats, file.floats("expected_grad_quats", {n, 4})), 0.01);
    EXPECT_LE(relative_error(g.scales, file.floats("expected_grad_scales", {n, 3})), 0.01);
    EXPECT_LE(relative_error(g.opacities, file.floats("expected_grad_opacities", {n})), 0.01);
    EXPECT_LE(relative_error(g.sh, file.floats("expected_grad_sh", {n, 16, 3})), 0.01);
  }
}

void compare_with_oracle(const TestScene& scene, bool with_alpha) {
  SplatRasterizer rasterizer;
  const Image image = render(rasterizer, scene);
  const auto oracle_scene = reference_scene<double>(scene);
  const auto oracle_camera = reference_camera<double>(scene);
  const auto expected = reference_forward(oracle_scene, oracle_camera);
  // A pixel may fall on the other side of the alpha floor or of the transmittance stop: at most about 1/255.
  expect_image(image.rgb, expected.rgb, 6e-3, 2e-5);
  expect_image(image.alpha, expected.alpha, 6e-3, 2e-5);

  const auto d_rgb = random_values(3 * scene.pixels(), 8);
  const auto d_alpha = with_alpha ? random_values(scene.pixels(), 9) : std::vector<float>();
  TestGradients g(scene.count());
  rasterizer.backward(scene.input(), scene.camera, scene.options, d_rgb.data(), with_alpha ? d_alpha.data() : nullptr,
                      g.pointers());
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

TEST_P(Splat, GradientsAreAdded) {
  const TestScene scene = random_scene(100, 48, 48, 7);
  SplatRasterizer rasterizer;
  render(rasterizer, scene);
  const auto d_rgb = random_values(3 * scene.pixels(), 8);
  TestGradients once(scene.count()), twice(scene.count());
  for (TestGradients* g : {&once, &twice, &twice})
    rasterizer.backward(scene.input(), scene.camera, scene.options, d_rgb.data(), nullptr, g->pointers());
  for (std::size_t i = 0; i < once.sh.size(); ++i) ASSERT_FLOAT_EQ(twice.sh[i], 2 * once.sh[i]);
  for (std::size_t i = 0; i < once.means.size(); ++i) ASSERT_FLOAT_EQ(twice.means[i], 2 * once.means[i]);
}

TEST_P(Splat, IsRepeatableAndTheImageIndependentOfThreads) {
  const TestScene scene = random_scene(600, 96, 96, 11);
  const auto d_rgb = random_values(3 * scene.pixels(), 8);
  const int threads = omp_get_max_threads();
  SplatRasterizer rasterizer;
  const Image first = render(rasterizer, scene);
  TestGradients a(scene.count()), b(scene.count());
  rasterizer.backward(scene.input(), scene.camera, scene.options, d_rgb.data(), nullptr, a.pointers());
  render(rasterizer, scene);
  rasterizer.backward(scene.input(), scene.camera, scene.options, d_rgb.data(), nullptr, b.pointers());
  EXPECT_EQ(a.means, b.means);
  EXPECT_EQ(a.sh, b.sh);
  for (const int t : {1, 3}) {
    omp_set_num_threads(t);
    EXPECT_EQ(render(rasterizer, scene).rgb, first.rgb) << t << " threads";
  }
  omp_set_num_threads(threads);
}

TEST_P(Splat, HostileValuesAreSkipped) {
  TestScene scene = random_scene(40, 64, 48, 12);
  SplatRasterizer rasterizer;
  const float bad[] = {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), -1e30f, 0.0f};
  for (int n = 0; n < 16; ++n) {
    const float value = bad[n % 4];
    (n < 4    ? scene.means[3 * n + n % 3]
     : n < 8  ? scene.quats[4 * n]
     : n < 12 ? scene.scales[3 * n]
              : scene.opacities[n]) = n == 13 ? -1.0f : value;
  }
  const Image image = render(rasterizer, scene);
  for (const float v : image.rgb) ASSERT_TRUE(std::isfinite(v));
}

TEST_P(Splat, NothingToDrawGivesTheBackground) {
  TestScene scene = random_scene(0, 33, 20, 13);
  SplatRasterizer rasterizer;
  const Image image = render(rasterizer, scene);
  for (std::size_t i = 0; i < scene.pixels(); ++i) {
    ASSERT_EQ(image.alpha[i], 0);
    for (int c = 0; c < 3; ++c) ASSERT_EQ(image.rgb[3 * i + c], scene.options.background[c]);
  }
}

INSTANTIATE_TEST_SUITE_P(Instructions, Splat, testing::ValuesIn(kInstructions),
                         [](const auto& p) { return std::string(p.param.name); });

TEST(SplatArguments, AreChecked) {
  const TestScene scene = random_scene(10, 32, 32, 14);
  SplatRasterizer rasterizer;
  Image image = render(rasterizer, scene, false);
  TestGradients g(10);
  EXPECT_THROW(rasterizer.backward(scene.input(), scene.camera, scene.options, image.rgb.data(), nullptr, g.pointers()),
               Error);
  TestScene wide = scene;
  wide.camera.width = 1 << 20;
  EXPECT_THROW(rasterizer.forward(wide.input(), wide.camera, wide.options, image.rgb.data(), image.alpha.data(), false),
               Error);
  wide = scene;
  wide.sh_degree = 4;
  EXPECT_THROW(rasterizer.forward(wide.input(), wide.camera, wide.options, image.rgb.data(), image.alpha.data(), false),
               Error);
}

}  // namespace
}  // namespace mien::splat
