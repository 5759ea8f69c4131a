// Draws a field avatar.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "mien/cuda/device.h"
#include "mien/field_avatar/field_avatar.h"
#include "mien/geometry/camera.h"

namespace mien {

// Not thread-safe. On the CPU it uses all threads.
class FieldRenderer {
 public:
  // `avatar` must outlive the renderer and not change. Throws kMissingFeature for kCuda where there is no GPU.
  explicit FieldRenderer(const FieldAvatar& avatar, Device device = Device::kAuto);
  ~FieldRenderer();
  FieldRenderer(FieldRenderer&&) noexcept;
  FieldRenderer& operator=(FieldRenderer&&) noexcept;

  // Which appearance from now on: a weight each [A] (shorter is padded with 0). The first one until then.
  void wear(std::span<const float> weights);
  // rgb [H,W,3] over black, alpha [H,W]; caller-allocated. depth [H,W]: metres along the ray, of what is seen; nullptr:
  // not wanted.
  void render(const MotionFrame& frame, const Camera& camera, float* rgb, float* alpha, float* depth = nullptr);
  // [V] world: the vertices of the last moment drawn.
  const std::vector<Vec3>& vertices() const;
  bool cuda() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mien
