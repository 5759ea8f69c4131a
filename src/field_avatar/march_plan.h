// What a ray of a moment must be asked about: plain code for both processors.
#pragma once

#include "carry.h"
#include "mien/field/occupancy_view.h"

namespace mien::field_rays {

// A cube of space: low corner and side, metres.
struct Cube {
  float low[3];
  float side;
};

MIEN_HD void into_cube(const Cube& cube, const float* x, float* out) {
  for (int k = 0; k < 3; ++k) out[k] = (x[k] - cube.low[k]) / cube.side;
}

// Behind the head's surface a ray ends: nothing there can be seen, unless the model is off by so much.
constexpr float kBehind = 0.03f;  // metres

// How far along a ray from o in unit direction d it is worth looking: from and to, metres; empty where from >= to.
// `surface`: place of the head model's surface on it, or beyond `far`.
MIEN_HD void span_of(const float* low, const float* high, const float* o, const float* d, float surface, float* span) {
  float near = 0.01f, far = 100;
  for (int k = 0; k < 3; ++k) {
    const float inverse = 1 / (d[k] == 0 ? 1e-30f : d[k]);
    const float a = (low[k] - o[k]) * inverse, b = (high[k] - o[k]) * inverse;
    near = fmaxf(near, fminf(a, b));
    far = fminf(far, fmaxf(a, b));
  }
  span[0] = near;
  span[1] = fminf(far, surface + kBehind);
}

// Cells [from, to] of a grid of R a side that a box of the cube touches; false: none.
MIEN_HD bool cells_of(const Cube& cube, int resolution, const float* low, const float* high, int* from, int* to) {
  for (int k = 0; k < 3; ++k) {
    const float scale = static_cast<float>(resolution) / cube.side;
    from[k] = static_cast<int>(fmaxf(0.0f, floorf((low[k] - cube.low[k]) * scale)));
    to[k] = static_cast<int>(fminf(static_cast<float>(resolution - 1), floorf((high[k] - cube.low[k]) * scale)));
    if (from[k] > to[k]) return false;
  }
  return true;
}

// The box round a posed triangle within which its samples lie.
MIEN_HD void box_of(const carry::Rest& rest, const float* posed, int face, float reach, float* low, float* high) {
  for (int k = 0; k < 3; ++k) {
    const float a = posed[3 * rest.faces[3 * face] + k], b = posed[3 * rest.faces[3 * face + 1] + k],
                c = posed[3 * rest.faces[3 * face + 2] + k];
    low[k] = fminf(a, fminf(b, c)) - reach;
    high[k] = fmaxf(a, fmaxf(b, c)) + reach;
  }
}

// Samples lie within a triangle's reach of it. So a cell that the triangle's own box touches gets so many steps, and a
// cell passes on one less to each of its six neighbours: sqrt(3) steps a cell's side reach as far in every direction.
constexpr int kMostSteps = 250;
MIEN_HD int steps_of(const Cube& cube, int resolution, float reach) {
  const float cells = reach * static_cast<float>(resolution) / cube.side;
  const float steps = ceilf(1.7320508f * (cells + 1)) + 1;
  return steps < static_cast<float>(kMostSteps) ? static_cast<int>(steps) : kMostSteps;
}

// One line of cells, `stride` apart, forth and back.
template <typename Byte>
MIEN_HD void pass_on(Byte* cells, int count, long stride) {
  int carried = 0;
  for (int i = 0; i < count; ++i) {
    Byte& cell = cells[i * stride];
    if (cell < carried) cell = static_cast<Byte>(carried);
    carried = cell > 0 ? cell - 1 : 0;
  }
  carried = 0;
  for (int i = count - 1; i >= 0; --i) {
    Byte& cell = cells[i * stride];
    if (cell < carried) cell = static_cast<Byte>(carried);
    carried = cell > 0 ? cell - 1 : 0;
  }
}

// Whether a sample is worth asking: within its triangle's reach, and in a canonical cell that holds something, or, by
// chance, in one that does not (`explore`: with which probability; `dice` in [0,1)).
MIEN_HD bool keeps(const carry::Place& place, const float* reach, const Cube& canonical,
                   const OccupancyView& occupied_in, float explore, float dice, float* point) {
  if (place.face < 0) return false;
  into_cube(canonical, place.x, point);
  if (occupancy_cell(occupied_in.resolution, point[0], point[1], point[2]) < 0) return false;
  if (dice < explore) return true;
  return place.distance <= reach[place.face] && occupied(occupied_in, point[0], point[1], point[2]);
}

}  // namespace mien::field_rays
