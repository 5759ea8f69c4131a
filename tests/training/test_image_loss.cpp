// The photometric loss: SSIM against scikit-image's published values, gradients against differences of a plain
// implementation in double.
#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "mien/base/error.h"
#include "mien/base/json.h"
#include "mien/base/random.h"
#include "mien/media/image.h"
#include "mien/training/image_loss.h"
#include "training/ssim.h"

namespace mien {
namespace {

struct Pictures {
  int width, height;
  std::vector<float> rgb, target, alpha, matte, weight;
};

Pictures random_pictures(int width, int height, std::uint64_t seed) {
  Random random(seed);
  Pictures p{width, height, {}, {}, {}, {}, {}};
  for (int i = 0; i < width * height; ++i) {
    for (int c = 0; c < 3; ++c) {
      p.rgb.push_back(random.uniform());
      p.target.push_back(0.5f * p.rgb.back() + 0.5f * random.uniform());
    }
    p.alpha.push_back(random.uniform());
    p.matte.push_back(i % 3 == 0 ? 1.0f : 0.0f);
    p.weight.push_back(random.uniform(0, 2));
  }
  return p;
}

// The definition, in double and without any of the tricks.
ImageLossValue plain_loss(const Pictures& p, const std::vector<double>& rgb, const std::vector<double>& alpha,
                          const ImageLossOptions& options) {
  double window[11], sum = 0;
  for (int k = -5; k <= 5; ++k) sum += window[k + 5] = std::exp(-k * k / 4.5);
  for (double& w : window) w /= sum;
  ImageLossValue out;
  for (int y = 0; y < p.height; ++y)
    for (int x = 0; x < p.width; ++x)
      for (int c = 0; c < 3; ++c) {
        double ma = 0, mb = 0, maa = 0, mbb = 0, mab = 0;
        for (int v = std::max(y - 5, 0); v <= std::min(y + 5, p.height - 1); ++v)
          for (int u = std::max(x - 5, 0); u <= std::min(x + 5, p.width - 1); ++u) {
            const double w = window[v - y + 5] * window[u - x + 5];
            const double a = rgb[3 * (v * p.width + u) + c], b = p.target[3 * (v * p.width + u) + c];
            ma += w * a;
            mb += w * b;
            maa += w * a * a;
            mbb += w * b * b;
            mab += w * a * b;
          }
        out.ssim += (2 * ma * mb + 1e-4) * (2 * (mab - ma * mb) + 9e-4) /
                    ((ma * ma + mb * mb + 1e-4) * (maa - ma * ma + mbb - mb * mb + 9e-4));
        const int i = y * p.width + x;
        out.l1 += p.weight[i] * std::abs(rgb[3 * i + c] - p.target[3 * i + c]);
      }
  const double pixels = p.width * p.height;
  for (int i = 0; i < p.width * p.height; ++i) out.matte += std::abs(alpha[i] - p.matte[i]) / pixels;
  out.l1 /= 3 * pixels;
  out.ssim /= 3 * pixels;
  out.total = options.l1 * out.l1 + options.ssim * (1 - out.ssim) + options.matte * out.matte;
  return out;
}

void check_against_plain(const Pictures& p) {
  ImageLossOptions options;
  options.ssim = 0.5f;
  ImageLoss loss;
  std::vector<float> d_rgb(p.rgb.size(), 9), d_alpha(p.alpha.size(), 9);
  const ImageLossValue got = loss(p.width, p.height, p.rgb.data(), p.target.data(), p.alpha.data(), p.matte.data(),
                                  p.weight.data(), options, d_rgb.data(), d_alpha.data());
  std::vector<double> rgb(p.rgb.begin(), p.rgb.end()), alpha(p.alpha.begin(), p.alpha.end());
  const ImageLossValue expected = plain_loss(p, rgb, alpha, options);
  EXPECT_NEAR(got.l1, expected.l1, 1e-6);
  EXPECT_NEAR(got.ssim, expected.ssim, 2e-5);
  EXPECT_NEAR(got.matte, expected.matte, 1e-6);
  EXPECT_NEAR(got.total, expected.total, 1e-5);

  auto compare = [&](std::vector<double>& values, const std::vector<float>& gradient, std::size_t stride) {
    double scale = 0;
    for (const float g : gradient) scale = std::max(scale, std::abs(double{g}));
    for (std::size_t i = 0; i < values.size(); i += stride) {
      const double saved = values[i], step = 1e-6;
      values[i] = saved + step;
      const double up = plain_loss(p, rgb, alpha, options).total;
      values[i] = saved - step;
      const double down = plain_loss(p, rgb, alpha, options).total;
      values[i] = saved;
      EXPECT_NEAR(gradient[i], (up - down) / (2 * step), 2e-4 * scale) << i;
    }
  };
  compare(rgb, d_rgb, 13);
  compare(alpha, d_alpha, 7);
}

TEST(ImageLoss, MatchesTheDefinition) {
  check_against_plain(random_pictures(23, 26, 1));
}

TEST(ImageLoss, MatchesTheDefinitionOnPicturesSmallerThanTheWindow) {
  check_against_plain(random_pictures(7, 4, 2));
  check_against_plain(random_pictures(1, 1, 3));
}

TEST(ImageLoss, SimilarityAgreesWithScikitImage) {
  std::filesystem::path folder = std::filesystem::path(MIEN_SOURCE_DIR) / "../shared";
  if (const char* variable = std::getenv("MIEN_SHARED")) folder = variable;
  folder /= "reference/metrics";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no ../shared/reference/metrics beside the repository";
  const Json expected = read_json(folder / "metrics_expected.json");
  for (const auto& [name, values] : expected.items()) {
    SCOPED_TRACE(name);
    const ImageF a = to_float(read_image(folder / ("m_" + name + "_a.png")));
    const ImageF b = to_float(read_image(folder / ("m_" + name + "_b.png")));
    ASSERT_EQ(a.channels, 3);
    std::vector<float> map(a.pixels.size());
    PhotometricBand band;
    band.run({a.width, a.height, a.pixels.data(), b.pixels.data(), nullptr, 0, 0, nullptr, map.data()}, 0, a.height);
    // scikit-image leaves out the border that the window overhangs; inside it the padding does not matter.
    double sum = 0, count = 0;
    for (int y = 5; y < a.height - 5; ++y)
      for (int i = 15; i < 3 * a.width - 15; ++i, ++count) sum += map[static_cast<std::size_t>(y) * 3 * a.width + i];
    EXPECT_NEAR(sum / count, values["ssim_gauss11_s1.5"].get<double>(), 1e-4);
  }
}

TEST(ImageLoss, EqualPicturesCostNothing) {
  Pictures p = random_pictures(40, 30, 4);
  p.target = p.rgb;
  ImageLoss loss;
  std::vector<float> d_rgb(p.rgb.size(), 9);
  const ImageLossValue value =
      loss(40, 30, p.rgb.data(), p.target.data(), nullptr, nullptr, nullptr, {}, d_rgb.data(), nullptr);
  EXPECT_NEAR(value.ssim, 1, 1e-6);
  EXPECT_EQ(value.l1, 0);
  for (const float g : d_rgb) ASSERT_NEAR(g, 0, 1e-8);
}

TEST(ImageLoss, BandsDoNotShow) {
  const Pictures p = random_pictures(33, 47, 5);
  const int threads = omp_get_max_threads();
  std::vector<std::vector<float>> gradients;
  for (const int t : {1, 2, 5}) {
    omp_set_num_threads(t);
    ImageLoss loss;
    gradients.emplace_back(p.rgb.size());
    loss(33, 47, p.rgb.data(), p.target.data(), nullptr, nullptr, p.weight.data(), {}, gradients.back().data(),
         nullptr);
  }
  omp_set_num_threads(threads);
  EXPECT_EQ(gradients[0], gradients[1]);
  EXPECT_EQ(gradients[0], gradients[2]);
}

TEST(ImageLoss, RefusesHalfAMatte) {
  const Pictures p = random_pictures(4, 4, 6);
  ImageLoss loss;
  EXPECT_THROW(loss(4, 4, p.rgb.data(), p.target.data(), p.alpha.data(), nullptr, nullptr, {}, nullptr, nullptr),
               Error);
  EXPECT_THROW(loss(0, 4, p.rgb.data(), p.target.data(), nullptr, nullptr, nullptr, {}, nullptr, nullptr), Error);
}

}  // namespace
}  // namespace mien
