#include "training/ssim.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "base/clones.h"

namespace mien {
namespace {

constexpr int kTaps = 11;
constexpr int kRadius = kTaps / 2;
constexpr int kPad = 3 * kRadius;                        // floats: three interleaved channels
constexpr std::size_t kPadding = std::size_t{2} * kPad;  // of a row
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

// Blurs rows downwards.
MIEN_CLONES void blur_rows(const float* const* rows, int n, float* out) {
#pragma omp simd
  for (int i = 0; i < n; ++i) {
    float sum = kWindow[kRadius] * rows[kRadius][i];
#pragma GCC unroll 5
    for (int k = 0; k < kRadius; ++k) sum += kWindow[k] * (rows[k][i] + rows[kTaps - 1 - k][i]);
    out[i] = sum;
  }
}

// Adds dSSIM/dx = B(dx) + 2 x B(dxx) + y B(dxy), times a factor.
MIEN_CLONES void add_gradient(const float* dx, const float* dxx, const float* dxy, const float* x, const float* y,
                              int n, float scale, float* d_rgb) {
#pragma omp simd
  for (int i = 0; i < n; ++i) d_rgb[i] += scale * (dx[i] + 2 * x[i] * dxx[i] + y[i] * dxy[i]);
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

void AlignedRows::resize(int rows, std::size_t length) {
  const auto count = static_cast<std::size_t>(rows);
  stride_ = (length + 31) / 16 * 16;
  if (stride_ % 512 < 16) stride_ += 16;
  data_.reset(static_cast<float*>(::operator new (rows* stride_ * sizeof(float), std::align_val_t{64})));
  std::fill_n(data_.get(), count * stride_, 0.0f);
}

void PhotometricBand::resize(int width) {
  if (width == width_) return;
  width_ = width;
  const std::size_t n = 3 * static_cast<std::size_t>(width);
  zeros_.resize(1, n);
  vertical_.resize(kMoments, n + kPadding);  // the padding stays zero
  moments_.resize(kMoments, n);
  slopes_.resize(kSlopes, n + kPadding);
  ring_.resize(kSlopes * kTaps, n);
  blurred_.resize(kSlopes, n);
  scratch_.resize(2, n);
}

// Map and slopes of one row; the slopes, blurred sideways, go to the ring. Returns the sum of the map.
double PhotometricBand::statistics(const PhotometricJob& job, int row) {
  const int n = 3 * width_;
  const float *x[kTaps], *y[kTaps];
  for (int k = 0; k < kTaps; ++k) {
    const std::ptrdiff_t r = row + k - kRadius;
    const bool inside = r >= 0 && r < job.height;
    x[k] = inside ? job.rgb + r * n : zeros_.row(0);
    y[k] = inside ? job.target + r * n : zeros_.row(0);
  }
  blur_down(x, y, n, vertical_.row(0) + kPad, vertical_.row(1) + kPad, vertical_.row(2) + kPad, vertical_.row(3) + kPad,
            vertical_.row(4) + kPad);
  for (int q = 0; q < kMoments; ++q) blur_across(vertical_.row(q), n, moments_.row(q));
  float* map = job.ssim_map != nullptr ? job.ssim_map + static_cast<std::ptrdiff_t>(row) * n : scratch_.row(1);
  const double total = similarity(moments_.row(0), moments_.row(1), moments_.row(2), moments_.row(3), moments_.row(4),
                                  n, map, slopes_.row(0) + kPad, slopes_.row(1) + kPad, slopes_.row(2) + kPad);
  if (job.d_rgb != nullptr)
    for (int q = 0; q < kSlopes; ++q) blur_across(slopes_.row(q), n, ring_.row(q * kTaps + row % kTaps));
  return total;
}

PhotometricSums PhotometricBand::run(const PhotometricJob& job, int begin, int end) {
  resize(job.width);
  PhotometricSums sums;
  const int n = 3 * job.width;
  const auto offset = [n](int row) { return static_cast<std::ptrdiff_t>(row) * n; };
  // A row's gradient needs the slopes of the five rows on either side; those of neighbouring bands are computed again.
  const bool gradient = job.d_rgb != nullptr;
  const int first = gradient ? std::max(begin - kRadius, 0) : begin;
  const int last = gradient ? std::min(end + kRadius, job.height) : end;
  for (int row = first; row < end + kRadius; ++row) {
    if (row < last) {
      const double total = statistics(job, row);
      if (row >= begin && row < end) sums.ssim += total;
    }
    const int ready = row - kRadius;
    if (ready < begin) continue;
    const float *x = job.rgb + offset(ready), *y = job.target + offset(ready);
    float* weights = scratch_.row(0);
    const float* pixel = job.weight != nullptr ? job.weight + offset(ready) / 3 : nullptr;
    for (int i = 0; i < n; ++i) weights[i] = pixel != nullptr ? pixel[i / 3] : 1.0f;
    float* d_rgb = gradient ? job.d_rgb + offset(ready) : scratch_.row(1);
    sums.l1 += absolute(x, y, weights, n, job.l1_scale, d_rgb);
    if (!gradient) continue;
    for (int q = 0; q < kSlopes; ++q) {
      const float* rows[kTaps];
      for (int k = 0; k < kTaps; ++k) {
        const int r = ready + k - kRadius;
        rows[k] = r >= 0 && r < job.height ? ring_.row(q * kTaps + r % kTaps) : zeros_.row(0);
      }
      blur_rows(rows, n, blurred_.row(q));
    }
    add_gradient(blurred_.row(0), blurred_.row(1), blurred_.row(2), x, y, n, job.ssim_scale, d_rgb);
  }
  return sums;
}

}  // namespace mien
