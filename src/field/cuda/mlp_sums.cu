// A network's gradients from the blocks' sums: a block 32 parameters, eight threads each, in a fixed order.
#include "field/cuda/mlp.cuh"

namespace mien::field::cuda {
namespace {

constexpr int kSlices = 8, kSumThreads = 32 * kSlices;

__device__ inline float group_slope(const NetworkJob& q, int group, int o, float unscale) {
  return static_cast<float>(static_cast<double>(q.group_sums[static_cast<std::int64_t>(group) * kWidth + o]) /
                            kGroupSteps) *
         unscale;
}

template <typename P>
__global__ void __launch_bounds__(kSumThreads) sum_kernel(const __grid_constant__ NetworkJob q, int parameters) {
  __shared__ float shared[kSlices][32];
  const NetworkShape& s = q.shape;
  const int lane = threadIdx.x % 32, slice = threadIdx.x / 32, j = blockIdx.x * 32 + lane;
  const int first_row = s.inputs + s.shared, bias = s.bias ? 1 : 0, layer = kWidth * (kWidth + bias);
  int source = -1, group_output = -1, felt = -1;  // from the partial sums; or from the groups', times a shared input
  int k = j;
  if (k < kWidth * first_row) {
    const int o = k / first_row, i = k % first_row;
    if (i < s.inputs) {
      source = o * P::inputs + i;
    } else {
      group_output = o;
      felt = i - s.inputs;
    }
  } else if ((k -= kWidth * first_row) < kWidth * bias) {
    group_output = k;
  } else if ((k -= kWidth * bias) < (P::hidden - 1) * layer) {
    const int l = k / layer, in_layer = k % layer;
    source = in_layer < kWidth * kWidth ? P::hidden_at + l * kWidth * kWidth + in_layer
                                        : P::bias_at + l * kWidth + in_layer - kWidth * kWidth;
  } else {
    k -= (P::hidden - 1) * layer;
    source = k < s.outputs * kWidth ? P::last_at + k : P::bias_at + (P::hidden - 1) * kWidth + k - s.outputs * kWidth;
  }
  float sum = 0;
  if (j < parameters && source >= 0) {
    for (int b = slice; b < q.blocks; b += kSlices)
      sum += q.partial[static_cast<std::int64_t>(b) * P::partials + source];
  } else if (j < parameters) {
    const float unscale = 1 / scale_of(q);
    for (int group = slice; group < q.groups; group += kSlices)
      sum += group_slope(q, group, group_output, unscale) *
             (felt >= 0 ? q.shared[static_cast<std::int64_t>(group) * s.shared + felt] : 1.0f);
  }
  shared[slice][lane] = sum;
  __syncthreads();
  if (slice != 0 || j >= parameters) return;
  for (int b = 1; b < kSlices; ++b) sum += shared[b][lane];
  q.d_weights[j] += sum;
}

__global__ void shared_kernel(const __grid_constant__ NetworkJob q) {
  const int k = blockIdx.x * blockDim.x + threadIdx.x, group = k / q.shape.shared, i = k % q.shape.shared;
  if (group >= q.groups) return;
  const float unscale = 1 / scale_of(q);
  const int row = q.shape.inputs + q.shape.shared;
  float sum = 0;
  for (int o = 0; o < kWidth; ++o) sum += group_slope(q, group, o, unscale) * q.weights[o * row + q.shape.inputs + i];
  q.d_shared[k] += sum;
}

}  // namespace

int network_partials(const NetworkShape& shape) {
  return with_plan(shape, [](auto plan) { return decltype(plan)::partials; });
}

void sum_network(const NetworkJob& job, cudaStream_t stream) {
  const NetworkShape& s = job.shape;
  const int bias = s.bias ? 1 : 0;
  const int parameters =
      kWidth * (s.inputs + s.shared + bias) + (s.hidden - 1) * kWidth * (kWidth + bias) + s.outputs * (kWidth + bias);
  if (job.d_weights != nullptr)
    with_plan(s, [&](auto plan) {
      sum_kernel<decltype(plan)><<<blocks_for(parameters, 32), kSumThreads, 0, stream>>>(job, parameters);
    });
  if (job.d_shared != nullptr && s.shared > 0 && job.groups > 0)
    shared_kernel<<<blocks_for(static_cast<std::int64_t>(job.groups) * s.shared, 128), 128, 0, stream>>>(job);
}

}  // namespace mien::field::cuda
