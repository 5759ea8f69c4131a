// Compositing, front to back. A block a tile, a lane a pixel. A warp takes 32 list entries at a time, a lane each;
// those that touch its 8x4 pixels are put side by side in shared memory, then drawn by all lanes. The warps do not wait
// for one another.
#include "splat/cuda/ellipse.cuh"

namespace mien::splat::cuda {
namespace {

struct Loaded {
  Ellipse ellipse;
  float4 colour;
};
__device__ inline Loaded load(const float4* records, std::uint32_t id) {
  const float4* r = records + 3 * static_cast<std::int64_t>(id);
  return {{__ldg(r), __ldg(r + 1)}, __ldg(r + 2)};
}

template <bool keep>
__global__ void __launch_bounds__(kPixels, 5)
    composite_kernel(const __grid_constant__ Frame frame, float* rgb, float* alpha) {
  __shared__ float4 staged[kTileWarps][3][32];
  __shared__ std::uint32_t stops[kTileWarps], first_batch;
  const Workspace& w = frame.w;
  const View& view = frame.view;
  const int tile = blockIdx.x, tile_x = tile % view.tiles_x, tile_y = tile / view.tiles_x;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const Place here = pixel_of(threadIdx.x), corner = pixel_of(threadIdx.x - lane);
  const int px = tile_x * kSide + here.x, py = tile_y * kSide + here.y;
  const float x = static_cast<float>(px) + 0.5f, y = static_cast<float>(py) + 0.5f;
  const float left = static_cast<float>(tile_x * kSide + corner.x) + 0.5f;
  const float top = static_cast<float>(tile_y * kSide + corner.y) + 0.5f;
  const bool inside = px < view.width && py < view.height;
  const std::uint32_t begin = w.tiles[tile].begin, n = begin == kNone ? 0 : w.tiles[tile].count;
  const std::uint32_t* ids = w.ids + begin;

  float transmittance = inside ? 1.0f : -1.0f, red = 0, green = 0, blue = 0;
  Loaded next = {};
  std::uint32_t next_id = 0;  // two batches ahead, so that neither load has to be waited for
  if (lane < n) next = load(w.records, ids[lane]);
  if (kBatch + lane < n) next_id = ids[kBatch + lane];
  std::uint32_t first = 0;
  for (; first < n; first += kBatch) {
    if (!__any_sync(kWarp, transmittance > 0)) break;
    if (keep && first > 0)
      w.kept[(static_cast<std::int64_t>(w.tiles[tile].states) + first / kBatch - 1) * kPixels + threadIdx.x] =
          make_float4(red, green, blue, transmittance);
    const bool hit = first + lane < n && touches(next.ellipse, left, top, 7, 3);
    const unsigned hits = __ballot_sync(kWarp, hit);
    const int place = __popc(hits & ((1u << lane) - 1));
    if (hit) {
      staged[warp][0][place] = next.ellipse.a;
      staged[warp][1][place] = next.ellipse.b;
      staged[warp][2][place] = next.colour;
    }
    __syncwarp();
    if (first + kBatch + lane < n) next = load(w.records, next_id);
    if (first + 2 * kBatch + lane < n) next_id = ids[first + 2 * kBatch + lane];
    const int count = __popc(hits);
#pragma unroll 4
    for (int k = 0; k < count; ++k) {
      const float4 a = staged[warp][0][k], b = staged[warp][1][k], colour = staged[warp][2][k];
      const Step s = step(a, b.x, b.y, x, y, transmittance);
      const float weight = s.drawn ? s.weight : 0.0f;
      red = fmaf(weight, colour.x, red);
      green = fmaf(weight, colour.y, green);
      blue = fmaf(weight, colour.z, blue);
    }
    __syncwarp();
  }

  const float remaining = fabsf(transmittance);
  red = fmaf(remaining, view.background[0], red);
  green = fmaf(remaining, view.background[1], green);
  blue = fmaf(remaining, view.background[2], blue);
  if (inside) {
    const std::int64_t pixel = static_cast<std::int64_t>(py) * view.width + px;
    rgb[3 * pixel] = red;
    rgb[3 * pixel + 1] = green;
    rgb[3 * pixel + 2] = blue;
    alpha[pixel] = 1 - remaining;
  }
  if constexpr (keep) {
    w.finals[static_cast<std::int64_t>(tile) * kPixels + threadIdx.x] = make_float4(red, green, blue, remaining);
    const std::uint32_t drawn = (min(first, n) + kBatch - 1) / kBatch;
    if (lane == 0) {
      stops[warp] = drawn;
      w.stops[kTileWarps * tile + warp] = drawn;
    }
    __syncthreads();
    std::uint32_t batches = 0;
    for (int k = 0; k < kTileWarps; ++k) batches = max(batches, stops[k]);
    if (batches == 0) return;
    if (threadIdx.x == 0) first_batch = atomicAdd(&w.status->batches, batches);
    __syncthreads();
    for (std::uint32_t k = threadIdx.x; k < batches; k += kPixels)
      w.batches[first_batch + k] = {static_cast<std::uint32_t>(tile), k};
  }
}

}  // namespace

void composite(const Frame& frame, float* rgb, float* alpha, cudaStream_t stream) {
  const int tiles = frame.view.tiles_x * frame.view.tiles_y;
  if (frame.w.finals != nullptr)
    composite_kernel<true><<<tiles, kPixels, 0, stream>>>(frame, rgb, alpha);
  else
    composite_kernel<false><<<tiles, kPixels, 0, stream>>>(frame, rgb, alpha);
}

}  // namespace mien::splat::cuda
