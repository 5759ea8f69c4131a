// Through which pixels of a frame a step looks; the same code for both processors.
#pragma once

#include <cstdint>

#include "mien/field/occupancy_view.h"
#include "mien/geometry/triangle_tree.h"

namespace mien {

// Pixels [x0,x1) x [y0,y1).
struct PixelBox {
  int x0, y0, x1, y1;
};
constexpr int kPixelBoxes = 4;  // whole picture, head, mouth, eyes

// Where a frame's rays go: into each box with its share.
struct PixelChoice {
  PixelBox boxes[kPixelBoxes];
  float share[kPixelBoxes];  // summed up: the last is 1
};

// y * width + x of ray number `ray` of a step.
MIEN_HD std::int64_t choose_pixel(const PixelChoice& choice, int width, std::uint32_t seed, std::uint32_t ray) {
  const float u = field_uniform(seed, ray, 0);
  int b = 0;
  while (b + 1 < kPixelBoxes && u >= choice.share[b]) ++b;
  const PixelBox& box = choice.boxes[b];
  const int x = box.x0 + static_cast<int>(field_uniform(seed, ray, 1) * static_cast<float>(box.x1 - box.x0));
  const int y = box.y0 + static_cast<int>(field_uniform(seed, ray, 2) * static_cast<float>(box.y1 - box.y0));
  return std::int64_t{y} * width + x;
}

}  // namespace mien
