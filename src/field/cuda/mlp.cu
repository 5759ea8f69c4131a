// A network forward: a warp has 32 samples, whose activations stay in its registers from the first layer to the last.
#include "field/cuda/mlp.cuh"

namespace mien::field::cuda {
namespace {

constexpr int kThreads = 128, kWarps = kThreads / 32, kRowsOfWarp = 32;

template <typename P>
__global__ void __launch_bounds__(kThreads) forward_kernel(const __grid_constant__ NetworkJob q) {
  extern __shared__ __align__(16) unsigned char memory[];
  Weights<P>& w = *reinterpret_cast<Weights<P>*>(memory);
  const std::int64_t n = items(q.count);
  const std::int64_t begin = (static_cast<std::int64_t>(blockIdx.x) * kWarps + threadIdx.x / 32) * kRowsOfWarp;
  if (static_cast<std::int64_t>(blockIdx.x) * kWarps * kRowsOfWarp >= n) return;
  load_weights<P>(w, q.shape, q.weights);
  __syncthreads();
  const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
  for (std::int64_t row = begin; row < n; row += static_cast<std::int64_t>(gridDim.x) * kWarps * kRowsOfWarp) {
    C c[2][8];
    {
      A x[2][P::steps];
#pragma unroll
      for (int m = 0; m < 2; ++m) {
        read_rows(x[m], q.x, q.x_stride, row + 16 * m, n, q.shape.inputs, 1.0f);
        start_first(c[m], q, row + 16 * m, n);
      }
      multiply_transposed(c, x, w.first, P::x_stride);
    }
    A a[2][4];
#pragma unroll
    for (int l = 0; l + 1 < P::hidden; ++l) {
#pragma unroll
      for (int m = 0; m < 2; ++m) {
        round_to<true>(a[m], c[m]);
        start(c[m], w.bias[l]);
      }
      multiply_transposed(c, a, w.hidden[l], kStride);
    }
    C y[2][P::tiles];
#pragma unroll
    for (int m = 0; m < 2; ++m) {
      round_to<true>(a[m], c[m]);
      start(y[m], w.last_bias);
    }
    multiply_transposed(y, a, w.last, kStride);
#pragma unroll
    for (int m = 0; m < 2; ++m)
#pragma unroll
      for (int r = 0; r < 2; ++r) {
        const std::int64_t at = row + 16 * m + g + 8 * r;
        if (at >= n) continue;
#pragma unroll
        for (int o = 0; o < P::tiles; ++o)
#pragma unroll
          for (int i = 0; i < 2; ++i) {
            const int column = 8 * o + 2 * t + i;
            if (column < q.shape.outputs) q.y[at * q.y_stride + column] = y[m][o].v[2 * r + i];
          }
      }
  }
}

// group_bias = bias + W shared, in float. A thread a value.
__global__ void group_bias_kernel(const __grid_constant__ NetworkJob q) {
  const int k = blockIdx.x * blockDim.x + threadIdx.x, group = k / kWidth, o = k % kWidth;
  if (group >= q.groups) return;
  const NetworkShape& s = q.shape;
  const int row = s.inputs + s.shared;
  const float* weights = q.weights + o * row + s.inputs;
  const float* shared = q.shared + static_cast<std::int64_t>(group) * s.shared;
  float sum = s.bias ? q.weights[kWidth * row + o] : 0.0f;
  for (int i = 0; i < s.shared; ++i) sum = fmaf(weights[i], shared[i], sum);
  q.group_bias[k] = sum;
}

}  // namespace

void group_biases(const NetworkJob& job, cudaStream_t stream) {
  if (job.group_bias != nullptr && job.groups > 0)
    group_bias_kernel<<<blocks_for(static_cast<std::int64_t>(job.groups) * kWidth, 128), 128, 0, stream>>>(job);
}

int forward_blocks(const NetworkShape& shape) {
  return with_plan(shape, [](auto plan) {
    using P = decltype(plan);
    constexpr int bytes = sizeof(Weights<P>);
    int blocks = 0;
    const bool fits =
        cudaFuncSetAttribute(forward_kernel<P>, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes) == cudaSuccess &&
        cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, forward_kernel<P>, kThreads, bytes) == cudaSuccess;
    return fits ? blocks : 0;
  });
}

void network_forward(const NetworkJob& job, cudaStream_t stream) {
  if (job.count.bound == 0) return;
  const int wanted = blocks_for(job.count.bound, kWarps * kRowsOfWarp),
            blocks = wanted < job.blocks ? wanted : job.blocks;
  with_plan(job.shape, [&](auto plan) {
    using P = decltype(plan);
    forward_kernel<P><<<blocks, kThreads, sizeof(Weights<P>), stream>>>(job);
  });
}

}  // namespace mien::field::cuda
