// Gaussians, the tiles of their boxes, and the rows of sums of these pairs.
#pragma once

#include "splat/cuda/ellipse.cuh"

namespace mien::splat::cuda {

__device__ inline int area_of(const Box& box) {
  return (box.x1 - box.x0) * (box.y1 - box.y0);
}

// Pairs of a Gaussian: a small one has them with the tiles that it touches, a large one with all of its box.
__device__ inline std::uint32_t row_count(const Workspace& w, std::uint32_t id) {
  const int area = area_of(w.boxes[id]);
  return area > kSmallTiles ? area : __popc(w.masks[id]);
}

// The pair of a Gaussian and a tile that it touches.
__device__ inline std::uint32_t row_of(const Workspace& w, std::uint32_t id, int tile_x, int tile_y) {
  const Box box = w.boxes[id];
  const int place = (tile_y - box.y0) * (box.x1 - box.x0) + tile_x - box.x0;
  return w.rows[id] + (area_of(box) > kSmallTiles ? place : __popc(w.masks[id] & ((1u << place) - 1)));
}

// The sum of every `step`-th row from `row` to `end`; returns whether any was drawn. What was not
// drawn is read as well: the reads then need not wait for one another.
__device__ inline bool add_rows(const Workspace& w, std::uint32_t row, std::uint32_t end, int step, float sums[9]) {
  bool drawn = false;
  for (int k = 0; k < 9; ++k) sums[k] = 0;
  const auto* rows = reinterpret_cast<const float4*>(w.sums);
#pragma unroll 4
  for (; row < end; row += step) {
    const bool here = w.drawn[row] != 0;
    const float4 a = rows[3 * static_cast<std::int64_t>(row)], b = rows[3 * static_cast<std::int64_t>(row) + 1];
    const float last = w.sums[static_cast<std::int64_t>(row) * kRowFloats + 8];
    drawn |= here;
    sums[0] += here ? a.x : 0;
    sums[1] += here ? a.y : 0;
    sums[2] += here ? a.z : 0;
    sums[3] += here ? a.w : 0;
    sums[4] += here ? b.x : 0;
    sums[5] += here ? b.y : 0;
    sums[6] += here ? b.z : 0;
    sums[7] += here ? b.w : 0;
    sums[8] += here ? last : 0;
  }
  return drawn;
}

}  // namespace mien::splat::cuda
