#include "mien/training/image_loss.h"

#include <omp.h>

#include <cmath>
#include <vector>

#include "mien/base/error.h"
#include "training/ssim.h"

namespace mien {
namespace {

// Mean |a - m| over a picture's pixels, and its gradient.
double matte_loss(std::int64_t pixels, const float* alpha, const float* matte, float scale, float* d_alpha) {
  double total = 0;
#pragma omp parallel for schedule(static) reduction(+ : total)
  for (std::int64_t i = 0; i < pixels; ++i) {
    const float d = alpha[i] - matte[i];
    total += std::abs(d);
    if (d_alpha != nullptr) d_alpha[i] = d > 0 ? scale : d < 0 ? -scale : 0.0f;
  }
  return total / static_cast<double>(pixels);
}

}  // namespace

struct ImageLoss::Impl {
  std::vector<PhotometricBand> bands;
  std::vector<PhotometricSums> sums;
};

ImageLoss::ImageLoss() : impl_(std::make_unique<Impl>()) {}
ImageLoss::~ImageLoss() = default;
ImageLoss::ImageLoss(ImageLoss&&) noexcept = default;
ImageLoss& ImageLoss::operator=(ImageLoss&&) noexcept = default;

ImageLossValue ImageLoss::operator()(int width, int height, const float* rgb, const float* target, const float* alpha,
                                     const float* matte, const float* weight, const ImageLossOptions& options,
                                     float* d_rgb, float* d_alpha) {
  if (width < 1 || height < 1 || rgb == nullptr || target == nullptr || (alpha == nullptr) != (matte == nullptr))
    throw Error(ErrorCode::kBadArgument,
                fmt::format("image loss: {}x{} pixels, alpha {}, matte {}", width, height,
                            alpha != nullptr ? "given" : "absent", matte != nullptr ? "given" : "absent"),
                "give two pictures of at least one pixel, and alpha and matte both or neither");
  const std::int64_t pixels = static_cast<std::int64_t>(width) * height;
  const auto values = static_cast<double>(3 * pixels);
  const PhotometricJob job = {width,
                              height,
                              rgb,
                              target,
                              weight,
                              static_cast<float>(options.l1 / values),
                              static_cast<float>(-options.ssim / values),
                              d_rgb,
                              nullptr};
  const int bands = std::min(omp_get_max_threads(), height);
  impl_->bands.resize(bands);
  impl_->sums.resize(bands);
#pragma omp parallel for schedule(static, 1)
  for (int b = 0; b < bands; ++b)
    impl_->sums[b] = impl_->bands[b].run(job, static_cast<int>(std::int64_t{height} * b / bands),
                                         static_cast<int>(std::int64_t{height} * (b + 1) / bands));
  ImageLossValue out;
  for (const PhotometricSums& s : impl_->sums) {
    out.l1 += s.l1 / values;
    out.ssim += s.ssim / values;
  }
  if (alpha != nullptr)
    out.matte = matte_loss(pixels, alpha, matte, options.matte / static_cast<float>(pixels), d_alpha);
  else if (d_alpha != nullptr)
    std::fill_n(d_alpha, pixels, 0.0f);
  out.total = options.l1 * out.l1 + options.ssim * (1 - out.ssim) + options.matte * out.matte;
  return out;
}

}  // namespace mien
