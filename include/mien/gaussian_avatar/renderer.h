// Draws an avatar on the processor of one's choice, into host memory.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "mien/cuda/device.h"
#include "mien/gaussian_avatar/cuda.h"
#include "mien/gaussian_avatar/gaussian_avatar.h"
#include "mien/media/image.h"

namespace mien {

// A vertical gradient behind the person, sRGB.
struct Backdrop {
  std::array<float, 3> top = {0, 0, 0}, bottom = {0, 0, 0};
};

// rgb [H,W,3], premultiplied by alpha [H,W], over a backdrop.
Image8 over_backdrop(const float* rgb, const float* alpha, int width, int height, const Backdrop& backdrop);

// Not thread-safe. On the CPU it uses all threads.
class AvatarRenderer {
 public:
  // `avatar` must outlive the renderer and not change. Throws kMissingFeature for kCuda where there is no GPU.
  explicit AvatarRenderer(const GaussianAvatar& avatar, Device device = Device::kAuto);

  // rgb [H,W,3] over `options.background`, alpha [H,W]; caller-allocated.
  void render(const MotionFrame& frame, const Camera& camera, const SplatOptions& options, float* rgb, float* alpha);
  // The picture over a backdrop.
  Image8 paint(const MotionFrame& frame, const Camera& camera, const Backdrop& backdrop);
  // [V] world: the vertices of the last moment drawn.
  const std::vector<Vec3>& vertices() const;
  bool cuda() const { return cuda_.has_value(); }

 private:
  const GaussianAvatar* avatar_;
  std::optional<GaussianRenderer> cpu_;
  std::optional<CudaGaussianRenderer> cuda_;
  std::vector<float> rgb_, alpha_;
};

}  // namespace mien
