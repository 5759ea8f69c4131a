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

__device__ Pixel open_pixel(const Frame& frame, const float* d_rgb, const float* d_alpha, Batch batch, int place) {
  const Workspace& w = frame.w;
  const View& view = frame.view;
  const int px = static_cast<int>(batch.tile) % view.tiles_x * kSide + pixel_of(place).x;
  const int py = static_cast<int>(batch.tile) / view.tiles_x * kSide + pixel_of(place).y;
  Pixel p = {static_cast<float>(py) + 0.5f, -1, 0, 0, 0, 0};
  if (px >= view.width || py >= view.height || batch.index >= w.stops[kTileWarps * batch.tile + place / 32]) return p;
  float4 state = make_float4(0, 0, 0, 1);
  if (batch.index > 0)
    state = w.kept[(static_cast<std::int64_t>(w.tiles[batch.tile].states) + batch.index - 1) * kPixels + place];
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
  float e, weight;  // e = alpha dL/dalpha
  bool drawn;
};
__device__ inline Pull pull(Pixel& p, float4 a, float4 b, float4 colour, float x) {
  const float before = p.transmittance;
  const Step s = step(a, b.x, b.y, x, p.y, p.transmittance);
  const float own = fmaf(p.d_red, colour.x, fmaf(p.d_green, colour.y, p.d_blue * colour.z));
  const float rest = fmaf(-s.weight, own, p.behind);
  float inverse;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(inverse) : "f"(1 - s.alpha));
  const float d_alpha = fmaf(-rest, inverse, before * own);
  if (s.drawn) p.behind = rest;
  return {s.drawn && s.raw <= kCeiling ? s.alpha * d_alpha : 0.0f, s.drawn ? s.weight : 0.0f, s.drawn};
}

constexpr int kPending = 8;     // entries whose pulls wait to be summed, four lanes an entry
constexpr int kSlots = 32 + 4;  // a lane each, and a gap after every eight against bank conflicts
__device__ inline int slot_of(int lane) {
  return lane + lane / 8;
}

struct Shared {
  float4 records[3][kBatch];
  float4 pulls[kWarps][kPending][kSlots];  // of each lane's upper and lower pixel: e, e, weight, weight
  float4 pixels[kWarps][2][kSlots];        // their incoming gradients: upper, lower red; lower green, blue
  float sums[kWarps][kBatch][kRowFloats];
  std::uint32_t rows[kBatch];
  std::uint32_t drawn[kWarps];  // entries that drew on some pixel of each warp
};

// Sums over the warp's 8x8 pixels for the entries that wait: `own` is the entry of this lane's four, if `valid`. Four
// lanes share an entry, each has a row of the upper half and one of the lower. The moments of the pixels are taken
// about the centre of the 8x8, then moved to the Gaussian's.
__device__ inline void sum_pending(Shared& shared, int warp, int lane, int own, bool valid, float centre_x,
                                   float centre_y) {
  const int quarter = lane % 4;
  const float4* pulls = shared.pulls[warp][lane / 4] + 9 * quarter;
  const float4 *upper = shared.pixels[warp][0] + 9 * quarter, *lower = shared.pixels[warp][1] + 9 * quarter;
  float e_up = 0, e_low = 0, x_up = 0, x_low = 0, xx = 0, red = 0, green = 0, blue = 0;
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    const float4 p = pulls[i], u = upper[i];
    const float2 l = *reinterpret_cast<const float2*>(lower + i);
    const float x = static_cast<float>(i) - 3.5f;
    e_up += p.x;
    e_low += p.y;
    x_up = fmaf(p.x, x, x_up);
    x_low = fmaf(p.y, x, x_low);
    xx = fmaf(p.x + p.y, x * x, xx);
    red = fmaf(p.z, u.x, fmaf(p.w, u.w, red));
    green = fmaf(p.z, u.y, fmaf(p.w, l.x, green));
    blue = fmaf(p.z, u.z, fmaf(p.w, l.y, blue));
  }
  const float y_up = static_cast<float>(quarter) - 3.5f, y_low = y_up + 4;
  float v[9] = {e_up + e_low,
                x_up + x_low,
                fmaf(e_up, y_up, e_low * y_low),
                xx,
                fmaf(x_up, y_up, x_low * y_low),
                fmaf(e_up, y_up * y_up, e_low * (y_low * y_low)),
                red,
                green,
                blue};
