// Gaussians and the tiles of their boxes.
#pragma once

#include "splat/cuda/ellipse.cuh"

namespace mien::splat::cuda {

__device__ inline int area_of(const Box& box) {
  return (box.x1 - box.x0) * (box.y1 - box.y0);
}

// The row of sums that a Gaussian has for one tile, which it touches.
__device__ inline std::uint32_t row_of(const Workspace& w, std::uint32_t id, int tile_x, int tile_y) {
  const Box box = w.boxes[id];
  const int place = (tile_y - box.y0) * (box.x1 - box.x0) + tile_x - box.x0;
  if (area_of(box) > kMaskTiles) return w.rows[id] + place;
  return w.rows[id] + __popcll(w.masks[id] & ((std::uint64_t{1} << place) - 1));
}

// Calls visit(tile, payload) for every touched tile of each lane's Gaussian if `large`: the whole warp works on one
// after another. All lanes must take part.
template <typename Visit>
__device__ inline void visit_large(bool large, int lane, const Box& own_box, const Ellipse& own, std::uint64_t payload,
                                   int tiles_x, const Visit& visit) {
  for (unsigned left = __ballot_sync(kWarp, large); left != 0; left &= left - 1) {
    const int owner = __ffs(left) - 1;
    auto from_owner = [owner](auto value) { return __shfl_sync(kWarp, value, owner); };
    const unsigned x0 = from_owner(static_cast<unsigned>(own_box.x0)),
                   y0 = from_owner(static_cast<unsigned>(own_box.y0));
    const unsigned width = from_owner(static_cast<unsigned>(own_box.x1)) - x0;
    const unsigned area = width * (from_owner(static_cast<unsigned>(own_box.y1)) - y0);
    const Ellipse e = {{from_owner(own.a.x), from_owner(own.a.y), from_owner(own.a.z), from_owner(own.a.w)},
                       {from_owner(own.b.x), from_owner(own.b.y), from_owner(own.b.z), from_owner(own.b.w)}};
    const std::uint64_t p = from_owner(static_cast<unsigned long long>(payload));
    for (unsigned t = lane; t < area; t += 32) {
      const int x = static_cast<int>(x0 + t % width), y = static_cast<int>(y0 + t / width);
      if (touches_tile(e, x, y)) visit(y * tiles_x + x, p);
    }
  }
}

}  // namespace mien::splat::cuda
