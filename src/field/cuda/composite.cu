// Volume rendering: a warp a ray, a lane a sample; transmittances by a scan.
#include "field/cuda/kernels.h"

namespace mien::field::cuda {
namespace {

constexpr int kThreads = 128;
constexpr unsigned kAll = 0xffffffffu;
constexpr float kLeast = 1e-4f;  // kLeastTransmittance

__device__ inline float scan(float v, int lane) {  // inclusive
#pragma unroll
  for (int d = 1; d < 32; d *= 2) {
    const float other = __shfl_up_sync(kAll, v, d);
    if (lane >= d) v += other;
  }
  return v;
}

__device__ inline float sum(float v) {
#pragma unroll
  for (int d = 16; d > 0; d /= 2) v += __shfl_xor_sync(kAll, v, d);
  return v;
}

struct Sample {
  bool counts;
  float weight, passes_on;  // w, and the transmittance behind it
};

// The lane's sample; `thickness` moves on by the whole warp's.
__device__ inline Sample weigh(const CompositeJob& q, std::int64_t i, bool there, int lane, float* thickness) {
  const float here = there ? q.density[i] * q.dt[i] : 0.0f;
  const float through = *thickness + scan(here, lane);
  const float passes = expf(-(through - here)), passes_on = expf(-through);
  *thickness = __shfl_sync(kAll, through, 31);
  const bool counts = there && passes >= kLeast;
  return {counts, counts ? passes * -expm1f(-here) : 0.0f, passes_on};
}

__global__ void __launch_bounds__(kThreads) composite_kernel(const __grid_constant__ CompositeJob q) {
  const std::int64_t r = (static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x) / 32;
  const int lane = threadIdx.x % 32;
  if (r >= q.rays) return;
  const std::int64_t first = q.first[r], count = q.count[r];
  float rgb[3] = {}, depth = 0, opacity = 0, thickness = 0;
  for (std::int64_t k = 0; k < count; k += 32) {
    const std::int64_t i = first + k + lane;
    const bool there = k + lane < count;
    if (expf(-thickness) < kLeast) {  // the same for all lanes
      if (q.weights == nullptr) break;
      if (there) q.weights[i] = 0;
      continue;
    }
    const Sample s = weigh(q, i, there, lane, &thickness);
    if (there && q.weights != nullptr) q.weights[i] = s.weight;
    if (!s.counts) continue;
    for (int c = 0; c < 3; ++c) rgb[c] += s.weight * q.colour[3 * i + c];
    depth += s.weight * q.t[i];
    opacity += s.weight;
  }
  for (int c = 0; c < 3; ++c) rgb[c] = sum(rgb[c]);
  depth = sum(depth);
  opacity = sum(opacity);
  if (lane != 0) return;
  for (int c = 0; c < 3; ++c) q.rgb[3 * r + c] = rgb[c];
  q.depth[r] = depth;
  q.opacity[r] = opacity;
}

__global__ void __launch_bounds__(kThreads) composite_back_kernel(const __grid_constant__ CompositeJob q) {
  const std::int64_t r = (static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x) / 32;
  const int lane = threadIdx.x % 32;
  if (r >= q.rays) return;
  const std::int64_t first = q.first[r], count = q.count[r];
  const float d_rgb[3] = {q.d_rgb[3 * r], q.d_rgb[3 * r + 1], q.d_rgb[3 * r + 2]};
  const float d_depth = q.d_depth != nullptr ? q.d_depth[r] : 0.0f;
  const float d_opacity = q.d_opacity != nullptr ? q.d_opacity[r] : 0.0f;
  float behind = d_depth * q.depth[r] + d_opacity * q.opacity[r];
  for (int c = 0; c < 3; ++c) behind += d_rgb[c] * q.rgb[3 * r + c];
  float thickness = 0;
  if (q.d_weights != nullptr) {
    float more = 0;
    for (std::int64_t k = 0; k < count; k += 32) {
      const std::int64_t i = first + k + lane;
      const Sample s = weigh(q, i, k + lane < count, lane, &thickness);
      if (s.counts) more += s.weight * q.d_weights[i];
    }
    behind += sum(more);
    thickness = 0;
  }
  for (std::int64_t k = 0; k < count; k += 32) {
    const std::int64_t i = first + k + lane;
    const bool there = k + lane < count;
    const Sample s = weigh(q, i, there, lane, &thickness);
    float value = 0;
    if (s.counts) {
      value = d_rgb[0] * q.colour[3 * i] + d_rgb[1] * q.colour[3 * i + 1] + d_rgb[2] * q.colour[3 * i + 2] +
              d_depth * q.t[i] + d_opacity;
      if (q.d_weights != nullptr) value += q.d_weights[i];
    }
    const float up_to = scan(s.weight * value, lane);
    if (there) {
      q.d_density[i] = s.counts ? q.dt[i] * (s.passes_on * value - (behind - up_to)) : 0.0f;
      for (int c = 0; c < 3; ++c) q.d_colour[3 * i + c] = s.weight * d_rgb[c];
    }
    behind -= __shfl_sync(kAll, up_to, 31);
  }
}

}  // namespace

void composite(const CompositeJob& job, cudaStream_t stream) {
  if (job.rays > 0) composite_kernel<<<blocks_for(job.rays, kThreads / 32), kThreads, 0, stream>>>(job);
}

void composite_back(const CompositeJob& job, cudaStream_t stream) {
  if (job.rays > 0) composite_back_kernel<<<blocks_for(job.rays, kThreads / 32), kThreads, 0, stream>>>(job);
}

}  // namespace mien::field::cuda
