// A network back, layer by layer: a block has 128 samples, a warp 16 of them. It works out the hidden layers anew, and
// keeps them in shared memory, since the weights' gradients are sums over samples, which lie across warps: there a warp
// has a part of the weights instead, and adds up over all that the block ever sees, in registers.
#include "field/cuda/mlp.cuh"

namespace mien::field::cuda {
namespace {

constexpr int kThreads = 256, kWarps = kThreads / 32, kTileSteps = kTile / 16;
static_assert(kTile == 16 * kWarps, "sixteen samples a warp");

template <typename P>
struct alignas(16) Shared {
  Weights<P> w;
  __half x[kTile * P::x_stride];
  __half h[P::hidden][kTile * kStride];
  __half d[2][kTile * kStride];
};

__device__ inline void add_to_group(const NetworkJob& q, int group, int column, float v) {
  atomicAdd(reinterpret_cast<unsigned long long*>(q.group_sums) + static_cast<std::int64_t>(group) * kWidth + column,
            static_cast<unsigned long long>(__float2ll_rn(v * kGroupSteps)));
}

// Sums of the first layer's slopes over the samples of one group, as long as the warp sees only that.
struct GroupSums {
  float sum[8][2] = {};
  int group = -1;

  __device__ void flush(const NetworkJob& q) {
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int n = 0; n < 8; ++n)
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        float v = sum[n][i];
#pragma unroll
        for (int d = 4; d < 32; d *= 2) v += __shfl_xor_sync(0xffffffffu, v, d);
        if (group >= 0 && lane < 4) add_to_group(q, group, 8 * n + 2 * lane + i, v);
        sum[n][i] = 0;
      }
  }

  __device__ void add(const NetworkJob& q, const C (&c)[8], std::int64_t row, std::int64_t n) {
    if (row >= n) return;  // the same for all lanes
    const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
    const auto group_at = [&](std::int64_t r) { return r >= n ? -1 : q.group != nullptr ? q.group[r] : 0; };
    const int of_row = group_at(row), mine[2] = {group_at(row + g), group_at(row + g + 8)};
    const bool alike = (mine[0] < 0 || mine[0] == of_row) && (mine[1] < 0 || mine[1] == of_row);
    const bool all_alike = __all_sync(0xffffffffu, alike);
    const int next = all_alike ? of_row : -1;
    if (next != group) {
      if (group >= 0) flush(q);
      group = next;
    }
    if (all_alike) {
#pragma unroll
      for (int k = 0; k < 8; ++k)
#pragma unroll
        for (int i = 0; i < 2; ++i) sum[k][i] += c[k].v[i] + c[k].v[2 + i];
      return;
    }
    for (int r = 0; r < 2; ++r)
      if (mine[r] >= 0)
#pragma unroll
        for (int k = 0; k < 8; ++k)
#pragma unroll
          for (int i = 0; i < 2; ++i) add_to_group(q, mine[r], 8 * k + 2 * t + i, r == 0 ? c[k].v[i] : c[k].v[2 + i]);
  }
};

// Slopes are 0 where the layer's values are; then rounded, and left in shared memory for the weights' gradients.
__device__ inline void mask(C (&c)[8], const __half* values) {
  const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
#pragma unroll
  for (int k = 0; k < 8; ++k)
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const auto h = *reinterpret_cast<const __half2*>(values + (g + 8 * r) * kStride + 8 * k + 2 * t);
      if (!(__low2float(h) > 0)) c[k].v[2 * r] = 0;
      if (!(__high2float(h) > 0)) c[k].v[2 * r + 1] = 0;
    }
}

template <int N>
__device__ inline void write_weights(const C (&c)[N], float* to, int row, int pitch, int column, float scale) {
  const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
#pragma unroll
  for (int n = 0; n < N; ++n)
#pragma unroll
    for (int i = 0; i < 4; ++i) to[(row + g + i / 2 * 8) * pitch + column + 8 * n + 2 * t + i % 2] = c[n].v[i] * scale;
}

__device__ inline void write_bias(const C& c, float* to, int row, float scale) {
  const int g = threadIdx.x % 32 / 4;
  if (threadIdx.x % 4 != 0) return;
  to[row + g] = c.v[0] * scale;
  to[row + g + 8] = c.v[2] * scale;
}

