// A build without CUDA: says so.
#include "mien/base/error.h"
#include "mien/cuda/cuda.h"

namespace mien {
namespace {

[[noreturn]] void refuse() {
  throw Error(ErrorCode::kMissingFeature, cuda_missing(), "run on the CPU, or build where CUDA's nvcc is installed");
}

}  // namespace

const std::string& cuda_missing() {
  static const std::string problem = "this build has no CUDA";
  return problem;
}
std::string cuda_device_name() {
  refuse();
}
int cuda_device_count() {
  return 0;
}
int cuda_capability() {
  return 0;
}
void cuda_synchronize(CudaStream) {
  refuse();
}
bool cuda_recording(CudaStream) {
  refuse();
}
CudaMemory::~CudaMemory() = default;
bool CudaMemory::reserve(std::size_t, const char*) {
  refuse();
}
void cuda_upload(void*, const void*, std::size_t) {
  refuse();
}
void cuda_download(void*, const void*, std::size_t) {
  refuse();
}
OwnedCudaStream::OwnedCudaStream() {
  refuse();
}
OwnedCudaStream::~OwnedCudaStream() = default;
CudaGraph::~CudaGraph() = default;
void CudaGraph::begin(CudaStream) {
  refuse();
}
void CudaGraph::end() {
  refuse();
}
void CudaGraph::launch(CudaStream) {
  refuse();
}
CudaTimer::CudaTimer() {
  refuse();
}
CudaTimer::~CudaTimer() = default;
void CudaTimer::start(CudaStream) {
  refuse();
}
void CudaTimer::stop(CudaStream) {
  refuse();
}
float CudaTimer::milliseconds() {
  refuse();
}

}  // namespace mien
