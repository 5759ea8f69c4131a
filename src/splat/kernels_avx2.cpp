#include "splat/kernels.h"
#include "splat/simd_avx2.h"

namespace mien::splat {
namespace avx2 {
namespace {
#include "splat/kernels_project.inl"
//
#include "splat/kernels_project_backward.inl"
//
#include "splat/kernels_raster.inl"
}  // namespace
}  // namespace avx2

const Kernels& kernels_avx2() {
  static constexpr Kernels kKernels = {"AVX2", avx2::project, avx2::forward, avx2::backward, avx2::project_backward};
  return kKernels;
}

}  // namespace mien::splat
