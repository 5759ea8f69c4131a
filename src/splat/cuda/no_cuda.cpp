// A build without CUDA: the rasteriser cannot be made.
#include "mien/base/error.h"
#include "mien/splat/cuda.h"

namespace mien {

struct CudaSplatRasterizer::Impl {};

CudaSplatRasterizer::CudaSplatRasterizer(const CudaSplatOptions&) {
  throw Error(ErrorCode::kMissingFeature, cuda_missing(), "run on the CPU, or build where CUDA's nvcc is installed");
}
CudaSplatRasterizer::~CudaSplatRasterizer() = default;
CudaSplatRasterizer::CudaSplatRasterizer(CudaSplatRasterizer&&) noexcept = default;
CudaSplatRasterizer& CudaSplatRasterizer::operator=(CudaSplatRasterizer&&) noexcept = default;
void CudaSplatRasterizer::reserve(int, int, int, bool, std::int64_t) {}
void CudaSplatRasterizer::forward(const SplatInput&, const Camera&, const SplatOptions&, float*, float*, bool,
                                  CudaStream) {}
void CudaSplatRasterizer::backward(const SplatInput&, const Camera&, const SplatOptions&, const float*, const float*,
                                   const SplatGradients&, CudaStream, bool) {}
const unsigned long long* CudaSplatRasterizer::wanted_pairs() const {
  return nullptr;
}
std::int64_t CudaSplatRasterizer::capacity() const {
  return 0;
}
CudaSplatReport CudaSplatRasterizer::report(CudaStream) const {
  return {};
}
bool CudaSplatRasterizer::grow_if_overflowed(CudaStream) {
  return false;
}

}  // namespace mien
