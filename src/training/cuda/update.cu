// From the gradients by what is drawn to those by what is learnt, and Adam, in one pass over each array.
#include "training/cuda/kernels.h"

namespace mien::training_cuda {
namespace {

constexpr int kThreads = 128;

inline int blocks_for(std::int64_t count) {
  return static_cast<int>((count + kThreads - 1) / kThreads);
}

__device__ inline bool may_learn(const Drawn& drawn, const Losses* losses) {
  return *drawn.pairs <= drawn.capacity && isfinite(losses->total) && losses->spoilt == 0;
}

// One value's step; returns the parameter.
__device__ inline float adam(const Moments& m, std::int64_t i, float gradient, const AdamRate& rate,
                             const AdamBetas& betas, Losses* losses) {
  const float first = betas.beta1 * m.first[i] + (1 - betas.beta1) * gradient;
  const float second = betas.beta2 * m.second[i] + (1 - betas.beta2) * gradient * gradient;
  m.first[i] = first;
  m.second[i] = second;
  const float value = m.parameters[i] - rate.size * first / (sqrtf(second) * rate.second_scale + betas.epsilon);
  if (!isfinite(value)) losses->spoilt = 1;  // all that write, write the same
  return value;
}

__device__ inline float logistic(float x) {
  return 1 / (1 + expf(-x));
}

__global__ void __launch_bounds__(kThreads)
    update_gaussians_kernel(const __grid_constant__ GaussianArrays a, const __grid_constant__ AdamBetas betas,
                            const __grid_constant__ Drawn drawn, Losses* losses) {
  const int i = blockIdx.x * kThreads + threadIdx.x;
  if (i >= a.count || !may_learn(drawn, losses)) return;
  const float* turn = a.deformation + 9 * static_cast<std::int64_t>(i);
  const float* d = a.d_means + 3 * static_cast<std::int64_t>(i);
  const float* home = a.homes + 4 * static_cast<std::int64_t>(i);
  for (int k = 0; k < 3; ++k) {
    const std::int64_t at = 3 * static_cast<std::int64_t>(i) + k;
    float gradient = turn[k] * d[0] + turn[3 + k] * d[1] + turn[6 + k] * d[2];
    if (home[3] != 0) gradient += 2 * a.pull * (a.means.parameters[at] - home[k]);
    a.means.parameters[at] = adam(a.means, at, gradient, a.rate[0], betas, losses);
    const float log_scale = adam(a.log_scales, at, a.d_scales[at] * a.scales[at], a.rate[2], betas, losses);
    const float kept = log_scale < a.smallest ? a.smallest : log_scale > a.largest ? a.largest : log_scale;
    a.log_scales.parameters[at] = kept;
    a.scales[at] = expf(kept);
  }
  for (int k = 0; k < 4; ++k) {
    const std::int64_t at = 4 * static_cast<std::int64_t>(i) + k;
    a.quats.parameters[at] = adam(a.quats, at, a.d_quats[at], a.rate[1], betas, losses);
  }
  const float opacity = a.opacities[i];
  const float logit = adam(a.opacity_logits, i, a.d_opacities[i] * opacity * (1 - opacity), a.rate[3], betas, losses);
  a.opacity_logits.parameters[i] = logit;
  a.opacities[i] = logistic(logit);
}

__global__ void __launch_bounds__(kThreads)
    update_sh_kernel(const __grid_constant__ ShArrays a, const __grid_constant__ AdamBetas betas,
                     const __grid_constant__ Drawn drawn, Losses* losses) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= 48 * static_cast<std::int64_t>(a.count) || !may_learn(drawn, losses)) return;
  const bool base = i % 48 < 3;
  float value = a.sh.parameters[i];
  if (base || a.rest_learns) {
    value = adam(a.sh, i, a.d_sh[i], base ? a.base : a.rest, betas, losses);
    a.sh.parameters[i] = value;
  }
  a.shown[i] = value;
}

__global__ void __launch_bounds__(kThreads) show_modes_kernel(const __grid_constant__ ModeArrays a) {
  const int k = blockIdx.x * kThreads + threadIdx.x;
  if (k >= a.gaussians) return;
  const float* colour = a.colour.parameters + 3 * static_cast<std::int64_t>(k) * a.modes;
  float sum[3] = {};
  for (int m = 0; m < a.modes; ++m)
    for (int c = 0; c < 3; ++c) sum[c] = fmaf(a.activations[m], colour[3 * m + c], sum[c]);
  const std::int64_t at = 48 * static_cast<std::int64_t>(a.gaussian[k]);
  for (int c = 0; c < 3; ++c) a.shown[at + c] = a.sh[at + c] + sum[c];
}

