#include "track/label/spread.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>

namespace mien::track {
namespace {

constexpr int kRounds = 3;  // of a sweep down and one up

struct Field {
  const Image8& picture;
  const Image8& inside;
  const SpreadCosts& costs;
  Image8 label;
  std::vector<float> distance;
  bool changed = false;

  std::size_t index(int x, int y) const { return static_cast<std::size_t>(y) * picture.width + x; }

  // Offers the pixel the label of a neighbour.
  void offer(int x, int y, int from_x, int from_y, float steps) {
    const float length = steps * costs.length;
    const std::size_t to = index(x, y), from = index(from_x, from_y);
    if (distance[from] + length >= distance[to] || label.pixels[from] == costs.still) return;
    const std::uint8_t *a = picture.at(x, y), *b = picture.at(from_x, from_y);
    const int change = std::max({std::abs(a[0] - b[0]), std::abs(a[1] - b[1]), std::abs(a[2] - b[2])});
    const float cost = distance[from] + length +
                       costs.contrast * static_cast<float>(std::max(0, change - costs.noise)) / 255 +
                       (inside.pixels[to] == 0 ? costs.beyond : 0);
    if (cost >= distance[to]) return;
    distance[to] = cost;
    changed = true;
    label.pixels[to] = label.pixels[from];
  }

  // One sweep: rows in the direction of `step`, each from both sides.
  void sweep(int step) {
    constexpr float kDiagonal = 1.4142f;
    const int width = picture.width, height = picture.height;
    for (int row = 0; row < height; ++row) {
      const int y = step > 0 ? row : height - 1 - row, before = y - step;
      const bool has_before = row > 0;
      for (int x = 0; x < width; ++x) {
        if (distance[index(x, y)] == 0) continue;
        if (has_before) {
          offer(x, y, x, before, 1);
          if (x > 0) offer(x, y, x - 1, before, kDiagonal);
          if (x + 1 < width) offer(x, y, x + 1, before, kDiagonal);
        }
        if (x > 0) offer(x, y, x - 1, y, 1);
      }
      for (int x = width - 2; x >= 0; --x) {
        if (distance[index(x, y)] != 0) offer(x, y, x + 1, y, 1);
      }
    }
  }
};

}  // namespace

Image8 spread_labels(const Image8& picture, const Image8& seeds, const Image8& inside, const SpreadCosts& costs) {
  Field field{picture, inside, costs, seeds, {}, false};
  field.distance.assign(seeds.pixels.size(), std::numeric_limits<float>::infinity());
  for (std::size_t i = 0; i < seeds.pixels.size(); ++i) {
    if (seeds.pixels[i] != 0) field.distance[i] = 0;
  }
  for (int round = 0; round < kRounds; ++round) {
    field.changed = false;
    field.sweep(1);
    field.sweep(-1);
    if (!field.changed) break;
  }
  return std::move(field.label);
}

}  // namespace mien::track
