// The Gaussian avatar on an NVIDIA GPU: from posed vertices to the posed Gaussians of deform_gaussians(), and to the
// picture of GaussianRenderer. In a build or on a machine without CUDA the constructors throw kMissingFeature.
#pragma once

#include <memory>

#include "mien/cuda/cuda.h"
#include "mien/gaussian_avatar/gaussian_avatar.h"

namespace mien {

// What never changes between frames, in device memory: canonical Gaussians, anchors, and the head's triangles.
class CudaAvatarPose {
 public:
  // The avatar need not outlive the object.
  explicit CudaAvatarPose(const GaussianAvatar& avatar);
  ~CudaAvatarPose();
  CudaAvatarPose(CudaAvatarPose&&) noexcept;
  CudaAvatarPose& operator=(CudaAvatarPose&&) noexcept;

  // Device pointers: posed vertices [V,3] in world space -> means [N,3], deformation [N,9] row-major. Enqueues two
  // kernels (the frame of every vertex, then the Gaussians); allocates nothing and can be recorded into a graph.
  void enqueue(const float* vertices, float* means, float* deformation, CudaStream stream) const;
  int vertex_count() const;
  int gaussian_count() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Draws an avatar, moment by moment. The host moves the head model's vertices; the rest happens on the GPU. Not
// thread-safe.
class CudaGaussianRenderer {
 public:
  // `avatar` must outlive the renderer and not change.
  explicit CudaGaussianRenderer(const GaussianAvatar& avatar);
  ~CudaGaussianRenderer();
  CudaGaussianRenderer(CudaGaussianRenderer&&) noexcept;
  CudaGaussianRenderer& operator=(CudaGaussianRenderer&&) noexcept;

  // rgb [H,W,3] over `options.background`, alpha [H,W]: device memory, complete on return.
  void render(const MotionFrame& frame, const Camera& camera, const SplatOptions& options, float* rgb, float* alpha,
              CudaStream stream = nullptr);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mien
