// Gaussians over many tiles: a warp works on one, so that a giant does not hold up thirty-one others.
#include "splat/cuda/boxes.cuh"

namespace mien::splat::cuda {
namespace {

constexpr int kThreads = 128, kWarps = kThreads / 32;

// Counts the Gaussian in the tiles that it touches, and pairs it with them; beyond kMaskTiles with all tiles of its
// box.
__global__ void __launch_bounds__(kThreads) pair_large_kernel(const __grid_constant__ Frame frame) {
  const Workspace& w = frame.w;
  const int lane = threadIdx.x % 32, tiles_x = frame.view.tiles_x;
  const std::uint32_t large = w.status->large;
  for (std::uint32_t item = blockIdx.x * kWarps + threadIdx.x / 32; item < large; item += gridDim.x * kWarps) {
    const std::uint32_t id = w.large[item];
    const Box box = w.boxes[id];
    const float4* record = w.records + 3 * static_cast<std::int64_t>(id);
    const Ellipse ellipse = {record[0], record[1]};
    const int width = box.x1 - box.x0, area = area_of(box);
    std::uint64_t mask = 0;
    if (area <= kMaskTiles)
      for (int first = 0; first < area; first += 32) {
        const int place = first + lane;
        const bool hit = place < area && touches_tile(ellipse, box.x0 + place % width, box.y0 + place / width);
        mask |= static_cast<std::uint64_t>(__ballot_sync(kWarp, hit)) << first;
      }
    const std::uint32_t wanted = area <= kMaskTiles ? __popcll(mask) : area;
    unsigned long long base = 0;
    if (lane == 0 && wanted > 0) {
      base = atomicAdd(&w.status->rows, static_cast<unsigned long long>(wanted));
      atomicAdd(&w.status->visible, 1u);
    }
    base = __shfl_sync(kWarp, base, 0);
    const std::uint32_t row = base + wanted <= w.capacity ? static_cast<std::uint32_t>(base) : kNone;
    if (lane == 0) {
      w.masks[id] = mask;
      w.rows[id] = row;
    }
    if (row == kNone) continue;
    for (int place = lane; place < area; place += 32) {
      const int x = box.x0 + place % width, y = box.y0 + place / width;
      const auto tile = static_cast<std::uint32_t>(y * tiles_x + x);
      std::uint32_t own = row + place;
      bool hit = true;
      if (area <= kMaskTiles) {
        if ((mask >> place & 1) == 0) continue;
        own = row + __popcll(mask & ((std::uint64_t{1} << place) - 1));
      } else {
        hit = touches_tile(ellipse, x, y);
      }
      if (hit) atomicAdd(&w.tiles[tile].count, 1u);
      w.pairs[own] = {hit ? tile : kNone, id};
    }
  }
}

// Adds up the rows of each large Gaussian, always in the same order.
__global__ void __launch_bounds__(kThreads) gather_large_kernel(const __grid_constant__ Frame frame) {
  const Workspace& w = frame.w;
  const int lane = threadIdx.x % 32;
  const std::uint32_t large = w.status->rows <= w.capacity ? w.status->large : 0;
  for (std::uint32_t item = blockIdx.x * kWarps + threadIdx.x / 32; item < large; item += gridDim.x * kWarps) {
    const std::uint32_t id = w.large[item], first = w.rows[id], count = row_count(w, id);
    float sums[9];
    const bool drawn = __any_sync(kWarp, add_rows(w, first + lane, first + count, 32, sums));
    float own = drawn ? 1.0f : 0.0f;
    for (int k = 0; k < 9; ++k) {
      for (int distance = 16; distance > 0; distance /= 2) sums[k] += __shfl_xor_sync(kWarp, sums[k], distance);
      if (lane == k) own = sums[k];
    }
    if (lane < 10) w.totals[static_cast<std::int64_t>(id) * kRowFloats + lane] = own;
  }
}

}  // namespace

void pair_large(const Frame& frame, cudaStream_t stream) {
  pair_large_kernel<<<16 * frame.w.multiprocessors, kThreads, 0, stream>>>(frame);
}

void gather_large(const Frame& frame, cudaStream_t stream) {
  gather_large_kernel<<<16 * frame.w.multiprocessors, kThreads, 0, stream>>>(frame);
}

}  // namespace mien::splat::cuda
