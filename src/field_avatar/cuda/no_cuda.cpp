// Drawing field avatars on a GPU, in a build without CUDA.
#include "field_avatar/cuda/field_renderer.h"
#include "mien/base/error.h"

namespace mien {

struct CudaFieldRenderer::Impl {};

CudaFieldRenderer::CudaFieldRenderer(const FieldAvatar& /*avatar*/) {
  throw Error(ErrorCode::kMissingFeature, "drawing field avatars on a GPU: this build has no CUDA", "use --device cpu");
}
CudaFieldRenderer::~CudaFieldRenderer() = default;
void CudaFieldRenderer::wear(const std::vector<float>& /*latents*/) {}
void CudaFieldRenderer::render(const std::vector<Vec3>& /*posed*/, const std::vector<float>& /*condition*/,
                               const Camera& /*camera*/, float* /*rgb*/, float* /*alpha*/, float* /*depth*/) {}

}  // namespace mien
