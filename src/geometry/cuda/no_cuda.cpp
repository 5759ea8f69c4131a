// A build without CUDA: nothing here can be made.
#include "mien/base/error.h"
#include "mien/geometry/cuda.h"

namespace mien {
namespace {

[[noreturn]] void refuse() {
  throw Error(ErrorCode::kMissingFeature, cuda_missing(), "run on the CPU, or build where CUDA's nvcc is installed");
}

}  // namespace

struct CudaMeshRasterizer::Impl {};
CudaMeshRasterizer::CudaMeshRasterizer(std::span<const Index3>, int) {
  refuse();
}
CudaMeshRasterizer::~CudaMeshRasterizer() = default;
CudaMeshRasterizer::CudaMeshRasterizer(CudaMeshRasterizer&&) noexcept = default;
CudaMeshRasterizer& CudaMeshRasterizer::operator=(CudaMeshRasterizer&&) noexcept = default;
void CudaMeshRasterizer::rasterise(const float*, const Camera&, const RasterOptions&, const CudaRasterTarget&,
                                   CudaStream) {
  refuse();
}

void rasterise_cuda(std::span<const Vec3>, std::span<const Index3>, const Camera&, const RasterOptions&,
                    RasterBuffer&) {
  refuse();
}

}  // namespace mien
