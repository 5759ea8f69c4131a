// The march of one ray, and random points in cells: the same code on both processors, so that they give the same
// samples. To be compiled without fused multiply-adds. C++17, for CUDA kernels.
#pragma once

#include <cmath>
#include <cstdint>

#include "mien/field/occupancy_view.h"

namespace mien::field {

// What a march needs of its ray and options.
struct Ray {
  float origin[3], direction[3];
  float from, to;      // empty unless from < to
  std::uint32_t seed;  // of the ray's jitter
};

struct March {
  float step;
  bool jitter;
  int most;
};

// Cuts [from, to) to where the ray is in the unit cube.
MIEN_BOTH inline void clip_to_cube(Ray& ray) {
  for (int a = 0; a < 3; ++a) {
    const float o = ray.origin[a], d = ray.direction[a];
    if (d == 0) {
      if (!(o >= 0 && o < 1)) ray.to = ray.from;
      continue;
    }
    const float one = -o / d, other = (1 - o) / d;
    const float near = one < other ? one : other, far = one < other ? other : one;
    if (near > ray.from) ray.from = near;
    if (far < ray.to) ray.to = far;
  }
}

// Calls emit(t) for every sample, near to far; returns how many.
template <typename Emit>
MIEN_BOTH inline int march_ray(const OccupancyView& view, const Ray& ray, const March& march, const Emit& emit) {
  int count = 0;
  const auto cells = static_cast<float>(view.resolution);
  if (!(ray.from < ray.to)) return 0;
  const float intervals = (ray.to - ray.from) / march.step;
  const int end = intervals < 1e9f ? static_cast<int>(intervals) + 1 : 1000000000;
  for (int k = 0; k < end && count < march.most;) {
    const float place = march.jitter ? field_uniform(ray.seed, 0, static_cast<std::uint32_t>(k)) : 0.5f;
    const float t = ray.from + (static_cast<float>(k) + place) * march.step;
    if (t >= ray.to) break;
    float p[3];
    for (int a = 0; a < 3; ++a) p[a] = ray.origin[a] + t * ray.direction[a];
    const std::int32_t cell = occupancy_cell(view.resolution, p[0], p[1], p[2]);
    ++k;
    if (cell < 0) continue;  // by rounding, at the cube's faces
    if (((view.bits[cell / 32] >> (cell % 32)) & 1u) != 0) {
      emit(t);
      ++count;
      continue;
    }
    // On to the interval in which the ray leaves the empty cell or block of cells, with a margin for rounding.
    const int r = view.resolution, at[3] = {cell % r, cell / r % r, cell / r / r};
    int side = 1;
    if (view.blocks != nullptr) {
      const int b = occupancy_blocks(r);
      const int block = at[0] / kOccupancyBlock + b * (at[1] / kOccupancyBlock + b * (at[2] / kOccupancyBlock));
      if (((view.blocks[block / 32] >> (block % 32)) & 1u) == 0) side = kOccupancyBlock;
    }
    float leaves = ray.to;
    for (int a = 0; a < 3; ++a) {
      const float d = ray.direction[a];
      if (d == 0) continue;
      const int face = at[a] / side * side + (d > 0 ? side : 0);
      const float there = (static_cast<float>(face) / cells - ray.origin[a]) / d;
      if (there < leaves) leaves = there;
    }
    const float skipped = (leaves - ray.from) / march.step - 0.01f;
    if (skipped > static_cast<float>(k)) k = skipped < 1e9f ? static_cast<int>(skipped) : end;
  }
  return count;
}

// A random point in the cell of sample `i` of `count`: see Occupancy::sample().
MIEN_BOTH inline std::uint32_t sample_cell(const OccupancyView& view, std::int64_t count, std::int64_t i,
                                           std::uint32_t seed, float* point) {
  const auto r = static_cast<std::uint32_t>(view.resolution);
  const std::uint32_t cells = r * r * r;
  const auto n = static_cast<std::uint32_t>(i);
  std::uint32_t cell = n;
  if (count != static_cast<std::int64_t>(cells)) {
    for (std::uint32_t attempt = 0; attempt < 10; ++attempt) {
      const std::uint32_t random = field_hash(field_hash(field_hash(seed) ^ n) + attempt);
      cell = static_cast<std::uint32_t>((static_cast<std::uint64_t>(random) * cells) >> 32u);
      if (n % 2 == 0 || ((view.bits[cell / 32] >> (cell % 32)) & 1u) != 0) break;
    }
  }
  const std::uint32_t at[3] = {cell % r, cell / r % r, cell / r / r};
  for (std::uint32_t a = 0; a < 3; ++a)
    point[a] = (static_cast<float>(at[a]) + field_uniform(seed, n, 100 + a)) / static_cast<float>(r);
  return cell;
}

}  // namespace mien::field
