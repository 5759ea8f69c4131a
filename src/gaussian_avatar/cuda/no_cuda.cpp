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
void CudaAvatarPose::enqueue(const float*, float*, float*, CudaStream, const float*) const {}
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
void CudaGaussianRenderer::render_to_host(const MotionFrame&, const Camera&, const SplatOptions&, float*, float*) {}
void CudaGaussianRenderer::paint(const MotionFrame&, const Camera&, const std::array<float, 3>&,
                                 const std::array<float, 3>&, std::uint8_t*) {}
const std::vector<Vec3>& CudaGaussianRenderer::vertices() const {
  refuse();
}

}  // namespace mien
