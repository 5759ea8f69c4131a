#include "training/cuda/field_kernels.h"

namespace mien::training_cuda {
namespace {

constexpr int kThreads = 256;

inline int blocks_for(std::int64_t count) {
  return static_cast<int>((count + kThreads - 1) / kThreads);
}

__device__ inline std::int64_t index() {
  return static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
}

__global__ void __launch_bounds__(kThreads) pixel_kernel(const __grid_constant__ FieldRayTable rays) {
  const std::int64_t r = index();
  if (r >= rays.count) return;
  const FieldPicture& picture = rays.pictures[r / rays.each];
  rays.pixels[r] = choose_pixel(picture.choice, picture.width, rays.seed, static_cast<std::uint32_t>(r));
}

__global__ void __launch_bounds__(kThreads) compare_kernel(const __grid_constant__ FieldLossJob job, FieldSums* sums) {
  const std::int64_t r = index();
  float mean[3] = {};
  if (r < job.rays.count) {
    const FieldPicture& picture = job.rays.pictures[r / job.rays.each];
    const std::int64_t at = job.rays.pixels[r];
    const auto number = static_cast<std::uint32_t>(r);
    FieldTarget target = {};
    target.matte = static_cast<float>(picture.matte[at]) / 255.0f;
    for (int c = 0; c < 3; ++c) {
      const float stored = static_cast<float>(picture.rgb[3 * at + c]) / 255.0f;
      target.rgb[c] = target.matte == 0 ? 0.0f : fmaxf(0.0f, stored - (1 - target.matte) * picture.background[c]);
      target.background[c] = field_uniform(job.rays.seed, number, 3u + static_cast<std::uint32_t>(c));
    }
    target.depth = job.bare[r] != 0 && target.matte > 0.5f ? job.surface[r] : -1;
    const FieldSeen<float> seen = {
        {job.rgb[3 * r], job.rgb[3 * r + 1], job.rgb[3 * r + 2]}, job.opacity[r], job.depth[r]};
    FieldSeen<float> d_seen;
    float d_exposure[6];
    const float* exposure = job.exposure == nullptr ? nullptr : job.exposure + 6 * picture.sequence;
    const FieldLossParts<float> parts = field_loss(job.weights, target, exposure, seen, d_seen, d_exposure);
    if (job.exposure != nullptr) {
      for (int k = 0; k < 6; ++k) atomicAdd(job.d_exposure + 6 * picture.sequence + k, d_exposure[k]);
    }
    for (int c = 0; c < 3; ++c) job.d_rgb[3 * r + c] = d_seen.rgb[c];
    job.d_depth[r] = d_seen.depth;
    job.d_opacity[r] = d_seen.opacity;
    const auto n = static_cast<float>(job.rays.count);
    mean[0] = parts.colour / n;
    mean[1] = parts.depth / n;
    mean[2] = parts.matte / n;
  }
  __shared__ float of_warp[3][kThreads / 32];
  for (int k = 0; k < 3; ++k) {
    for (int step = 16; step > 0; step /= 2) mean[k] += __shfl_down_sync(~0u, mean[k], step);
    if (threadIdx.x % 32 == 0) of_warp[k][threadIdx.x / 32] = mean[k];
  }
  __syncthreads();
  if (threadIdx.x != 0) return;
  double total[3] = {};
  for (int k = 0; k < 3; ++k)
    for (int w = 0; w < kThreads / 32; ++w) total[k] += of_warp[k][w];
  atomicAdd(&sums->colour, total[0]);
  atomicAdd(&sums->depth, total[1]);
  atomicAdd(&sums->matte, total[2]);
  if (blockIdx.x == 0) {
    atomicAdd(&sums->samples, static_cast<double>(*job.total) / static_cast<double>(job.rays.count));
    sums->steps += 1;
  }
}

__device__ inline void adam(const Moments& m, std::int64_t i, float gradient, const AdamRate& rate,
                            const AdamBetas& betas, FieldSums* sums) {
  const float first = betas.beta1 * m.first[i] + (1 - betas.beta1) * gradient;
  const float second = betas.beta2 * m.second[i] + (1 - betas.beta2) * gradient * gradient;
  m.first[i] = first;
  m.second[i] = second;
  const float value = m.parameters[i] - rate.size * first / (sqrtf(second) * rate.second_scale + betas.epsilon);
  if (!isfinite(value)) sums->spoilt = 1;  // all that write, write the same
  m.parameters[i] = value;
}

__global__ void __launch_bounds__(kThreads)
    update_kernel(const __grid_constant__ Moments array, float* gradients, std::int64_t count,
                  const __grid_constant__ AdamRate rate, const __grid_constant__ AdamBetas betas, FieldSums* sums) {
  const std::int64_t i = index();
  if (i >= count || sums->spoilt != 0) return;
  adam(array, i, gradients[i], rate, betas, sums);
  gradients[i] = 0;
}

__global__ void __launch_bounds__(kThreads)
    update_whole_kernel(const __grid_constant__ Moments array, unsigned long long* gradients, double unit,
                        std::int64_t count, const __grid_constant__ AdamRate rate,
                        const __grid_constant__ AdamBetas betas, FieldSums* sums) {
  const std::int64_t i = index();
  if (i >= count || sums->spoilt != 0) return;
  const auto gradient = static_cast<float>(static_cast<double>(static_cast<long long>(gradients[i])) * unit);
  adam(array, i, gradient, rate, betas, sums);
  gradients[i] = 0;
}

}  // namespace

void choose_pixels(const FieldRayTable& rays, cudaStream_t stream) {
  pixel_kernel<<<blocks_for(rays.count), kThreads, 0, stream>>>(rays);
}

void compare_rays(const FieldLossJob& job, FieldSums* sums, cudaStream_t stream) {
  compare_kernel<<<blocks_for(job.rays.count), kThreads, 0, stream>>>(job, sums);
}

void update_array(const Moments& array, float* gradients, std::int64_t count, const AdamRate& rate,
                  const AdamBetas& betas, FieldSums* sums, cudaStream_t stream) {
  if (count > 0) update_kernel<<<blocks_for(count), kThreads, 0, stream>>>(array, gradients, count, rate, betas, sums);
}

void update_array(const Moments& array, unsigned long long* gradients, double unit, std::int64_t count,
                  const AdamRate& rate, const AdamBetas& betas, FieldSums* sums, cudaStream_t stream) {
  if (count > 0)
    update_whole_kernel<<<blocks_for(count), kThreads, 0, stream>>>(array, gradients, unit, count, rate, betas, sums);
}

}  // namespace mien::training_cuda
