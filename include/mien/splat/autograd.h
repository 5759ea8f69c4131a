// The rasteriser as a differentiable LibTorch operation. Needs the library mien_splat_torch; drawing alone does not.
#pragma once

#include <memory>
#include <utility>

#include "mien/splat/gaussians.h"

namespace at {
class Tensor;
}

namespace mien {

// Owns the rasterisers: each picture whose graph is still alive occupies one. Results outlive this object. Calls may
// come from several threads, but the work itself uses all OpenMP threads.
class DifferentiableSplat {
 public:
  DifferentiableSplat();
  ~DifferentiableSplat();
  DifferentiableSplat(DifferentiableSplat&&) noexcept;
  DifferentiableSplat& operator=(DifferentiableSplat&&) noexcept;

  // The five parameters of SplatInput, float32, all on the CPU or all on one GPU: means [N,3] metres, quats [N,4],
  // scales [N,3] metres, opacities [N] in [0,1], sh [N,16,3]; deformation [N,3,3] is optional and gets no gradient.
  // Returns rgb [H,W,3] and alpha [H,W] on the same device. Backward once per result (no double backward).
  // On a GPU the work goes to LibTorch's current stream; forward waits for it, to see that the tile lists had room
  // (except while a CUDA graph is recorded: draw such a picture once before). Throws kBadArgument for another shape,
  // type or device, kMissingFeature for a GPU that this build cannot use.
  std::pair<at::Tensor, at::Tensor> operator()(const at::Tensor& means, const at::Tensor& quats,
                                               const at::Tensor& scales, const at::Tensor& opacities,
                                               const at::Tensor& sh, const Camera& camera, const SplatOptions& options,
                                               int sh_degree = 3, const at::Tensor* deformation = nullptr);

 private:
  struct Pool;
  std::shared_ptr<Pool> pool_;
  friend struct SplatFunction;
};

}  // namespace mien