#pragma unroll
  for (int k = 0; k < 9; ++k) {
    v[k] += __shfl_xor_sync(kWarp, v[k], 1);
    v[k] += __shfl_xor_sync(kWarp, v[k], 2);
  }
  if (!valid || quarter == 3) return;
  const float4 a = shared.records[0][own];
  const float dx = a.x - centre_x, dy = a.y - centre_y;
  const float ex = fmaf(dx, v[0], -v[1]), ey = fmaf(dy, v[0], -v[2]);  // sums of e (u - x), e (v - y)
  float4 out = make_float4(v[8], 0, 0, 0);
  if (quarter == 0) out = make_float4(v[0], ex, ey, fmaf(dx, ex - v[1], v[3]));
  if (quarter == 1) out = make_float4(fmaf(dx, ey, fmaf(-dy, v[1], v[4])), fmaf(dy, ey - v[2], v[5]), v[6], v[7]);
  *reinterpret_cast<float4*>(&shared.sums[warp][own][4 * quarter]) = out;
}

// This warp's sums for all entries; returns which of them drew.
__device__ std::uint32_t sum_batch(Shared& shared, int count, int warp, int lane, Pixel& upper, Pixel& lower,
                                   float left, float top) {
  if (!__any_sync(kWarp, upper.transmittance > 0 || lower.transmittance > 0)) return 0;
  const bool hit = lane < count &&
                   touches({shared.records[0][lane], shared.records[1][lane]}, left, top, kSide / 2 - 1, kSide / 2 - 1);
  const float x = left + static_cast<float>(lane % 8);
  shared.pixels[warp][0][slot_of(lane)] = make_float4(upper.d_red, upper.d_green, upper.d_blue, lower.d_red);
  shared.pixels[warp][1][slot_of(lane)] = make_float4(lower.d_green, lower.d_blue, 0, 0);
  std::uint32_t drawn = 0;
  int pending = 0, own = 0;
  unsigned hits = __ballot_sync(kWarp, hit);
  while (true) {
    if (pending == kPending || (hits == 0 && pending > 0)) {
      __syncwarp();
      sum_pending(shared, warp, lane, own, lane / 4 < pending, left + 3.5f, top + 3.5f);
      __syncwarp();
      pending = 0;
    }
    if (hits == 0) return drawn;
    const int k = __ffs(hits) - 1;
    hits &= hits - 1;
    const float4 a = shared.records[0][k], b = shared.records[1][k], colour = shared.records[2][k];
    const Pull s = pull(upper, a, b, colour, x), t = pull(lower, a, b, colour, x);
    if (!__any_sync(kWarp, s.drawn || t.drawn)) {
      if (!__any_sync(kWarp, upper.transmittance > 0 || lower.transmittance > 0)) hits = 0;  // all pixels are full
      continue;
    }
    shared.pulls[warp][pending][slot_of(lane)] = make_float4(s.e, t.e, s.weight, t.weight);
    if (lane / 4 == pending) own = k;
    drawn |= 1u << k;
    ++pending;
  }
}

__global__ void __launch_bounds__(kThreads, 7)
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
    const int count = static_cast<int>(min(w.tiles[batch.tile].count - first, static_cast<std::uint32_t>(kBatch)));
    if (lane < count) {
      const std::uint32_t id = w.ids[w.tiles[batch.tile].begin + first + lane];
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
    const std::uint32_t drawn = sum_batch(shared, count, warp, lane, upper, lower, left, top);
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
  composite_backward_kernel<<<7 * frame.w.multiprocessors, kThreads, 0, stream>>>(frame, d_rgb, d_alpha);
}

}  // namespace mien::splat::cuda