__global__ void __launch_bounds__(kThreads)
    update_modes_kernel(const __grid_constant__ ModeArrays a, const __grid_constant__ AdamBetas betas,
                        const __grid_constant__ Drawn drawn, Losses* losses) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const std::int64_t row = 3 * static_cast<std::int64_t>(a.modes);
  if (i >= row * a.gaussians || !may_learn(drawn, losses)) return;
  const int k = static_cast<int>(i / row), m = static_cast<int>(i % row) / 3, c = static_cast<int>(i % 3);
  // The inside of the mouth shows too rarely to tell the movements apart: it learns the open jaw's light.
  const bool learns = a.inner[k] == 0 || m == a.inner_mode;
  const float gradient = learns ? a.activations[m] * a.d_sh[48 * static_cast<std::int64_t>(a.gaussian[k]) + c] : 0.0f;
  a.colour.parameters[i] = adam(a.colour, i, gradient, a.rate, betas, losses) * a.keep;
}

__global__ void __launch_bounds__(kThreads) check_weights_kernel(const float* weights, int count, Losses* losses) {
  const int i = blockIdx.x * kThreads + threadIdx.x;
  if (i < count && !isfinite(weights[i])) losses->spoilt = 1;
}

__global__ void __launch_bounds__(kThreads)
    update_weights_kernel(const __grid_constant__ Moments weights, const float* gradients, int count,
                          const __grid_constant__ AdamRate rate, const __grid_constant__ AdamBetas betas,
                          const __grid_constant__ Drawn drawn, Losses* losses) {
  const int i = blockIdx.x * kThreads + threadIdx.x;
  if (i >= count || !may_learn(drawn, losses)) return;
  weights.parameters[i] = adam(weights, i, gradients[i], rate, betas, losses);
}

__global__ void __launch_bounds__(kThreads)
    activate_kernel(const __grid_constant__ GaussianArrays a, const __grid_constant__ ShArrays sh) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const std::int64_t n = a.count;
  if (i < 3 * n) a.scales[i] = expf(a.log_scales.parameters[i]);
  if (i < n) a.opacities[i] = logistic(a.opacity_logits.parameters[i]);
  if (i < 48 * n) sh.shown[i] = sh.sh.parameters[i];
}

}  // namespace

void update_gaussians(const GaussianArrays& arrays, const AdamBetas& betas, const Drawn& drawn, Losses* losses,
                      cudaStream_t stream) {
  if (arrays.count == 0) return;
  update_gaussians_kernel<<<blocks_for(arrays.count), kThreads, 0, stream>>>(arrays, betas, drawn, losses);
}

void update_sh(const ShArrays& arrays, const AdamBetas& betas, const Drawn& drawn, Losses* losses,
               cudaStream_t stream) {
  if (arrays.count == 0) return;
  update_sh_kernel<<<blocks_for(48 * static_cast<std::int64_t>(arrays.count)), kThreads, 0, stream>>>(arrays, betas,
                                                                                                      drawn, losses);
}

void show_modes(const ModeArrays& arrays, cudaStream_t stream) {
  if (arrays.gaussians == 0 || arrays.modes == 0) return;
  show_modes_kernel<<<blocks_for(arrays.gaussians), kThreads, 0, stream>>>(arrays);
}

void update_modes(const ModeArrays& arrays, const AdamBetas& betas, const Drawn& drawn, Losses* losses,
                  cudaStream_t stream) {
  if (arrays.gaussians == 0 || arrays.modes == 0) return;
  const std::int64_t values = 3 * static_cast<std::int64_t>(arrays.gaussians) * arrays.modes;
  update_modes_kernel<<<blocks_for(values), kThreads, 0, stream>>>(arrays, betas, drawn, losses);
}

void check_weights(const float* weights, int count, Losses* losses, cudaStream_t stream) {
  if (count == 0) return;
  check_weights_kernel<<<blocks_for(count), kThreads, 0, stream>>>(weights, count, losses);
}

void update_weights(const Moments& weights, const float* gradients, int count, const AdamRate& rate,
                    const AdamBetas& betas, const Drawn& drawn, Losses* losses, cudaStream_t stream) {
  if (count == 0) return;
  update_weights_kernel<<<blocks_for(count), kThreads, 0, stream>>>(weights, gradients, count, rate, betas, drawn,
                                                                    losses);
}

void activate(const GaussianArrays& arrays, const ShArrays& sh, cudaStream_t stream) {
  if (arrays.count == 0) return;
  activate_kernel<<<blocks_for(48 * static_cast<std::int64_t>(arrays.count)), kThreads, 0, stream>>>(arrays, sh);
}

}  // namespace mien::training_cuda
