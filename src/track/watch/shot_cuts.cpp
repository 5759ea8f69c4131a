#include "track/watch/shot_cuts.h"

#include <algorithm>
#include <cmath>

namespace mien::track {
namespace {

constexpr int kWide = 48, kHigh = 27, kSamples = 4;  // cells of the small picture; samples a side of a cell

// Chosen on recordings: cuts between settings score 30 to 90 and 0.4 to 0.9, speech and gestures below 8 and 0.1.
constexpr double kPixels = 14, kColours = 0.18, kPixelsAlone = 40, kTimesUsual = 3;

std::vector<std::uint8_t> sample(const Image8& frame) {
  std::vector<std::uint8_t> out;
  out.reserve(kWide * kHigh * 3);
  for (int j = 0; j < kHigh; ++j) {
    for (int i = 0; i < kWide; ++i) {
      int sum[3] = {};
      for (int v = 0; v < kSamples; ++v) {
        for (int u = 0; u < kSamples; ++u) {
          const int x = static_cast<int>((i + (u + 0.5) / kSamples) * frame.width / kWide);
          const int y = static_cast<int>((j + (v + 0.5) / kSamples) * frame.height / kHigh);
          for (int k = 0; k < 3; ++k) sum[k] += frame.at(x, y)[k];
        }
      }
      for (const int s : sum) out.push_back(static_cast<std::uint8_t>(s / (kSamples * kSamples)));
    }
  }
  return out;
}

std::array<float, 64> histogram(const std::vector<std::uint8_t>& pixels) {
  std::array<float, 64> out{};
  for (std::size_t i = 0; i < pixels.size(); i += 3)
    out[static_cast<std::size_t>(pixels[i] / 64 * 16 + pixels[i + 1] / 64 * 4 + pixels[i + 2] / 64)] +=
        3.0f / static_cast<float>(pixels.size());
  return out;
}

}  // namespace

bool ShotCuts::is_cut(const Image8& frame) {
  std::vector<std::uint8_t> now = sample(frame);
  const std::array<float, 64> colours = histogram(now);
  bool cut = false;
  if (!small_.empty()) {
    double pixels = 0, common = 0;
    for (std::size_t i = 0; i < now.size(); ++i) pixels += std::abs(now[i] - small_[i]);
    pixels /= static_cast<double>(now.size());
    for (std::size_t i = 0; i < colours.size(); ++i) common += std::min(colours[i], colours_[i]);
    const bool differs = (pixels > kPixels && 1 - common > kColours) || pixels > kPixelsAlone;
    cut = differs && pixels > kTimesUsual * usual_;
    usual_ = cut ? 0 : 0.8 * usual_ + 0.2 * pixels;
  }
  small_ = std::move(now);
  colours_ = colours;
  return cut;
}

}  // namespace mien::track
