// A small network in a block's shared memory: what its kernels forward and back have in common.
#pragma once

#include "field/cuda/kernels.h"
#include "field/cuda/mma.cuh"

namespace mien::field::cuda {

constexpr int kStride = kWidth + 8;  // of rows of 64 halves: eight rows lie in different banks

// A network of 16 K inputs, H hidden layers and 8 O outputs, the inputs and outputs that there are and padding.
template <int K, int H, int O>
struct Plan {
  static constexpr int inputs = 16 * K, outputs = 8 * O, hidden = H;
  static constexpr int steps = K, tiles = O;
  static constexpr int x_stride = inputs + 8;
  // One block's gradients: weights [64, inputs], [H - 1][64, 64], [outputs, 64]; biases [H - 1][64], [outputs].
  static constexpr int hidden_at = kWidth * inputs, last_at = hidden_at + (H - 1) * kWidth * kWidth,
                       bias_at = last_at + outputs * kWidth, partials = bias_at + (H - 1) * kWidth + outputs;
};

template <typename P>
struct alignas(16) Weights {
  __half first[kWidth * P::x_stride];
  __half hidden[P::hidden > 1 ? P::hidden - 1 : 1][kWidth * kStride];
  __half last[P::outputs * kStride];
  float bias[P::hidden > 1 ? P::hidden - 1 : 1][kWidth];
  float last_bias[P::outputs];
};

// By all threads of the block.
template <typename P>
__device__ inline void load_weights(Weights<P>& to, const NetworkShape& s, const float* w) {
  const auto fill = [&](__half* matrix, int stride, int rows, int columns, int pitch, int real_rows, int real_columns) {
    for (int k = threadIdx.x; k < rows * columns; k += blockDim.x) {
      const int r = k / columns, c = k % columns;
      const bool there = r < real_rows && c < real_columns;
      matrix[r * stride + c] = __float2half_rn(there ? w[r * pitch + c] : 0.0f);
    }
    w += real_rows * pitch;
  };
  const auto fill_bias = [&](float* bias, int count, int real) {
    for (int k = threadIdx.x; k < count; k += blockDim.x) bias[k] = s.bias && k < real ? w[k] : 0.0f;
    if (s.bias) w += real;
  };
  fill(to.first, P::x_stride, kWidth, P::inputs, s.inputs + s.shared, kWidth, s.inputs);
  if (s.bias) w += kWidth;  // in group_bias
#pragma unroll
  for (int l = 0; l + 1 < P::hidden; ++l) {
    fill(to.hidden[l], kStride, kWidth, kWidth, kWidth, kWidth, kWidth);
    fill_bias(to.bias[l], kWidth, kWidth);
  }
  fill(to.last, kStride, P::outputs, kWidth, kWidth, s.outputs, kWidth);
  fill_bias(to.last_bias, P::outputs, s.outputs);
}

// Sixteen rows of [n, columns] from `row` on, rounded, with zeros beside and below.
template <int K>
__device__ inline void read_rows(A (&a)[K], const float* x, std::int64_t stride, std::int64_t row, std::int64_t n,
                                 int columns, float scale) {
  const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    const bool there = row + g + 8 * r < n;
    const float* from = x + (row + g + 8 * r) * stride;
#pragma unroll
    for (int k = 0; k < K; ++k)
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const int c = 16 * k + 8 * i + 2 * t;
        const float low = there && c < columns ? from[c] : 0.0f, high = there && c + 1 < columns ? from[c + 1] : 0.0f;
        a[k].v[r + 2 * i] = pack(low * scale, high * scale);
      }
  }
}

// Into shared memory, as rows of halves.
template <int K>
__device__ inline void put_rows(const A (&a)[K], __half* rows, int stride) {
  const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
#pragma unroll
  for (int r = 0; r < 2; ++r)
#pragma unroll
    for (int k = 0; k < K; ++k)
#pragma unroll
      for (int i = 0; i < 2; ++i)
        *reinterpret_cast<std::uint32_t*>(rows + (g + 8 * r) * stride + 16 * k + 8 * i + 2 * t) = a[k].v[r + 2 * i];
}

__device__ inline float relu(float v) {
  return v < 0 ? 0.0f : v;  // what is not a number stays so
}

template <bool activate, int N>
__device__ inline void round_to(A (&a)[N / 2], const C (&c)[N]) {
#pragma unroll
  for (int k = 0; k < N / 2; ++k)
#pragma unroll
    for (int i = 0; i < 2; ++i)
#pragma unroll
      for (int r = 0; r < 2; ++r) {
        const float low = c[2 * k + i].v[2 * r], high = c[2 * k + i].v[2 * r + 1];
        a[k].v[r + 2 * i] = activate ? pack(relu(low), relu(high)) : pack(low, high);
      }
}

// A bias, the same for all rows.
template <int N>
__device__ inline void start(C (&c)[N], const float* bias) {
  const int t = threadIdx.x % 4;
#pragma unroll
  for (int n = 0; n < N; ++n)
#pragma unroll
    for (int i = 0; i < 4; ++i) c[n].v[i] = bias[8 * n + 2 * t + i % 2];
}

// The first layer's: that of each row's group.
__device__ inline void start_first(C (&c)[8], const NetworkJob& q, std::int64_t row, std::int64_t n) {
  const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    const std::int64_t at = row + g + 8 * r;
    const bool there = q.group_bias != nullptr && at < n;
    const int group = there && q.group != nullptr ? q.group[at] : 0;
    const float* bias = q.group_bias + static_cast<std::int64_t>(group) * kWidth;
#pragma unroll
    for (int k = 0; k < 8; ++k) {
      const float2 b = there ? *reinterpret_cast<const float2*>(bias + 8 * k + 2 * t) : make_float2(0, 0);
      c[k].v[2 * r] = b.x;
      c[k].v[2 * r + 1] = b.y;
    }
  }
}

// On the way back, gradients are multiplied by this before they become half precision.
__device__ inline float scale_of(const NetworkJob& q) {
  if (q.loss_scale > 0) return q.loss_scale;
  const std::uint32_t bits = *q.largest;
  if (bits == 0 || bits >= 0x7f800000u) return 1;
  const int exponent = 7 - (static_cast<int>(bits >> 23) - 127);  // 128 to 256, of the 65504 that half holds
  return ldexpf(1.0f, min(126, exponent));
}

constexpr float kGroupSteps = 16777216.0f;  // of a whole number in group_sums, to one of a gradient as scaled

template <int N>
struct Number {
  static constexpr int value = N;
};

// Calls run(Plan) for the smallest plan that the network fits.
template <typename Run>
auto with_plan(const NetworkShape& s, const Run& run) {
  const auto outputs = [&](auto k, auto h) {
    if (s.outputs <= 16) return run(Plan<decltype(k)::value, decltype(h)::value, 2>());
    return run(Plan<decltype(k)::value, decltype(h)::value, 4>());
  };
  const auto hidden = [&](auto k) {
    if (s.hidden == 1) return outputs(k, Number<1>());
    if (s.hidden == 2) return outputs(k, Number<2>());
    return outputs(k, Number<3>());
  };
  if (s.inputs <= 32) return hidden(Number<2>());
  if (s.inputs <= 64) return hidden(Number<4>());
  return hidden(Number<8>());
}

}  // namespace mien::field::cuda
