// A build without CUDA: nothing here can be made.
#include "mien/base/error.h"
#include "mien/gaussian_avatar/cuda.h"

namespace mien {
namespace {

[[noreturn]] void refuse() {
  throw Error(ErrorCode::kMissingFeature, cuda_missing(), "run on the CPU, or build where CUDA's nvcc is installed");
}

}  // namespace

struct CudaAvatarPose::Impl {};
CudaAvatarPose::CudaAvatarPose(const GaussianAvatar&) {
  refuse();
}
CudaAvatarPose::~CudaAvatarPose() = default;
CudaAvatarPose::CudaAvatarPose(CudaAvatarPose&&) noexcept = default;
CudaAvatarPose& CudaAvatarPose::operator=(CudaAvatarPose&&) noexcept = default;
void CudaAvatarPose::enqueue(const float*, float*, float*, CudaStream) const {}
int CudaAvatarPose::vertex_count() const {
  return 0;
}
int CudaAvatarPose::gaussian_count() const {
  return 0;
}

struct CudaGaussianRenderer::Impl {};
CudaGaussianRenderer::CudaGaussianRenderer(const GaussianAvatar&) {
  refuse();
}
CudaGaussianRenderer::~CudaGaussianRenderer() = default;
CudaGaussianRenderer::CudaGaussianRenderer(CudaGaussianRenderer&&) noexcept = default;
CudaGaussianRenderer& CudaGaussianRenderer::operator=(CudaGaussianRenderer&&) noexcept = default;
void CudaGaussianRenderer::render(const MotionFrame&, const Camera&, const SplatOptions&, float*, float*, CudaStream) {}

}  // namespace mien
