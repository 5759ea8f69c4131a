// Gaussians and the tiles of their boxes.
#pragma once

#include "splat/cuda/ellipse.cuh"

namespace mien::splat::cuda {

__device__ inline int area_of(const Box& box) {
  return (box.x1 - box.x0) * (box.y1 - box.y0);
}

// The pair of a Gaussian and a tile that it touches.
__device__ inline std::uint32_t row_of(const Workspace& w, std::uint32_t id, int tile_x, int tile_y) {
  const Box box = w.boxes[id];
  const int place = (tile_y - box.y0) * (box.x1 - box.x0) + tile_x - box.x0;
  if (area_of(box) > kMaskTiles) return w.rows[id] + place;
  return w.rows[id] + __popcll(w.masks[id] & ((std::uint64_t{1} << place) - 1));
}

}  // namespace mien::splat::cuda
