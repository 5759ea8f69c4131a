// Gaussians over many tiles: a warp works on one, so that a giant does not hold up thirty-one others.
#include "splat/cuda/boxes.cuh"

namespace mien::splat::cuda {
namespace {

constexpr int kThreads = 128, kWarps = kThreads / 32;

// Counts the Gaussian in the tiles that it touches, and pairs it with all tiles of its box.
__global__ void __launch_bounds__(kThreads) pair_large_kernel(const __grid_constant__ Frame frame) {
  const Workspace& w = frame.w;
  const int lane = threadIdx.x % 32;
  const std::uint32_t large = w.status->large;
  for (std::uint32_t item = blockIdx.x * kWarps + threadIdx.x / 32; item < large; item += gridDim.x * kWarps) {
    const std::uint32_t id = w.large[item], row = w.rows[id];
    if (row == kNone) continue;
    const Box box = w.boxes[id];
    const float4* record = w.records + 3 * static_cast<std::int64_t>(id);
    const Ellipse ellipse = {record[0], record[1]};
    const int width = box.x1 - box.x0, area = area_of(box);
    for (int place = lane; place < area; place += 32) {
      const int x = box.x0 + place % width, y = box.y0 + place / width;
      const auto tile = static_cast<std::uint32_t>(y * frame.view.tiles_x + x);
      const bool hit = touches_tile(ellipse, x, y);
      if (hit) atomicAdd(&w.tiles[tile].count, 1u);
      w.pairs[row + place] = {hit ? tile : kNone, id};
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