template <typename P>
__global__ void __launch_bounds__(kThreads) backward_kernel(const __grid_constant__ NetworkJob q) {
  extern __shared__ __align__(16) unsigned char memory[];
  Shared<P>& s = *reinterpret_cast<Shared<P>*>(memory);
  constexpr int H = P::hidden, kLastTiles = P::tiles / 2;     // n-tiles of the last layer's weights a warp
  constexpr int kWide = 2 * P::steps < 8 ? 2 * P::steps : 8;  // n-tiles of d_x at once
  const int warp = threadIdx.x / 32, g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
  const std::int64_t n = items(q.count);
  // The warp's part of the weights: 16 outputs, half of the inputs; of the last layer fewer.
  const int outputs_at = 16 * (warp % 4), half = warp / 4;
  const int last_outputs_at = 16 * (warp % (P::tiles / 2)), last_inputs_at = warp / (P::tiles / 2) * 8 * kLastTiles;
  const bool sums_bias = q.shape.bias && half == 0, sums_last_bias = q.shape.bias && last_inputs_at == 0;
  C d_first[P::steps] = {}, d_hidden[H > 1 ? H - 1 : 1][4] = {}, d_last[kLastTiles] = {};
  C d_bias[H > 1 ? H - 1 : 1] = {}, d_last_bias = {};
  GroupSums groups;
  const float scale = scale_of(q), unscale = 1 / scale;
  load_weights<P>(s.w, q.shape, q.weights);
  for (std::int64_t tile = blockIdx.x; tile * kTile < n; tile += gridDim.x) {
    const int at = 16 * warp;
    const std::int64_t row = tile * kTile + at;
    __syncthreads();
    C c[1][8];
    {
      A x[1][P::steps];
      read_rows(x[0], q.x, q.x_stride, row, n, q.shape.inputs, 1.0f);
      put_rows(x[0], s.x + at * P::x_stride, P::x_stride);
      start_first(c[0], q, row, n);
      multiply_transposed(c, x, s.w.first, P::x_stride);
    }
    A a[1][4];
#pragma unroll
    for (int l = 0; l < H; ++l) {
      round_to<true>(a[0], c[0]);
      put_rows(a[0], s.h[l] + at * kStride, kStride);
      if (l + 1 == H) break;
      start(c[0], s.w.bias[l]);
      multiply_transposed(c, a, s.w.hidden[l], kStride);
    }
    C d[8] = {};
    {
      A d_y[P::tiles / 2];
      read_rows(d_y, q.d_y, q.y_stride, row, n, q.shape.outputs, scale);
      put_rows(d_y, s.d[0] + at * kStride, kStride);
      multiply_straight(d, d_y, s.w.last, kStride);
    }
    __syncthreads();
    multiply_samples<kTileSteps>(d_last, d_last_bias, sums_last_bias, s.d[0] + last_outputs_at, kStride,
                                 s.h[H - 1] + last_inputs_at, kStride);
    mask(d, s.h[H - 1] + at * kStride);
#pragma unroll
    for (int l = H - 2; l >= 0; --l) {
      __half* rows = s.d[(H - 1 - l) % 2];
      round_to<false>(a[0], d);
      put_rows(a[0], rows + at * kStride, kStride);
      __syncthreads();
      multiply_samples<kTileSteps>(d_hidden[l], d_bias[l], sums_bias, rows + outputs_at, kStride, s.h[l] + 32 * half,
                                   kStride);
#pragma unroll
      for (int k = 0; k < 8; ++k) d[k] = {};
      multiply_straight(d, a[0], s.w.hidden[l], kStride);
      mask(d, s.h[l] + at * kStride);
    }
    if (q.group_sums != nullptr) groups.add(q, d, row, n);
    round_to<false>(a[0], d);
    __half* rows = s.d[H % 2];
    put_rows(a[0], rows + at * kStride, kStride);
    __syncthreads();
    C none = {};
    multiply_samples<kTileSteps>(d_first, none, false, rows + outputs_at, kStride, s.x + 8 * P::steps * half,
                                 P::x_stride);
    if (q.d_x == nullptr) continue;
#pragma unroll
    for (int first = 0; first < 2 * P::steps; first += kWide) {
      C d_x[kWide] = {};
      multiply_straight(d_x, a[0], s.w.first + 8 * first, P::x_stride);
#pragma unroll
      for (int r = 0; r < 2; ++r) {
        if (row + g + 8 * r >= n) continue;
        float* to = q.d_x + (row + g + 8 * r) * q.d_x_stride;
#pragma unroll
        for (int k = 0; k < kWide; ++k)
#pragma unroll
          for (int i = 0; i < 2; ++i) {
            const int column = 8 * (first + k) + 2 * t + i;
            if (column < q.shape.inputs) to[column] = d_x[k].v[2 * r + i] * unscale;
          }
      }
    }
  }
  if (q.group_sums != nullptr) groups.flush(q);
  float* to = q.partial + static_cast<std::int64_t>(blockIdx.x) * P::partials;
  write_weights(d_first, to, outputs_at, P::inputs, 8 * P::steps * half, unscale);
  write_weights(d_last, to + P::last_at, last_outputs_at, kWidth, last_inputs_at, unscale);
  if (last_inputs_at == 0) write_bias(d_last_bias, to + P::bias_at + (H - 1) * kWidth, last_outputs_at, unscale);
#pragma unroll
  for (int l = 0; l + 1 < H; ++l) {
    write_weights(d_hidden[l], to + P::hidden_at + l * kWidth * kWidth, outputs_at, kWidth, 32 * half, unscale);
    if (half == 0) write_bias(d_bias[l], to + P::bias_at + l * kWidth, outputs_at, unscale);
  }
}

int backward_blocks(const NetworkShape& shape) {
  return with_plan(shape, [](auto plan) {
    using P = decltype(plan);
    constexpr int bytes = sizeof(Shared<P>);
    int blocks = 0;
    const bool fits =
        cudaFuncSetAttribute(backward_kernel<P>, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes) == cudaSuccess &&
        cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, backward_kernel<P>, kThreads, bytes) == cudaSuccess;
    return fits ? blocks : 0;
  });
}

}  // namespace

int forward_blocks(const NetworkShape& shape);  // mlp.cu

int network_blocks(const NetworkShape& shape, bool back) {
  return back ? backward_blocks(shape) : forward_blocks(shape);
}

void network_backward(const NetworkJob& job, cudaStream_t stream) {
  if (job.blocks == 0) return;
  with_plan(job.shape, [&](auto plan) {
    using P = decltype(plan);
    backward_kernel<P><<<job.blocks, kThreads, sizeof(Shared<P>), stream>>>(job);
  });
}

}  // namespace mien::field::cuda
