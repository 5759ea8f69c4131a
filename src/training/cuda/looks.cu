#include "training/cuda/looks.h"

namespace mien::training_cuda {
namespace {

constexpr int kThreads = 128;
constexpr int kShRow = 48;

inline int blocks_for(std::int64_t count) {
  return static_cast<int>((count + kThreads - 1) / kThreads);
}

__device__ inline std::int64_t thread() {
  return static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
}

__global__ void __launch_bounds__(kThreads) take_kernel(const __grid_constant__ LookArrays a) {
  constexpr int kTaken = kLookLatent + 3;
  const std::int64_t at = thread(), i = at / kTaken;
  const int k = static_cast<int>(at % kTaken);
  if (i >= a.count) return;
  const float value = k < kLookLatent ? a.features[i * a.row + k] : a.sh[i * kShRow + k - kLookLatent];
  a.inputs[i * a.input_row + k] = value;
  if (a.latent != nullptr && k < kLookLatent) a.latent[i * kLookLatent + k] = value;
}

__global__ void __launch_bounds__(kThreads) dress_kernel(const __grid_constant__ LookArrays a) {
  const std::int64_t at = thread(), i = at / kShRow;
  const int k = static_cast<int>(at % kShRow);
  if (i >= a.count) return;
  float value = a.sh[at];
  if (k < kLookOutputs) value += a.colour[i * kLookOutputs + k];
  if (k < 3 && a.row > 0) value += a.features[i * a.row + kLookLatent + k];
  a.dressed_sh[at] = value;
  a.shown[at] = value;
  if (k != 0) return;
  float logit = a.logits[i];
  if (a.density != nullptr) {
    logit += a.density[i];
    if (a.row > 0) logit += a.features[i * a.row + kLookLatent + 3];
  }
  a.dressed_logits[i] = logit;
  a.opacities[i] = 1 / (1 + expf(-logit));
}

__device__ inline float logit_slope(const LookArrays& a, const LookGradients& g, std::int64_t i) {
  return g.d_opacities[i] * a.opacities[i] * (1 - a.opacities[i]);
}

__global__ void __launch_bounds__(kThreads)
    slopes_kernel(const __grid_constant__ LookArrays a, const __grid_constant__ LookGradients g) {
  const std::int64_t at = thread(), i = at / kLookOutputs;
  const int k = static_cast<int>(at % kLookOutputs);
  if (i >= a.count) return;
  g.colour_slope[at] = g.d_sh[i * kShRow + k];
  if (k == 0 && a.density != nullptr) g.density_slope[i] = logit_slope(a, g, i);
}

__device__ inline float latent_slope(const LookArrays& a, const LookGradients& g, std::int64_t i, int k) {
  float value = g.colour_inputs[i * a.input_row + k];
  if (a.density != nullptr) value += g.density_inputs[i * g.density_row + k];
  return value;
}

__global__ void __launch_bounds__(kThreads)
    features_kernel(const __grid_constant__ LookArrays a, const __grid_constant__ LookGradients g) {
  const std::int64_t at = thread(), i = at / a.row;
  const int k = static_cast<int>(at % a.row);
  if (i >= a.count) return;
  float value = 0;
  if (k < kLookLatent)
    value = latent_slope(a, g, i, k);
  else if (k < kLookLatent + 3)
    value = g.d_sh[i * kShRow + k - kLookLatent];
  else if (a.density != nullptr)
    value = logit_slope(a, g, i);
  g.features[at] = value;
}

// A block a part of the Gaussians; then one block over the parts. Always in the same order.
__global__ void __launch_bounds__(kThreads)
    shared_parts_kernel(const __grid_constant__ LookArrays a, const __grid_constant__ LookGradients g) {
  __shared__ float sums[kThreads];
  const int k = threadIdx.x % kLookLatent, lane = threadIdx.x / kLookLatent, lanes = kThreads / kLookLatent;
  const int part = (a.count + kLookParts - 1) / kLookParts, begin = blockIdx.x * part;
  float sum = 0;
  for (int i = begin + lane; i < min(a.count, begin + part); i += lanes) sum += latent_slope(a, g, i, k);
  sums[threadIdx.x] = sum;
  __syncthreads();
  if (lane != 0) return;
  for (int l = 1; l < lanes; ++l) sum += sums[l * kLookLatent + k];
  g.partial[blockIdx.x * kLookLatent + k] = sum;
}
__global__ void __launch_bounds__(kThreads) shared_sum_kernel(const __grid_constant__ LookGradients g) {
  if (threadIdx.x >= kLookLatent) return;
  float sum = 0;
  for (int part = 0; part < kLookParts; ++part) sum += g.partial[part * kLookLatent + threadIdx.x];
  g.features[threadIdx.x] = sum;
}

}  // namespace

void take_features(const LookArrays& arrays, cudaStream_t stream) {
  if (arrays.count == 0) return;
  take_kernel<<<blocks_for(static_cast<std::int64_t>(arrays.count) * (kLookLatent + 3)), kThreads, 0, stream>>>(arrays);
}

void dress(const LookArrays& arrays, cudaStream_t stream) {
  if (arrays.count == 0) return;
  dress_kernel<<<blocks_for(static_cast<std::int64_t>(arrays.count) * kShRow), kThreads, 0, stream>>>(arrays);
}

void look_slopes(const LookArrays& arrays, const LookGradients& gradients, cudaStream_t stream) {
  if (arrays.count == 0) return;
  slopes_kernel<<<blocks_for(static_cast<std::int64_t>(arrays.count) * kLookOutputs), kThreads, 0, stream>>>(arrays,
                                                                                                             gradients);
}

void look_features(const LookArrays& arrays, const LookGradients& gradients, cudaStream_t stream) {
  if (arrays.count == 0) return;
  if (arrays.row > 0) {
    features_kernel<<<blocks_for(static_cast<std::int64_t>(arrays.count) * arrays.row), kThreads, 0, stream>>>(
        arrays, gradients);
    return;
  }
  shared_parts_kernel<<<kLookParts, kThreads, 0, stream>>>(arrays, gradients);
  shared_sum_kernel<<<1, kThreads, 0, stream>>>(gradients);
}

}  // namespace mien::training_cuda
