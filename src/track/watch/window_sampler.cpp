#include "track/watch/window_sampler.h"

#include <algorithm>
#include <cmath>

#include "mien/base/parallel.h"

namespace mien::track {
namespace {

double catmull_rom(double x) {
  x = std::abs(x);
  if (x < 1) return 1 + x * x * (1.5 * x - 2.5);
  if (x < 2) return 2 + x * (-4 + x * (2.5 - 0.5 * x));
  return 0;
}

}  // namespace

std::vector<WindowSampler::Taps> WindowSampler::taps(double begin, double length, int size) {
  std::vector<Taps> out(static_cast<std::size_t>(size));
  const double step = length / size, wide = std::max(step, 1.0);
  for (int i = 0; i < size; ++i) {
    Taps& t = out[static_cast<std::size_t>(i)];
    const double at = begin + (i + 0.5) * step - 0.5;  // in pixel numbers
    t.first = static_cast<int>(std::ceil(at - 2 * wide));
    double sum = 0;
    for (int k = t.first; k <= static_cast<int>(std::floor(at + 2 * wide)); ++k) {
      const double weight = catmull_rom((k - at) / wide);
      t.weights.push_back(static_cast<float>(weight));
      sum += weight;
    }
    for (float& w : t.weights) w = static_cast<float>(w / sum);
  }
  return out;
}

WindowSampler::WindowSampler(const CutWindow& window, int size, const std::array<int, 4>& picture)
    : size_(size),
      picture_(picture),
      columns_(taps(window.left, window.size, size)),
      rows_(taps(window.top, window.size, size)) {}

Image8 WindowSampler::cut(const Image8& frame) const {
  const auto [left, top, right, bottom] = picture_;
  const int first_row = rows_.front().first;
  const int last_row = rows_.back().first + static_cast<int>(rows_.back().weights.size()) - 1;
  const int y0 = std::clamp(first_row, top, bottom - 1), y1 = std::clamp(last_row, top, bottom - 1);
  const auto row_size = static_cast<std::size_t>(size_) * 3;
  std::vector<float> across(static_cast<std::size_t>(y1 - y0 + 1) * row_size);
  parallel_for(y1 - y0 + 1, 16, [&, l = left, r = right](std::int64_t j) {
    float* to = across.data() + static_cast<std::size_t>(j) * row_size;
    for (const Taps& t : columns_) {
      float sum[3] = {};
      for (std::size_t k = 0; k < t.weights.size(); ++k) {
        const std::uint8_t* p = frame.at(std::clamp(t.first + static_cast<int>(k), l, r - 1), y0 + static_cast<int>(j));
        for (int c = 0; c < 3; ++c) sum[c] += t.weights[k] * p[c];
      }
      for (int c = 0; c < 3; ++c) *to++ = sum[c];
    }
  });
  Image8 out(size_, size_, 3);
  parallel_for(size_, 16, [&](std::int64_t j) {
    const Taps& t = rows_[static_cast<std::size_t>(j)];
    std::vector<float> sum(row_size, 0.5f);
    for (std::size_t k = 0; k < t.weights.size(); ++k) {
      const int y = std::clamp(t.first + static_cast<int>(k), y0, y1) - y0;
      const float* from = across.data() + static_cast<std::size_t>(y) * row_size;
      for (std::size_t i = 0; i < row_size; ++i) sum[i] += t.weights[k] * from[i];
    }
    std::uint8_t* to = out.at(0, static_cast<int>(j));
    for (std::size_t i = 0; i < row_size; ++i) to[i] = static_cast<std::uint8_t>(std::clamp(sum[i], 0.0f, 255.0f));
  });
  return out;
}

}  // namespace mien::track
