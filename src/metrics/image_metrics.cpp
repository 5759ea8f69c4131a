#include "mien/metrics/image_metrics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "mien/base/error.h"

namespace mien {
namespace {

constexpr int kRadius = 5;  // of the SSIM window
constexpr int kWindow = 2 * kRadius + 1;

void check_pair(const Image8& a, const Image8& b, const Image8* mask) {
  if (a.width != b.width || a.height != b.height || a.channels != b.channels || a.pixels.empty() || a.channels == 4) {
    throw Error(ErrorCode::kBadArgument,
                fmt::format("cannot compare a picture of {}x{} ({} channels) with one of {}x{} ({})", a.width, a.height,
                            a.channels, b.width, b.height, b.channels),
                "give pictures of one size, both grey or both RGB");
  }
  if (mask != nullptr && (mask->width != a.width || mask->height != a.height || mask->channels != 1)) {
    throw Error(ErrorCode::kBadArgument,
                fmt::format("a mask of {}x{} ({} channels) for pictures of {}x{}", mask->width, mask->height,
                            mask->channels, a.width, a.height),
                "give a grey mask of the same size");
  }
}

double weight_at(const Image8* mask, std::size_t pixel) {
  return mask == nullptr ? 1.0 : mask->pixels[pixel] / 255.0;
}

[[noreturn]] void empty_mask() {
  throw Error(ErrorCode::kBadArgument, "the mask covers no pixel that can be compared", "give a mask with white in it");
}

std::array<double, kWindow> gaussian() {
  std::array<double, kWindow> out;
  double sum = 0;
  for (int i = 0; i < kWindow; ++i) sum += out[i] = std::exp(-0.5 * (i - kRadius) * (i - kRadius) / (1.5 * 1.5));
  for (double& value : out) value /= sum;
  return out;
}

// Five moments of one channel, filtered: a, b, aa, bb, ab.
constexpr int kMoments = 5;

// Sum of SSIM values times weights over the inner pixels of one channel.
double ssim_channel(const Image8& a, const Image8& b, const Image8* mask, int channel) {
  static const std::array<double, kWindow> kernel = gaussian();
  const int width = a.width;
  const int inner = width - 2 * kRadius;
  // The last 11 rows, filtered along x: [row % 11][moment][x].
  std::vector<double> rows(static_cast<std::size_t>(kWindow) * kMoments * inner);
  std::vector<double> line(static_cast<std::size_t>(kMoments) * width);
  std::vector<double> moment(static_cast<std::size_t>(kMoments) * inner);
  constexpr double kC1 = (0.01 * 255) * (0.01 * 255);
  constexpr double kC2 = (0.03 * 255) * (0.03 * 255);
  double sum = 0;
  for (int y = 0; y < a.height; ++y) {
    for (int x = 0; x < width; ++x) {
      const double va = a.at(x, y)[channel];
      const double vb = b.at(x, y)[channel];
      const double values[kMoments] = {va, vb, va * va, vb * vb, va * vb};
      for (int m = 0; m < kMoments; ++m) line[static_cast<std::size_t>(m) * width + x] = values[m];
    }
    double* row = rows.data() + static_cast<std::size_t>(y % kWindow) * kMoments * inner;
    for (int m = 0; m < kMoments; ++m) {
      const double* from = line.data() + static_cast<std::size_t>(m) * width;
      for (int x = 0; x < inner; ++x) {
        double value = 0;
        for (int k = 0; k < kWindow; ++k) value += kernel[k] * from[x + k];
        row[static_cast<std::size_t>(m) * inner + x] = value;
      }
    }
    if (y < kWindow - 1) continue;
    std::fill(moment.begin(), moment.end(), 0.0);
    for (int k = 0; k < kWindow; ++k) {
      const double* from = rows.data() + static_cast<std::size_t>((y - kWindow + 1 + k) % kWindow) * kMoments * inner;
      for (std::size_t i = 0; i < moment.size(); ++i) moment[i] += kernel[k] * from[i];
    }
    for (int x = 0; x < inner; ++x) {
      const double ma = moment[x];
      const double mb = moment[inner + x];
      const double saa = moment[2 * inner + x] - ma * ma;
      const double sbb = moment[3 * inner + x] - mb * mb;
      const double sab = moment[4 * inner + x] - ma * mb;
      const double value = (2 * ma * mb + kC1) * (2 * sab + kC2) / ((ma * ma + mb * mb + kC1) * (saa + sbb + kC2));
      sum += value * weight_at(mask, static_cast<std::size_t>(y - kRadius) * width + x + kRadius);
    }
  }
  return sum;
}

}  // namespace

double psnr(const Image8& a, const Image8& b, const Image8* mask) {
  check_pair(a, b, mask);
  double sum = 0;
  double weights = 0;
  const std::size_t pixels = a.pixels.size() / a.channels;
  for (std::size_t i = 0; i < pixels; ++i) {
    const double weight = weight_at(mask, i);
    weights += weight;
    for (int c = 0; c < a.channels; ++c) {
      const double difference = static_cast<double>(a.pixels[i * a.channels + c]) - b.pixels[i * a.channels + c];
      sum += weight * difference * difference;
    }
  }
  if (weights == 0) empty_mask();
  const double mean = sum / (weights * a.channels);
  return mean == 0 ? std::numeric_limits<double>::infinity() : 10 * std::log10(255.0 * 255.0 / mean);
}

double ssim(const Image8& a, const Image8& b, const Image8* mask) {
  check_pair(a, b, mask);
  if (a.width < kWindow || a.height < kWindow) {
    throw Error(ErrorCode::kBadArgument, fmt::format("SSIM of pictures of {}x{} pixels", a.width, a.height),
                "they must have at least 11 pixels a side");
  }
  double weights = 0;
  for (int y = kRadius; y < a.height - kRadius; ++y) {
    for (int x = kRadius; x < a.width - kRadius; ++x)
      weights += weight_at(mask, static_cast<std::size_t>(y) * a.width + x);
  }
  if (weights == 0) empty_mask();
  double sum = 0;
  for (int c = 0; c < a.channels; ++c) sum += ssim_channel(a, b, mask, c);
  return sum / (weights * a.channels);
}

}  // namespace mien
