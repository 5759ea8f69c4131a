// The Gaussian avatar on an NVIDIA GPU: from posed vertices to the posed Gaussians of deform_gaussians(), and to the
// picture of GaussianRenderer. In a build or on a machine without CUDA the constructors throw kMissingFeature.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

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
  // `canonical` [N,3], if given, takes the place of the avatar's canonical means: in training they change.
  void enqueue(const float* vertices, float* means, float* deformation, CudaStream stream,
               const float* canonical = nullptr) const;
  int vertex_count() const;
  int gaussian_count() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Draws an avatar, moment by moment, from motion to picture on the GPU. Not thread-safe.
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
  // The same in host memory.
  void render_to_host(const MotionFrame& frame, const Camera& camera, const SplatOptions& options, float* rgb,
                      float* alpha);
  // The picture over a vertical gradient: [H,W,3] of 8 bits in host memory.
  void paint(const MotionFrame& frame, const Camera& camera, const std::array<float, 3>& top,
             const std::array<float, 3>& bottom, std::uint8_t* picture);
  // [V] world: the vertices of the last moment drawn, worked out on the host when they are asked for.
  const std::vector<Vec3>& vertices() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mien
