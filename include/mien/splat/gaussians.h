// A set of 3D Gaussians, and the CPU rasteriser (Kerbl et al. 2023; conventions of gsplat's classic mode).
#pragma once

#include <vector>

#include "mien/geometry/camera.h"

namespace mien {

constexpr int kShCoefficients = 16;  // degree 3

// Parameters as they are optimised and stored. Structure of arrays.
struct Gaussians {
  std::vector<float> means;           // [N,3] metres
  std::vector<float> quats;           // [N,4] w,x,y,z, need not be unit
  std::vector<float> log_scales;      // [N,3] ln(metres)
  std::vector<float> opacity_logits;  // [N]
  std::vector<float> sh;              // [N,16,3], colour = max(0, SH(direction) + 0.5)
  int count() const { return static_cast<int>(opacity_logits.size()); }
};

// What the rasteriser takes: activated values, not owned.
struct SplatInput {
  int count = 0;
  const float* means = nullptr;      // [N,3]
  const float* quats = nullptr;      // [N,4] w,x,y,z, normalised inside
  const float* scales = nullptr;     // [N,3] metres, > 0
  const float* opacities = nullptr;  // [N] in [0,1]
  const float* sh = nullptr;         // [N,16,3]
  // Optional [N,9] row-major 3x3: how the surface under each Gaussian has moved and stretched since the canonical pose.
  // Covariance becomes D S D^T, and the viewing direction for SH is carried back by D^T (normalised), so that baked
  // light turns with the surface. Taken as a constant: no gradient. nullptr = identity.
  const float* deformation = nullptr;
  int sh_degree = 3;  // 0..3: higher coefficients are ignored
};

struct SplatOptions {
  float near_plane = 0.01f;  // metres
  float eps2d = 0.3f;        // pixels^2 added to the projected covariance
  float background[3] = {0, 0, 0};
};

// Gradients of a scalar loss, same shapes as the inputs. Accumulated (+=): the caller clears.
struct SplatGradients {
  float* means = nullptr;
  float* quats = nullptr;
  float* scales = nullptr;
  float* opacities = nullptr;
  float* sh = nullptr;
  float* mean2d_norm = nullptr;  // optional [N]: norm of the screen-space position gradient
};

// Holds the scratch memory; reuse one per thread of control. forward() keeps what backward() needs.
// Deterministic for one thread count and processor. Not thread-safe, uses all OpenMP threads. Lens distortion ignored.
class SplatRasterizer {
 public:
  SplatRasterizer();
  ~SplatRasterizer();
  SplatRasterizer(SplatRasterizer&&) noexcept;
  SplatRasterizer& operator=(SplatRasterizer&&) noexcept;

  // rgb [H,W,3] (background composited), alpha [H,W]; caller-allocated, overwritten. keep_for_backward=false to render.
  void forward(const SplatInput& input, const Camera& camera, const SplatOptions& options, float* rgb, float* alpha,
               bool keep_for_backward);
  // For the last forward(..., true) with the same input. d_rgb [H,W,3]; d_alpha [H,W] or nullptr.
  void backward(const SplatInput& input, const Camera& camera, const SplatOptions& options, const float* d_rgb,
                const float* d_alpha, const SplatGradients& gradients);

 private:
  struct Impl;
  Impl* impl_;
};

}  // namespace mien
