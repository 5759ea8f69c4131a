#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "mien/base/error.h"
#include "mien/base/json.h"
#include "mien/base/random.h"
#include "mien/metrics/image_metrics.h"
#include "reference_folder.h"

namespace mien {
namespace {

namespace fs = std::filesystem;

Image8 noise(int width, int height, int channels, int seed) {
  Image8 image(width, height, channels);
  Random random(seed);
  for (std::uint8_t& pixel : image.pixels) pixel = static_cast<std::uint8_t>(random.below(256));
  return image;
}

TEST(ImageMetrics, AgreeWithScikitImage) {
  const fs::path folder = reference_folder();
  if (folder.empty()) GTEST_SKIP() << "no reference/metrics: set MIEN_SHARED";
  const Json expected = read_json(folder / "metrics_expected.json");
  ASSERT_GE(expected.size(), 5u);
  for (const auto& [name, values] : expected.items()) {
    const Image8 a = read_image(folder / ("m_" + name + "_a.png"));
    const Image8 b = read_image(folder / ("m_" + name + "_b.png"));
    EXPECT_NEAR(psnr(a, b), values["psnr_db"].get<double>(), 1e-6) << name;
    EXPECT_NEAR(ssim(a, b), values["ssim_gauss11_s1.5"].get<double>(), 1e-5) << name;
  }
}

TEST(ImageMetrics, CpbdAgreesWithThePublishedImplementation) {
  const fs::path folder = reference_folder();
  if (folder.empty()) GTEST_SKIP() << "no reference/metrics: set MIEN_SHARED";
  const Json expected = read_json(folder / "metrics_expected.json");
  for (const auto& [name, values] : expected.items()) {
    EXPECT_NEAR(cpbd(read_image(folder / ("m_" + name + "_a.png"))), values["cpbd_a"].get<double>(), 1e-9) << name;
    EXPECT_NEAR(cpbd(read_image(folder / ("m_" + name + "_b.png"))), values["cpbd_b"].get<double>(), 1e-9) << name;
  }
}

TEST(ImageMetrics, PsnrByHand) {
  Image8 a(2, 2, 1, 100);
  Image8 b = a;
  EXPECT_TRUE(std::isinf(psnr(a, b)));
  *b.at(1, 1) = 110;
  EXPECT_NEAR(psnr(a, b), 10 * std::log10(255.0 * 255.0 / 25.0), 1e-9);
  Image8 mask(2, 2, 1, 0);
  *mask.at(1, 1) = 255;
  EXPECT_NEAR(psnr(a, b, &mask), 10 * std::log10(255.0 * 255.0 / 100.0), 1e-9);
  *mask.at(0, 0) = 255;
  EXPECT_NEAR(psnr(a, b, &mask), 10 * std::log10(255.0 * 255.0 / 50.0), 1e-9);
  *mask.at(1, 1) = 0;
  EXPECT_TRUE(std::isinf(psnr(a, b, &mask)));
}

// SSIM of one window by its definition, in a plain double loop.
double ssim_at(const Image8& a, const Image8& b, int cx, int cy, int c) {
  double weights = 0, ma = 0, mb = 0;
  const auto weight = [](int dx, int dy) { return std::exp(-(dx * dx + dy * dy) / 4.5); };
  for (int dy = -5; dy <= 5; ++dy) {
    for (int dx = -5; dx <= 5; ++dx) {
      weights += weight(dx, dy);
      ma += weight(dx, dy) * a.at(cx + dx, cy + dy)[c];
      mb += weight(dx, dy) * b.at(cx + dx, cy + dy)[c];
    }
  }
  ma /= weights;
  mb /= weights;
  double saa = 0, sbb = 0, sab = 0;
  for (int dy = -5; dy <= 5; ++dy) {
    for (int dx = -5; dx <= 5; ++dx) {
      const double da = a.at(cx + dx, cy + dy)[c] - ma;
      const double db = b.at(cx + dx, cy + dy)[c] - mb;
      saa += weight(dx, dy) * da * da / weights;
      sbb += weight(dx, dy) * db * db / weights;
      sab += weight(dx, dy) * da * db / weights;
    }
  }
  const double c1 = 6.5025, c2 = 58.5225;
  return (2 * ma * mb + c1) * (2 * sab + c2) / ((ma * ma + mb * mb + c1) * (saa + sbb + c2));
}

TEST(ImageMetrics, SsimByDefinitionWithAndWithoutMask) {
  const Image8 a = noise(23, 19, 3, 1);
  Image8 b = noise(23, 19, 3, 2);
  for (std::size_t i = 0; i < b.pixels.size(); ++i)
    b.pixels[i] = static_cast<std::uint8_t>((3 * a.pixels[i] + b.pixels[i]) / 4);
  const Image8 mask = noise(23, 19, 1, 3);
  double sum = 0, masked = 0, count = 0, weights = 0;
  for (int y = 5; y < 14; ++y) {
    for (int x = 5; x < 18; ++x) {
      for (int c = 0; c < 3; ++c) {
        const double value = ssim_at(a, b, x, y, c);
        sum += value;
        count += 1;
        masked += value * *mask.at(x, y) / 255.0;
        weights += *mask.at(x, y) / 255.0;
      }
    }
  }
  EXPECT_NEAR(ssim(a, b), sum / count, 1e-9);
  EXPECT_NEAR(ssim(a, b, &mask), masked / weights, 1e-9);
  EXPECT_NEAR(ssim(a, a), 1.0, 1e-12);
}

TEST(ImageMetrics, BadArgumentsAreNamed) {
  EXPECT_THROW(psnr(Image8(4, 4, 3), Image8(4, 5, 3)), Error);
  EXPECT_THROW(psnr(Image8(4, 4, 3), Image8(4, 4, 1)), Error);
  EXPECT_THROW(psnr(Image8(), Image8()), Error);
  EXPECT_THROW(ssim(Image8(10, 30, 3), Image8(10, 30, 3)), Error);
  const Image8 mask(20, 20, 1, 0);
  EXPECT_THROW(psnr(Image8(20, 20, 3), Image8(20, 20, 3), &mask), Error);
  EXPECT_THROW(ssim(Image8(20, 20, 3), Image8(20, 20, 3), &mask), Error);
  EXPECT_EQ(cpbd(Image8(130, 70, 3, 90)), 0.0);
  EXPECT_EQ(cpbd(Image8(3, 3, 1)), 0.0);
}

TEST(ImageMetrics, CpbdFallsWithBlur) {
  Image8 sharp(128, 128, 1);  // bars with one pixel of grey between them
  for (int y = 0; y < 128; ++y) {
    for (int x = 0; x < 128; ++x) *sharp.at(x, y) = x % 9 == 0 ? 120 : x % 18 < 9 ? 40 : 200;
  }
  const Image8 soft = resize_image(resize_image(sharp, 18, 18), 128, 128);
  EXPECT_GT(cpbd(sharp), 0.9);
  EXPECT_LT(cpbd(soft), 0.5);
}

// In each block of 64 pixels one vertical edge that rises from 20 by the given steps, one pixel each.
Image8 ramps(const std::vector<std::vector<int>>& blocks) {
  Image8 image(64 * static_cast<int>(blocks.size()), 64, 1, 20);
  for (int y = 0; y < 64; ++y) {
    for (int x = 0; x < image.width; ++x) {
      const std::vector<int>& steps = blocks[x / 64];
      for (int i = 0; i < static_cast<int>(steps.size()) && i < x % 64 - 30; ++i)
        *image.at(x, y) = static_cast<std::uint8_t>(*image.at(x, y) + steps[i]);
    }
  }
  return image;
}

// A viewer sees the blur of an edge of width w with probability 1 - exp(-(w / jnb)^3.6), where jnb is 3 pixels, or 5
// at contrasts up to 50; the edge counts as sharp while that is at most 63 %: exactly up to w = jnb.
TEST(ImageMetrics, CpbdOfRampsByHand) {
  const std::vector<int> three = {30, 90, 60}, four = {30, 60, 60, 30}, five = {5, 10, 15, 9, 6},
                         six = {5, 8, 12, 11, 6, 3};
  EXPECT_EQ(cpbd(ramps({three})), 1.0);
  EXPECT_EQ(cpbd(ramps({four})), 0.0);
  EXPECT_EQ(cpbd(ramps({five})), 1.0);
  EXPECT_EQ(cpbd(ramps({six})), 0.0);
  EXPECT_NEAR(cpbd(ramps({three, four, four, three, three})), 0.6, 1e-12);
}

}  // namespace
}  // namespace mien
