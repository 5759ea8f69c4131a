#include "media/fields.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "mien/base/parallel.h"

namespace mien::media {
namespace {

constexpr int kTolerance = 12;  // of 255: by how much a still line may lie outside of its neighbours

int difference(const std::uint8_t* a, const std::uint8_t* b) {
  return std::abs(a[0] - b[0]) + std::abs(a[1] - b[1]) + std::abs(a[2] - b[2]);
}

// The direction in which the lines above and below agree best: -1, 0 or 1 pixels to the side.
int edge_direction(const Image8& field, int x, int above, int below) {
  int best = 0, least = 1 << 20;
  for (const int d : {0, -1, 1}) {
    if (x + d < 1 || x + d >= field.width - 1 || x - d < 1 || x - d >= field.width - 1) continue;
    int sum = d == 0 ? 0 : 8;
    for (int k = -1; k <= 1; ++k) sum += difference(field.at(x + d + k, above), field.at(x - d + k, below));
    if (sum < least) {
      least = sum;
      best = d;
    }
  }
  return best;
}

// Does the pixel stick out of its neighbours above and below, as a comb's tooth does?
bool sticks_out(const std::uint8_t* pixel, const std::uint8_t* above, const std::uint8_t* below) {
  for (int k = 0; k < 3; ++k) {
    const auto [low, high] = std::minmax(above[k], below[k]);
    if (pixel[k] < low - kTolerance || pixel[k] > high + kTolerance) return true;
  }
  return false;
}

}  // namespace

Image8 weave_fields(const Image8& upper, const Image8& lower) {
  const int w = upper.width, h = upper.height;
  Image8 out(w, 2 * h, 3);
  parallel_for(h, 8, [&](std::int64_t line) {
    const int y = static_cast<int>(line), below = std::min(y + 1, h - 1);
    std::copy_n(upper.at(0, y), 3 * w, out.at(0, 2 * y));
    for (int x = 0; x < w; ++x) {
      std::uint8_t* to = out.at(x, 2 * y + 1);
      const std::uint8_t* still = lower.at(x, y);
      if (!sticks_out(still, upper.at(x, y), upper.at(x, below))) {
        std::copy_n(still, 3, to);
        continue;
      }
      const int d = edge_direction(upper, x, y, below);
      const std::uint8_t *a = upper.at(x + d, y), *b = upper.at(x - d, below);
      for (int k = 0; k < 3; ++k) to[k] = static_cast<std::uint8_t>((a[k] + b[k] + 1) / 2);
    }
  });
  return out;
}

}  // namespace mien::media
