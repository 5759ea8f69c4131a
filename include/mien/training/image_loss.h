// The photometric loss of Gaussian splatting (Kerbl et al. 2023): L1 and structural dissimilarity, with its gradient.
#pragma once

#include <memory>

namespace mien {

struct ImageLossOptions {
  float l1 = 0.8f;     // weight of mean |a - b| over all values
  float ssim = 0.2f;   // weight of 1 - mean SSIM (11x11 Gaussian window, sigma 1.5, zero padding, per channel)
  float matte = 0.1f;  // weight of mean |alpha - matte|
};

struct ImageLossValue {
  double total = 0;  // weighted sum
  double l1 = 0;
  double ssim = 0;  // mean SSIM itself
  double matte = 0;
};

// Plain C++, vectorised, all threads; holds scratch memory. Not thread-safe.
class ImageLoss {
 public:
  ImageLoss();
  ~ImageLoss();
  ImageLoss(ImageLoss&&) noexcept;
  ImageLoss& operator=(ImageLoss&&) noexcept;

  // rgb, target [H,W,3]; alpha, matte [H,W] or both nullptr. Writes d_rgb [H,W,3] and d_alpha [H,W] (if not nullptr),
  // the gradients of `total`. `weight` [H,W] (optional) multiplies the L1 term per pixel.
  ImageLossValue operator()(int width, int height, const float* rgb, const float* target, const float* alpha,
                            const float* matte, const float* weight, const ImageLossOptions& options, float* d_rgb,
                            float* d_alpha);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mien
