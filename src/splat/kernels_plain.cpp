#include "splat/kernels.h"
#include "splat/simd_plain.h"

namespace mien::splat {
namespace plain {
namespace {
#include "splat/kernels_project.inl"
//
#include "splat/kernels_project_backward.inl"
//
#include "splat/kernels_raster.inl"
}  // namespace
}  // namespace plain

const Kernels& kernels_plain() {
  static constexpr Kernels kKernels = {"plain", plain::project, plain::forward, plain::backward,
                                       plain::project_backward};
  return kKernels;
}

}  // namespace mien::splat
