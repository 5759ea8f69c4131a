// Draws a field avatar on the GPU, into host memory.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "mien/field_avatar/field_avatar.h"
#include "mien/geometry/camera.h"

namespace mien {

class CudaFieldRenderer {
 public:
  // Throws kMissingFeature where there is no GPU. The avatar need not outlive the object.
  explicit CudaFieldRenderer(const FieldAvatar& avatar);
  ~CudaFieldRenderer();

  void wear(const std::vector<float>& latents);  // [rows,16], see mix_latents()
  // The posed head [V] and what the networks know of the moment. As FieldRenderer::render() otherwise.
  void render(const std::vector<Vec3>& posed, const std::vector<float>& condition, const Camera& camera, float* rgb,
              float* alpha, float* depth);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mien
