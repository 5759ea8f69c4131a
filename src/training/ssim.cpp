#include "training/ssim.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

// Row kernels are compiled for three generations of processors and chosen when the program starts; sanitizers cannot
// see through that choice.
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define MIEN_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define MIEN_CLONES
#endif

namespace mien {
namespace {

constexpr int kTaps = 11;
constexpr int kRadius = kTaps / 2;
constexpr int kPad = 3 * kRadius;  // floats: three interleaved channels
constexpr int kMoments = 5;
constexpr int kSlopes = 3;

// exp(-k^2 / (2 1.5^2)), k = -5..5, normalised.
constexpr float kWindow[kTaps] = {0.00102838f, 0.00759876f, 0.03600077f, 0.10936069f, 0.21300553f, 0.26601172f,
                                  0.21300553f, 0.10936069f, 0.03600077f, 0.00759876f, 0.00102838f};

// Blurs two rows of values and their three products downwards.
MIEN_CLONES void blur_down(const float* const* x, const float* const* y, int n, float* mx, float* my, float* mxx,
                           float* myy, float* mxy) {
#pragma omp simd
  for (int i = 0; i < n; ++i) {
    float sx = 0, sy = 0, sxx = 0, syy = 0, sxy = 0;
#pragma GCC unroll 11
    for (int k = 0; k < kTaps; ++k) {
      const float a = x[k][i], b = y[k][i], wa = kWindow[k] * a, wb = kWindow[k] * b;
      sx += wa;
      sy += wb;
      sxx += wa * a;
      syy += wb * b;
      sxy += wa * b;
    }
    mx[i] = sx;
    my[i] = sy;
    mxx[i] = sxx;
    myy[i] = syy;
    mxy[i] = sxy;
  }
}

// Blurs a padded row of interleaved pixels sideways; `in` points at the padding.
MIEN_CLONES void blur_across(const float* in, int n, float* out) {
#pragma omp simd
  for (int i = 0; i < n; ++i) {
    float sum = kWindow[kRadius] * in[i + kPad];
#pragma GCC unroll 5
    for (int k = 0; k < kRadius; ++k) sum += kWindow[k] * (in[i + 3 * k] + in[i + 2 * kPad - 3 * k]);
    out[i] = sum;
  }
}

// The SSIM map of a row and its slopes with respect to the blurred x, xx and xy.
MIEN_CLONES double similarity(const float* mx, const float* my, const float* mxx, const float* myy, const float* mxy,
                              int n, float* map, float* dx, float* dxx, float* dxy) {
  constexpr float c1 = 1e-4f, c2 = 9e-4f;
  float total = 0;
#pragma omp simd reduction(+ : total)
  for (int i = 0; i < n; ++i) {
    const float x = mx[i], y = my[i];
    const float a1 = 2 * x * y + c1, a2 = 2 * (mxy[i] - x * y) + c2;
    const float b1 = x * x + y * y + c1, b2 = mxx[i] - x * x + myy[i] - y * y + c2;
    const float inverse = 1 / (b1 * b2);
    const float value = a1 * a2 * inverse;
    const float d_a1 = a2 * inverse, d_a2 = a1 * inverse, d_b1 = -value * b2 * inverse, d_b2 = -value * b1 * inverse;
    map[i] = value;
    total += value;
    dx[i] = 2 * (y * (d_a1 - d_a2) + x * (d_b1 - d_b2));
    dxx[i] = d_b2;
    dxy[i] = 2 * d_a2;
  }
  return total;
}

// Blurs the ring's slopes downwards and adds dSSIM/dx = B(dx) + 2 x B(dxx) + y B(dxy).
MIEN_CLONES void gather_slopes(const float* const* rows, int n, const float* x, const float* y, float scale,
                               float* d_rgb) {
#pragma omp simd
  for (int i = 0; i < n; ++i) {
    float sum[kSlopes] = {};
#pragma GCC unroll 3
    for (int q = 0; q < kSlopes; ++q)
#pragma GCC unroll 11
      for (int k = 0; k < kTaps; ++k) sum[q] += kWindow[k] * rows[k][q * n + i];
    d_rgb[i] += scale * (sum[0] + 2 * x[i] * sum[1] + y[i] * sum[2]);
  }
}

// Absolute differences of a row; their weighted sum. The gradient is written, not added. `weight` is per value.
MIEN_CLONES double absolute(const float* x, const float* y, const float* weight, int n, float scale, float* d_rgb) {
  float total = 0;
#pragma omp simd reduction(+ : total)
  for (int i = 0; i < n; ++i) {
    const float d = x[i] - y[i], w = weight[i];
    total += w * std::abs(d);
    d_rgb[i] = d > 0 ? scale * w : d < 0 ? -scale * w : 0.0f;
  }
  return total;
}

}  // namespace

void PhotometricBand::resize(int width) {
  if (width == width_) return;
  width_ = width;
  const std::size_t n = 3 * static_cast<std::size_t>(width);
  zeros_.assign(kSlopes * n, 0.0f);
  vertical_.assign(kMoments * (n + 2 * kPad), 0.0f);  // the padding stays zero
  moments_.resize(kMoments * n);
  slopes_.assign(kSlopes * (n + 2 * kPad), 0.0f);
  ring_.resize(kTaps * kSlopes * n);
  map_.resize(2 * n);
}

// Map and slopes of one row; the slopes, blurred sideways, go to the ring. Returns the sum of the map.
double PhotometricBand::statistics(const PhotometricJob& job, int row) {
  const int n = 3 * width_;
  const std::size_t stride = static_cast<std::size_t>(n), padded = stride + 2 * kPad;
  const float *x[kTaps], *y[kTaps];
  for (int k = 0; k < kTaps; ++k) {
    const int r = row + k - kRadius;
    const bool inside = r >= 0 && r < job.height;
    x[k] = inside ? job.rgb + r * stride : zeros_.data();
    y[k] = inside ? job.target + r * stride : zeros_.data();
  }
  float* v = vertical_.data() + kPad;
  blur_down(x, y, n, v, v + padded, v + 2 * padded, v + 3 * padded, v + 4 * padded);
  float* m = moments_.data();
  for (int q = 0; q < kMoments; ++q) blur_across(vertical_.data() + q * padded, n, m + q * stride);
  float* s = slopes_.data() + kPad;
  float* map = job.ssim_map != nullptr ? job.ssim_map + row * stride : map_.data();
  const double total =
      similarity(m, m + stride, m + 2 * stride, m + 3 * stride, m + 4 * stride, n, map, s, s + padded, s + 2 * padded);
  if (job.d_rgb != nullptr)
    for (int q = 0; q < kSlopes; ++q)
      blur_across(slopes_.data() + q * padded, n, ring_.data() + (row % kTaps * kSlopes + q) * stride);
  return total;
}

PhotometricSums PhotometricBand::run(const PhotometricJob& job, int begin, int end) {
  resize(job.width);
  PhotometricSums sums;
  const int n = 3 * job.width;
  const std::size_t stride = static_cast<std::size_t>(n);
  float *weights = map_.data(), *unused = map_.data() + n;
  for (int row = begin; row < end; ++row) {
    const float* pixel = job.weight != nullptr ? job.weight + row * static_cast<std::size_t>(job.width) : nullptr;
    for (int i = 0; i < n; ++i) weights[i] = pixel != nullptr ? pixel[i / 3] : 1.0f;
    sums.l1 += absolute(job.rgb + row * stride, job.target + row * stride, weights, n, job.l1_scale,
                        job.d_rgb != nullptr ? job.d_rgb + row * stride : unused);
  }
  // A row's gradient needs the slopes of the five rows on either side; those of neighbouring bands are computed again.
  const int first = job.d_rgb != nullptr ? std::max(begin - kRadius, 0) : begin;
  const int last = job.d_rgb != nullptr ? std::min(end + kRadius, job.height) : end;
  for (int row = first; row < end + kRadius; ++row) {
    if (row < last) {
      const double total = statistics(job, row);
      if (row >= begin && row < end) sums.ssim += total;
    }
    const int ready = row - kRadius;
    if (job.d_rgb == nullptr || ready < begin) continue;
    const float* rows[kTaps];
    for (int k = 0; k < kTaps; ++k) {
      const int r = ready + k - kRadius;
      rows[k] = r >= 0 && r < job.height ? ring_.data() + r % kTaps * kSlopes * stride : zeros_.data();
    }
    gather_slopes(rows, n, job.rgb + ready * stride, job.target + ready * stride, job.ssim_scale,
                  job.d_rgb + ready * stride);
  }
  return sums;
}

}  // namespace mien
