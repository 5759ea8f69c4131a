// The gradient of compositing. A warp a batch of 32 list entries of one tile, two pixels a lane, starting from the
// state that composite() kept. Each entry's nine sums over the tile's pixels go to the row of sums that is its own.
#include "splat/cuda/boxes.cuh"

namespace mien::splat::cuda {
namespace {

constexpr int kWarps = 4, kThreads = 32 * kWarps;

struct Pixel {
  float y, transmittance, behind;  // what lies behind adds `behind` to the loss
  float d_red, d_green, d_blue;
};

// Sums v[0..7] over the warp; lane 4 k + j returns the sum of v[k]. Each step halves the values a lane looks after.
__device__ inline float sum_of_eight(float* v, int lane) {
#pragma unroll
  for (int width = 4, distance = 16; width > 0; width /= 2, distance /= 2) {
    const bool upper = (lane & distance) != 0;
#pragma unroll
    for (int k = 0; k < width; ++k) {
      const float mine = upper ? v[k + width] : v[k], given = upper ? v[k] : v[k + width];
      v[k] = mine + __shfl_xor_sync(kWarp, given, distance);
    }
  }
  v[0] += __shfl_xor_sync(kWarp, v[0], 2);
  return v[0] + __shfl_xor_sync(kWarp, v[0], 1);
}

__device__ Pixel open_pixel(const Frame& frame, const float* d_rgb, const float* d_alpha, Batch batch, int place) {
  const Workspace& w = frame.w;
  const View& view = frame.view;
  const int px = static_cast<int>(batch.tile) % view.tiles_x * kSide + pixel_of(place).x;
  const int py = static_cast<int>(batch.tile) / view.tiles_x * kSide + pixel_of(place).y;
  Pixel p = {static_cast<float>(py) + 0.5f, -1, 0, 0, 0, 0};
  if (px >= view.width || py >= view.height || batch.index >= w.stops[kTileWarps * batch.tile + place / 32]) return p;
  float4 state = make_float4(0, 0, 0, 1);
  if (batch.index > 0)
    state = w.kept[(static_cast<std::int64_t>(w.states[batch.tile]) + batch.index - 1) * kPixels + place];
  const std::int64_t pixel = static_cast<std::int64_t>(py) * view.width + px;
  p.d_red = d_rgb[3 * pixel];
  p.d_green = d_rgb[3 * pixel + 1];
  p.d_blue = d_rgb[3 * pixel + 2];
  const float4 last = w.finals[static_cast<std::int64_t>(batch.tile) * kPixels + place];
  p.behind = fmaf(p.d_red, last.x - state.x, fmaf(p.d_green, last.y - state.y, p.d_blue * (last.z - state.z)));
  if (d_alpha != nullptr) p.behind = fmaf(-d_alpha[pixel], last.w, p.behind);
  p.transmittance = state.w;
  return p;
}

struct Pull {
  float e, dy, weight;  // e = alpha dL/dalpha
  bool drawn;
};
__device__ inline Pull pull(Pixel& p, float4 a, float4 b, float4 colour, float x, float& dx) {
  const float before = p.transmittance;
  const Step s = step(a, b.x, b.y, x, p.y, p.transmittance);
  const float own = fmaf(p.d_red, colour.x, fmaf(p.d_green, colour.y, p.d_blue * colour.z));
  const float rest = fmaf(-s.weight, own, p.behind);
  float inverse;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(inverse) : "f"(1 - s.alpha));
  const float d_alpha = fmaf(-rest, inverse, before * own);
  dx = s.dx;
  if (s.drawn) p.behind = rest;
  return {s.drawn && s.raw <= kCeiling ? s.alpha * d_alpha : 0.0f, s.dy, s.drawn ? s.weight : 0.0f, s.drawn};
}

struct Shared {
  float4 records[3][kBatch];
  float sums[kWarps][kBatch][kRowFloats];
  std::uint32_t rows[kBatch];
  std::uint32_t drawn[kWarps];  // entries that drew on some pixel of each warp
};

// This warp's sums for all entries; returns which of them drew.
__device__ std::uint32_t sum_batch(Shared& shared, int count, int warp, int lane, float x, Pixel& upper, Pixel& lower,
                                   float left, float top) {
  if (!__any_sync(kWarp, upper.transmittance > 0 || lower.transmittance > 0)) return 0;
  const bool hit = lane < count &&
                   touches({shared.records[0][lane], shared.records[1][lane]}, left, top, kSide / 2 - 1, kSide / 2 - 1);
  std::uint32_t drawn = 0;
  for (unsigned hits = __ballot_sync(kWarp, hit); hits != 0; hits &= hits - 1) {
    const int k = __ffs(hits) - 1;
    const float4 a = shared.records[0][k], b = shared.records[1][k], colour = shared.records[2][k];
    float dx;
    const Pull s = pull(upper, a, b, colour, x, dx), t = pull(lower, a, b, colour, x, dx);
    if (!__any_sync(kWarp, s.drawn || t.drawn)) continue;
    const float sy = s.e * s.dy, ty = t.e * t.dy, e = s.e + t.e, ex = e * dx, ey = sy + ty;
    float v[8] = {e,
                  ex,
                  ey,
                  ex * dx,
                  ey * dx,
                  fmaf(sy, s.dy, ty * t.dy),
                  fmaf(s.weight, upper.d_red, t.weight * lower.d_red),
                  fmaf(s.weight, upper.d_green, t.weight * lower.d_green)};
    float ninth = fmaf(s.weight, upper.d_blue, t.weight * lower.d_blue);
    const float sum = sum_of_eight(v, lane);
#pragma unroll
    for (int distance = 16; distance > 0; distance /= 2) ninth += __shfl_xor_sync(kWarp, ninth, distance);
    if (lane % 4 == 0 || lane == 1) shared.sums[warp][k][lane == 1 ? 8 : lane / 4] = lane == 1 ? ninth : sum;
    drawn |= 1u << k;
  }
  return drawn;
}

__global__ void __launch_bounds__(kThreads)
    composite_backward_kernel(const __grid_constant__ Frame frame, const float* d_rgb, const float* d_alpha) {
  __shared__ Shared shared;
  const Workspace& w = frame.w;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const std::uint32_t batches = w.status->rows <= w.capacity ? w.status->batches : 0;
  for (std::uint32_t item = blockIdx.x; item < batches; item += gridDim.x) {
    const Batch batch = w.batches[item];
    const int tile_x = static_cast<int>(batch.tile) % frame.view.tiles_x;
    const int tile_y = static_cast<int>(batch.tile) / frame.view.tiles_x;
    const std::uint32_t first = batch.index * kBatch;
    const int count = static_cast<int>(min(w.counts[batch.tile] - first, static_cast<std::uint32_t>(kBatch)));
    if (lane < count) {
      const std::uint32_t id = w.ids[w.begins[batch.tile] + first + lane];
      if (warp < 3)
        shared.records[warp][lane] = __ldg(w.records + 3 * static_cast<std::int64_t>(id) + warp);
      else
        shared.rows[lane] = row_of(w, id, tile_x, tile_y);
    }
    const int place = 64 * warp + lane;
    Pixel upper = open_pixel(frame, d_rgb, d_alpha, batch, place);
    Pixel lower = open_pixel(frame, d_rgb, d_alpha, batch, place + 32);
    const Place corner = pixel_of(64 * warp);
    const float left = static_cast<float>(tile_x * kSide + corner.x) + 0.5f;
    const float top = static_cast<float>(tile_y * kSide + corner.y) + 0.5f;
    __syncthreads();
    const std::uint32_t drawn =
        sum_batch(shared, count, warp, lane, left + static_cast<float>(lane % 8), upper, lower, left, top);
    if (lane == 0) shared.drawn[warp] = drawn;
    __syncthreads();
    for (int k = threadIdx.x; k < kBatch * kRowFloats; k += kThreads) {
      const int entry = k / kRowFloats, value = k % kRowFloats;
      float sum = 0;
      bool any = false;
      for (int j = 0; j < kWarps; ++j)
        if ((shared.drawn[j] >> entry & 1) != 0) {
          any = true;
          sum += shared.sums[j][entry][value];
        }
      if (!any) continue;
      const std::uint32_t row = shared.rows[entry];
      if (value < 9) w.sums[static_cast<std::int64_t>(row) * kRowFloats + value] = sum;
      if (value == 9) w.drawn[row] = 1;
    }
    __syncthreads();
  }
}

}  // namespace

void composite_backward(const Frame& frame, const float* d_rgb, const float* d_alpha, cudaStream_t stream) {
  composite_backward_kernel<<<10 * frame.w.multiprocessors, kThreads, 0, stream>>>(frame, d_rgb, d_alpha);
}

}  // namespace mien::splat::cuda
