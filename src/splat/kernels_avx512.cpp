#include "splat/kernels.h"
#include "splat/simd_avx512.h"

namespace mien::splat {
namespace avx512 {
namespace {
#include "splat/kernels_project.inl"
//
#include "splat/kernels_project_backward.inl"
//
#include "splat/kernels_raster.inl"
}  // namespace
}  // namespace avx512

const Kernels& kernels_avx512() {
  static constexpr Kernels kKernels = {"AVX-512", avx512::project, avx512::forward, avx512::backward,
                                       avx512::project_backward};
  return kKernels;
}

}  // namespace mien::splat
