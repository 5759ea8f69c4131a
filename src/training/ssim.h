// Structural similarity (Wang et al. 2004) of a picture with its gradient, row by row: the inner part of the image
// loss.
#pragma once

#include <cstddef>
#include <memory>
#include <new>

namespace mien {

// Rows of floats that start on cache lines, at distances that do not collide in the first-level cache. Zero at first.
class AlignedRows {
 public:
  void resize(int rows, std::size_t length);
  float* row(std::size_t r) { return data_.get() + r * stride_; }

 private:
  struct Free {
    void operator()(float* p) const { ::operator delete (p, std::align_val_t{64}); }
  };
  std::unique_ptr<float, Free> data_;
  std::size_t stride_ = 0;
};

// Means over all rows of a band; sums, not yet divided.
struct PhotometricSums {
  double l1 = 0;    // weighted absolute differences
  double ssim = 0;  // of the SSIM map
};

struct PhotometricJob {
  int width, height;
  const float* rgb;     // [H,W,3]
  const float* target;  // [H,W,3]
  const float* weight;  // [H,W] or nullptr
  float l1_scale;       // d_rgb gets l1_scale * sign + ssim_scale * dSSIM
  float ssim_scale;
  float* d_rgb;     // [H,W,3] or nullptr: no gradient
  float* ssim_map;  // [H,W,3] or nullptr
};

// One band of rows; bands may run in parallel, each with its own object (which holds the scratch memory).
class PhotometricBand {
 public:
  // Handles rows [begin, end): their sums, their map and their gradient. Window: 11x11 Gaussian of deviation 1.5, zeros
  // beyond the picture; constants (0.01)^2 and (0.03)^2 for values in [0,1].
  PhotometricSums run(const PhotometricJob& job, int begin, int end);

 private:
  void resize(int width);
  double statistics(const PhotometricJob& job, int row);

  int width_ = 0;
  AlignedRows zeros_;     // a row beyond the picture
  AlignedRows vertical_;  // [5] padded rows: x, y, xx, yy, xy blurred downwards
  AlignedRows moments_;   // [5] rows: the same blurred both ways
  AlignedRows slopes_;    // [3] padded rows: dSSIM / d(mean x, mean xx, mean xy)
  AlignedRows ring_;      // [3][11] rows: the last slopes, blurred sideways
  AlignedRows blurred_;   // [3] rows: the slopes blurred both ways
  AlignedRows scratch_;   // [2] rows: weights per value; the SSIM map or an unused gradient
};

}  // namespace mien
