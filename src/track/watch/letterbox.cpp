#include "track/watch/letterbox.h"

#include <algorithm>
#include <cstdlib>

namespace mien::track {
namespace {

constexpr int kBlack = 28;         // of 255; compression leaves noise in bars
constexpr double kNarrow = 0.015;  // of a side: narrower bars are left alone

// How many values from the beginning are black.
template <typename Iterator>
int black_run(Iterator begin, Iterator end) {
  return static_cast<int>(std::find_if(begin, end, [](std::uint8_t v) { return v > kBlack; }) - begin);
}

}  // namespace

void Letterbox::add(const Image8& frame) {
  if (width_ == 0) {
    width_ = frame.width;
    height_ = frame.height;
    brightest_row_.assign(static_cast<std::size_t>(height_), 0);
    brightest_column_.assign(static_cast<std::size_t>(width_), 0);
  }
  for (int y = 0; y < height_; ++y) {
    std::uint8_t& row = brightest_row_[static_cast<std::size_t>(y)];
    for (int x = 0; x < width_; ++x) {
      const std::uint8_t* p = frame.at(x, y);
      const auto level = static_cast<std::uint8_t>((p[0] + 2 * p[1] + p[2]) / 4);
      row = std::max(row, level);
      std::uint8_t& column = brightest_column_[static_cast<std::size_t>(x)];
      column = std::max(column, level);
    }
  }
}

bool Letterbox::all_black() const {
  return black_run(brightest_row_.begin(), brightest_row_.end()) == height_;
}

std::array<int, 4> Letterbox::picture() const {
  std::array<int, 4> out = {0, 0, width_, height_};
  if (all_black()) return out;
  const int left = black_run(brightest_column_.begin(), brightest_column_.end());
  const int right = black_run(brightest_column_.rbegin(), brightest_column_.rend());
  const int top = black_run(brightest_row_.begin(), brightest_row_.end());
  const int bottom = black_run(brightest_row_.rbegin(), brightest_row_.rend());
  const int narrow_x = static_cast<int>(kNarrow * width_) + 2, narrow_y = static_cast<int>(kNarrow * height_) + 2;
  // Bars come in pairs of one width; a dark wall at one side is no bar.
  const auto pair = [](int a, int b, int narrow) { return std::min(a, b) > narrow && std::abs(a - b) <= narrow; };
  if (pair(left, right, narrow_x)) {
    out[0] = left;
    out[2] = width_ - right;
  }
  if (pair(top, bottom, narrow_y)) {
    out[1] = top;
    out[3] = height_ - bottom;
  }
  return out;
}

}  // namespace mien::track
