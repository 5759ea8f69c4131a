// L1, SSIM (11x11 Gaussian window, zeros beyond the picture) and matte: value and gradient. A block a tile of 16x16
// pixels; both blurs of SSIM are separable and run in shared memory, first those of the pictures, then, when every
// pixel's slopes are known, those of the slopes.
#include "training/cuda/kernels.h"

namespace mien::training_cuda {
namespace {

constexpr int kSide = 16, kThreads = kSide * kSide;
constexpr int kTaps = 11, kRadius = kTaps / 2;
constexpr int kWide = kSide + 2 * kRadius;  // a tile with its surroundings
constexpr int kSums = 3;                    // L1, SSIM, matte

// exp(-k^2 / (2 1.5^2)), k = -5..5, normalised.
__constant__ float kWindow[kTaps] = {0.00102838f, 0.00759876f, 0.03600077f, 0.10936069f, 0.21300553f, 0.26601172f,
                                     0.21300553f, 0.10936069f, 0.03600077f, 0.00759876f, 0.00102838f};

__device__ inline float matte_at(const PhotometricJob& job, int pixel) {
  return static_cast<float>(job.matte[pixel]) / 255.0f;
}

// The captured colour over the background of this step.
__device__ inline float target_at(const PhotometricJob& job, int pixel, int c) {
  const float alpha = matte_at(job, pixel);
  const float stored = static_cast<float>(job.stored[3 * pixel + c]) / 255.0f;
  const float own = alpha == 0 ? 0.0f : fmaxf(0.0f, stored - (1 - alpha) * job.stored_background[c]);
  return own + (1 - alpha) * job.background[c];
}

__device__ inline float weight_at(const PhotometricJob& job, int x, int y) {
  float weight = 1;
  for (int r = 0; r < job.rectangles; ++r) {
    const Rectangle& box = job.rectangle[r];
    if (x >= box.x0 && x < box.x1 && y >= box.y0 && y < box.y1) weight = box.weight;
  }
  return weight;
}

// Sum over the block's threads, in a fixed order; the result is thread 0's.
__device__ inline float block_sum(float value, float* scratch) {
  for (int step = 16; step > 0; step /= 2) value += __shfl_down_sync(0xffffffffu, value, step);
  __syncthreads();
  if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32] = value;
  __syncthreads();
  float sum = 0;
  if (threadIdx.x == 0)
    for (int k = 0; k < kThreads / 32; ++k) sum += scratch[k];
  return sum;
}

__global__ void __launch_bounds__(kThreads) compare_kernel(const __grid_constant__ PhotometricJob job) {
  __shared__ float x[kWide][kWide], y[kWide][kWide];
  __shared__ float across[5][kWide][kSide];
  __shared__ float scratch[kThreads / 32];
  const int left = blockIdx.x * kSide, top = blockIdx.y * kSide;
  const int tx = threadIdx.x % kSide, ty = threadIdx.x / kSide;
  const int px = left + tx, py = top + ty, pixel = py * job.width + px, pixels = job.width * job.height;
  const bool inside = px < job.width && py < job.height;
  float ssim = 0, l1 = 0, matte = 0;
  if (inside) {
    const float d = job.alpha[pixel] - matte_at(job, pixel), scale = job.matte_weight / static_cast<float>(pixels);
    matte = fabsf(d);
    job.d_alpha[pixel] = d > 0 ? scale : d < 0 ? -scale : 0.0f;
  }
  for (int c = 0; c < 3; ++c) {
    __syncthreads();
    for (int k = threadIdx.x; k < kWide * kWide; k += kThreads) {
      const int u = left + k % kWide - kRadius, v = top + k / kWide - kRadius;
      const bool there = u >= 0 && v >= 0 && u < job.width && v < job.height;
      const int at = v * job.width + u;
      x[k / kWide][k % kWide] = there ? job.rgb[3 * at + c] : 0.0f;
      y[k / kWide][k % kWide] = there ? target_at(job, at, c) : 0.0f;
    }
    __syncthreads();
    for (int k = threadIdx.x; k < kWide * kSide; k += kThreads) {
      const int row = k / kSide, column = k % kSide;
      float sums[5] = {};
#pragma unroll
      for (int t = 0; t < kTaps; ++t) {
        const float a = x[row][column + t], b = y[row][column + t], wa = kWindow[t] * a, wb = kWindow[t] * b;
        sums[0] += wa;
        sums[1] += wb;
        sums[2] = fmaf(wa, a, sums[2]);
        sums[3] = fmaf(wb, b, sums[3]);
        sums[4] = fmaf(wa, b, sums[4]);
      }
      for (int q = 0; q < 5; ++q) across[q][row][column] = sums[q];
    }
    __syncthreads();
    float m[5] = {};
#pragma unroll
    for (int t = 0; t < kTaps; ++t)
      for (int q = 0; q < 5; ++q) m[q] = fmaf(kWindow[t], across[q][ty + t][tx], m[q]);
    if (!inside) continue;
    constexpr float c1 = 1e-4f, c2 = 9e-4f;
    const float mx = m[0], my = m[1];
    const float a1 = 2 * mx * my + c1, a2 = 2 * (m[4] - mx * my) + c2;
    const float b1 = mx * mx + my * my + c1, b2 = m[2] - mx * mx + m[3] - my * my + c2;
    const float inverse = 1 / (b1 * b2), value = a1 * a2 * inverse;
    const float d_a1 = a2 * inverse, d_a2 = a1 * inverse, d_b1 = -value * b2 * inverse, d_b2 = -value * b1 * inverse;
    ssim += value;
    float* slopes = job.slopes + static_cast<std::int64_t>(3 * c) * pixels + pixel;
    slopes[0] = 2 * (my * (d_a1 - d_a2) + mx * (d_b1 - d_b2));
    slopes[pixels] = d_b2;
    slopes[2 * pixels] = 2 * d_a2;
    l1 += fabsf(x[ty + kRadius][tx + kRadius] - y[ty + kRadius][tx + kRadius]);
  }
  if (inside) l1 *= weight_at(job, px, py);
  const float sums[kSums] = {block_sum(l1, scratch), block_sum(ssim, scratch), block_sum(matte, scratch)};
  if (threadIdx.x == 0)
    for (int k = 0; k < kSums; ++k) job.partial[kSums * (blockIdx.y * gridDim.x + blockIdx.x) + k] = sums[k];
}

__global__ void __launch_bounds__(kThreads) gradient_kernel(const __grid_constant__ PhotometricJob job) {
  __shared__ float slope[3][kWide][kWide];
  __shared__ float across[3][kWide][kSide];
  const int left = blockIdx.x * kSide, top = blockIdx.y * kSide;
  const int tx = threadIdx.x % kSide, ty = threadIdx.x / kSide;
  const int px = left + tx, py = top + ty, pixel = py * job.width + px, pixels = job.width * job.height;
  const bool inside = px < job.width && py < job.height;
  const float values = 3.0f * static_cast<float>(pixels);
  const float l1_scale = job.l1 / values * (inside ? weight_at(job, px, py) : 0), ssim_scale = -job.ssim / values;
  for (int c = 0; c < 3; ++c) {
    __syncthreads();
    for (int k = threadIdx.x; k < kWide * kWide; k += kThreads) {
      const int u = left + k % kWide - kRadius, v = top + k / kWide - kRadius;
      const bool there = u >= 0 && v >= 0 && u < job.width && v < job.height;
      for (int q = 0; q < 3; ++q)
        slope[q][k / kWide][k % kWide] =
            there ? job.slopes[static_cast<std::int64_t>(3 * c + q) * pixels + v * job.width + u] : 0.0f;
    }
    __syncthreads();
    for (int k = threadIdx.x; k < kWide * kSide; k += kThreads) {
      const int row = k / kSide, column = k % kSide;
      float sums[3] = {};
#pragma unroll
      for (int t = 0; t < kTaps; ++t)
        for (int q = 0; q < 3; ++q) sums[q] = fmaf(kWindow[t], slope[q][row][column + t], sums[q]);
      for (int q = 0; q < 3; ++q) across[q][row][column] = sums[q];
    }
    __syncthreads();
    float b[3] = {};
#pragma unroll
    for (int t = 0; t < kTaps; ++t)
      for (int q = 0; q < 3; ++q) b[q] = fmaf(kWindow[t], across[q][ty + t][tx], b[q]);
    if (!inside) continue;
    const float x = job.rgb[3 * pixel + c], y = target_at(job, pixel, c), d = x - y;
    const float l1 = d > 0 ? l1_scale : d < 0 ? -l1_scale : 0.0f;
    job.d_rgb[3 * pixel + c] = l1 + ssim_scale * (b[0] + 2 * x * b[1] + y * b[2]);
  }
}

__global__ void __launch_bounds__(kThreads) sum_kernel(const __grid_constant__ PhotometricJob job, int blocks,
                                                       const __grid_constant__ Drawn drawn, Losses* losses) {
  __shared__ double shared[kSums][kThreads];
  double sums[kSums] = {};
  for (int b = threadIdx.x; b < blocks; b += kThreads)
    for (int k = 0; k < kSums; ++k) sums[k] += job.partial[kSums * b + k];
  for (int k = 0; k < kSums; ++k) shared[k][threadIdx.x] = sums[k];
  __syncthreads();
  if (threadIdx.x >= kSums) return;
  double sum = 0;
  for (int t = 0; t < kThreads; ++t) sum += shared[threadIdx.x][t];
  const double pixels = static_cast<double>(job.width) * job.height;
  const double mean = sum / (threadIdx.x == 2 ? pixels : 3 * pixels);
  const unsigned all = (1u << kSums) - 1;
  const double l1 = __shfl_sync(all, mean, 0), ssim = __shfl_sync(all, mean, 1), matte = __shfl_sync(all, mean, 2);
  if (threadIdx.x != 0) return;
  if (*drawn.pairs > drawn.capacity) {
    ++losses->overflowed;
    losses->most_pairs = max(losses->most_pairs, *drawn.pairs);
    return;
  }
  ++losses->steps;
  losses->l1 += l1;
  losses->ssim += ssim;
  losses->matte += matte;
  losses->total += job.l1 * l1 + job.ssim * (1 - ssim) + job.matte_weight * matte;
}

}  // namespace

int photometric_blocks(int width, int height) {
  return ((width + kSide - 1) / kSide) * ((height + kSide - 1) / kSide);
}

void photometric(const PhotometricJob& job, const Drawn& drawn, Losses* losses, cudaStream_t stream) {
  const dim3 blocks((job.width + kSide - 1) / kSide, (job.height + kSide - 1) / kSide);
  compare_kernel<<<blocks, kThreads, 0, stream>>>(job);
  gradient_kernel<<<blocks, kThreads, 0, stream>>>(job);
  sum_kernel<<<1, kThreads, 0, stream>>>(job, static_cast<int>(blocks.x * blocks.y), drawn, losses);
}

}  // namespace mien::training_cuda
