// A build without CUDA: none of the objects can be made.
#include "mien/base/error.h"
#include "mien/field/cuda.h"

namespace mien {
namespace {

[[noreturn]] void refuse() {
  throw Error(ErrorCode::kMissingFeature, cuda_missing(), "run on the CPU, or build where CUDA's nvcc is installed");
}

}  // namespace

struct CudaHashGrid::Impl {};
struct CudaMlp::Impl {};
struct CudaRaySamples::Impl {};
struct CudaOccupancy::Impl {};

CudaHashGrid::CudaHashGrid(const HashGridOptions&, const CudaHashGridOptions&) {
  refuse();
}
CudaHashGrid::~CudaHashGrid() = default;
CudaHashGrid::CudaHashGrid(CudaHashGrid&&) noexcept = default;
CudaHashGrid& CudaHashGrid::operator=(CudaHashGrid&&) noexcept = default;
const HashGrid& CudaHashGrid::grid() const {
  refuse();
}
void CudaHashGrid::encode(const float*, const float*, DeviceCount, float*, std::int64_t, CudaStream) {
  refuse();
}
void CudaHashGrid::backward(const float*, const float*, const float*, DeviceCount, float*, float*, std::int64_t,
                            CudaStream) {
  refuse();
}

CudaMlp::CudaMlp(const MlpShape&, const CudaMlpOptions&) {
  refuse();
}
CudaMlp::~CudaMlp() = default;
CudaMlp::CudaMlp(CudaMlp&&) noexcept = default;
CudaMlp& CudaMlp::operator=(CudaMlp&&) noexcept = default;
const MlpShape& CudaMlp::shape() const {
  refuse();
}
void CudaMlp::reserve(int) {
  refuse();
}
void CudaMlp::forward(const float*, const MlpBatch<float>&, DeviceCount, float*, std::int64_t, CudaStream) {
  refuse();
}
void CudaMlp::backward(const float*, const MlpBatch<float>&, DeviceCount, const float*, const MlpGradients<float>&,
                       std::int64_t, CudaStream) {
  refuse();
}

CudaRaySamples::CudaRaySamples() {
  refuse();
}
CudaRaySamples::~CudaRaySamples() = default;
CudaRaySamples::CudaRaySamples(CudaRaySamples&&) noexcept = default;
CudaRaySamples& CudaRaySamples::operator=(CudaRaySamples&&) noexcept = default;
void CudaRaySamples::reserve(std::int64_t, std::int64_t) {
  refuse();
}
const DeviceSamples& CudaRaySamples::samples() const {
  refuse();
}
std::int64_t CudaRaySamples::wanted(CudaStream) const {
  refuse();
}
void CudaRaySamples::march(const OccupancyView&, const RayBatch&, const MarchOptions&, CudaStream) {
  refuse();
}
void CudaRaySamples::compact(const DeviceSamples&, const std::uint8_t*, CudaStream) {
  refuse();
}

CudaOccupancy::CudaOccupancy(const OccupancyOptions&) {
  refuse();
}
CudaOccupancy::~CudaOccupancy() = default;
CudaOccupancy::CudaOccupancy(CudaOccupancy&&) noexcept = default;
CudaOccupancy& CudaOccupancy::operator=(CudaOccupancy&&) noexcept = default;
const OccupancyOptions& CudaOccupancy::options() const {
  refuse();
}
OccupancyView CudaOccupancy::view() const {
  refuse();
}
std::int64_t CudaOccupancy::cells() const {
  refuse();
}
const float* CudaOccupancy::density() const {
  refuse();
}
void CudaOccupancy::upload(const Occupancy&) {
  refuse();
}
void CudaOccupancy::download(Occupancy&) const {
  refuse();
}
void CudaOccupancy::sample(std::int64_t, std::uint32_t, std::uint32_t*, float*, CudaStream) {
  refuse();
}
void CudaOccupancy::update(std::int64_t, const std::uint32_t*, const float*, CudaStream) {
  refuse();
}

void cuda_composite(const CompositeInput<float>&, const CompositeOutput<float>&, CudaStream) {
  refuse();
}
void cuda_composite_backward(const CompositeInput<float>&, const CompositeOutput<float>&,
                             const CompositeGradients<float>&, CudaStream) {
  refuse();
}

}  // namespace mien
