// The gradient of compositing. A warp a batch of 32 list entries of one tile, two pixels a lane, starting from the
// state that composite() kept. Each entry's nine sums over the tile's pixels go to the row of sums that is its own.
#include "splat/cuda/boxes.cuh"

namespace mien::splat::cuda {
namespace {

constexpr int kWarps = 4;

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

__device__ Pixel open_pixel(const Frame& frame, const float* d_rgb, const float* d_alpha, Batch batch, int px, int py,
                            int place) {
  const Workspace& w = frame.w;
  const View& view = frame.view;
  Pixel p = {static_cast<float>(py) + 0.5f, -1, 0, 0, 0, 0};
  const int half = place / 32;
  if (px >= view.width || py >= view.height || batch.index >= w.stops[2 * batch.tile + half]) return p;
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
  const float d_alpha = fmaf(-rest, __frcp_rn(1 - s.alpha), before * own);
  dx = s.dx;
  if (s.drawn) p.behind = rest;
  return {s.drawn && s.raw <= kCeiling ? s.alpha * d_alpha : 0.0f, s.dy, s.drawn ? s.weight : 0.0f, s.drawn};
}

__global__ void __launch_bounds__(32 * kWarps)
    composite_backward_kernel(const __grid_constant__ Frame frame, const float* d_rgb, const float* d_alpha) {
  __shared__ float4 staged[kWarps][3][32];
  __shared__ std::uint32_t rows[kWarps][32];
  const Workspace& w = frame.w;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  if (w.status->rows > w.capacity) return;
  const std::uint32_t batches = w.status->batches;
  for (std::uint32_t item = blockIdx.x * kWarps + warp; item < batches; item += gridDim.x * kWarps) {
    const Batch batch = w.batches[item];
    const int tile_x = static_cast<int>(batch.tile) % frame.view.tiles_x;
    const int tile_y = static_cast<int>(batch.tile) / frame.view.tiles_x;
    const std::uint32_t first = batch.index * kBatch, n = w.counts[batch.tile] - first;
    const int count = static_cast<int>(min(n, static_cast<std::uint32_t>(kBatch)));
    if (lane < count) {
      const std::uint32_t id = w.ids[w.begins[batch.tile] + first + lane];
      const float4* record = w.records + 3 * static_cast<std::int64_t>(id);
      for (int k = 0; k < 3; ++k) staged[warp][k][lane] = __ldg(record + k);
      rows[warp][lane] = row_of(w, id, tile_x, tile_y);
    }
    const int px = tile_x * kSide + lane % kSide, py = tile_y * kSide + lane / kSide;
    const float x = static_cast<float>(px) + 0.5f;
    Pixel upper = open_pixel(frame, d_rgb, d_alpha, batch, px, py, lane);
    Pixel lower = open_pixel(frame, d_rgb, d_alpha, batch, px, py + 4, lane + 32);
    __syncwarp();
    for (int k = 0; k < count; ++k) {
      const float4 a = staged[warp][0][k], b = staged[warp][1][k], colour = staged[warp][2][k];
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
      const std::uint32_t row = rows[warp][k];
      float* out = w.sums + static_cast<std::int64_t>(row) * kRowFloats;
      if (lane % 4 == 0) out[lane / 4] = sum;
      if (lane == 1) out[8] = ninth;
      if (lane == 2) w.drawn[row] = 1;
    }
    __syncwarp();
  }
}

}  // namespace

void composite_backward(const Frame& frame, const float* d_rgb, const float* d_alpha, int multiprocessors,
                        cudaStream_t stream) {
  composite_backward_kernel<<<8 * multiprocessors, 32 * kWarps, 0, stream>>>(frame, d_rgb, d_alpha);
}

}  // namespace mien::splat::cuda
