#include "mien/cuda/cuda.h"

#include "cuda/check.h"
#include "mien/base/error.h"

namespace mien {
namespace {

std::string find_problem() {
  int devices = 0, driver = 0;
  const cudaError_t result = cudaGetDeviceCount(&devices);
  if (result == cudaSuccess && devices > 0) return "";
  cudaGetLastError();
  if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0) return "no NVIDIA driver on this machine";
  return fmt::format("no usable CUDA device ({})", result != cudaSuccess ? cudaGetErrorString(result) : "none found");
}

[[noreturn]] void refuse_memory(const char* what, std::size_t asked) {
  std::size_t free = 0, total = 0;
  cudaMemGetInfo(&free, &total);
  cudaGetLastError();
  refuse_gpu_memory(what, asked, free, total);
}

}  // namespace

void cuda_check(cudaError_t result, const char* what) {
  if (result == cudaSuccess) return;
  cudaGetLastError();  // so that the next call does not report it again
  if (result == cudaErrorMemoryAllocation) refuse_memory(what, 0);
  const bool missing = result == cudaErrorNoDevice || result == cudaErrorInsufficientDriver;
  throw Error(missing ? ErrorCode::kMissingFeature : ErrorCode::kInternal,
              fmt::format("CUDA: {}: {} ({})", what, cudaGetErrorString(result), cudaGetErrorName(result)),
              missing ? "run on the CPU" : "");
}

const std::string& cuda_missing() {
  static const std::string problem = find_problem();
  return problem;
}

int cuda_device_count() {
  int devices = 0;
  return cuda_missing().empty() && cudaGetDeviceCount(&devices) == cudaSuccess ? devices : 0;
}

std::string cuda_device_name() {
  int device = 0, driver = 0;
  cudaDeviceProp properties = {};
  cuda_check(cudaGetDevice(&device), "current device");
  cuda_check(cudaGetDeviceProperties(&properties, device), "properties of the device");
  cuda_check(cudaDriverGetVersion(&driver), "version of the driver");
  return fmt::format("{}, compute capability {}.{}, {} multiprocessors, {:.0f} GiB, driver for CUDA {}.{}",
                     properties.name, properties.major, properties.minor, properties.multiProcessorCount,
                     static_cast<double>(properties.totalGlobalMem) / (1 << 30), driver / 1000, driver % 1000 / 10);
}

int cuda_capability() {
  if (!cuda_missing().empty()) return 0;
  int device = 0, major = 0, minor = 0;
  cuda_check(cudaGetDevice(&device), "current device");
  cuda_check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device), "compute capability");
  cuda_check(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device), "compute capability");
  return 10 * major + minor;
}

void cuda_synchronize(CudaStream stream) {
  cuda_check(cudaStreamSynchronize(stream), "waiting for a stream");
}

bool cuda_recording(CudaStream stream) {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  cuda_check(cudaStreamIsCapturing(stream, &status), "state of a stream");
  return status != cudaStreamCaptureStatusNone;
}

CudaMemory::~CudaMemory() {
  cudaFree(data_);
}

bool CudaMemory::reserve(std::size_t bytes, const char* what) {
  if (bytes <= bytes_) return false;
  const std::size_t more = bytes + bytes / 4;
  std::size_t wanted = bytes_ == 0 || more < bytes ? bytes : more;
  cuda_check(cudaFree(data_), "giving memory back");
  data_ = nullptr;
  bytes_ = 0;
  cudaError_t result = cudaMalloc(&data_, wanted);
  if (result == cudaErrorMemoryAllocation && wanted > bytes) {  // without the quarter
    cudaGetLastError();
    wanted = bytes;
    result = cudaMalloc(&data_, wanted);
  }
  if (result != cudaSuccess) data_ = nullptr;
  if (result == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    refuse_memory(what, wanted);
  }
  cuda_check(result, what);
  bytes_ = wanted;
  return true;
}

void cuda_upload(void* device, const void* host, std::size_t bytes) {
  if (bytes > 0) cuda_check(cudaMemcpy(device, host, bytes, cudaMemcpyHostToDevice), "copying to the device");
}

void cuda_download(void* host, const void* device, std::size_t bytes) {
  if (bytes > 0) cuda_check(cudaMemcpy(host, device, bytes, cudaMemcpyDeviceToHost), "copying from the device");
}

OwnedCudaStream::OwnedCudaStream() {
  cuda_check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "making a stream");
}
OwnedCudaStream::~OwnedCudaStream() {
  cudaStreamDestroy(stream_);
}

CudaGraph::~CudaGraph() {
  if (recording_ != nullptr) {  // an error came between begin and end
    cudaGraph_t graph = nullptr;
    cudaStreamEndCapture(recording_, &graph);
    if (graph != nullptr) cudaGraphDestroy(graph);
  }
  if (executable_ != nullptr) cudaGraphExecDestroy(executable_);
}

void CudaGraph::begin(CudaStream stream) {
  cuda_check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "recording a graph");
  recording_ = stream;
}

void CudaGraph::end() {
  cudaGraph_t graph = nullptr;
  cuda_check(cudaStreamEndCapture(std::exchange(recording_, nullptr), &graph), "recording a graph");
  cudaError_t result = cudaErrorGraphExecUpdateFailure;
  if (executable_ != nullptr) {
    cudaGraphExecUpdateResultInfo info = {};
    result = cudaGraphExecUpdate(executable_, graph, &info);
    if (result != cudaSuccess) {
      cudaGetLastError();
      cudaGraphExecDestroy(std::exchange(executable_, nullptr));
    }
  }
  if (executable_ == nullptr) result = cudaGraphInstantiate(&executable_, graph, 0);
  cudaGraphDestroy(graph);
  cuda_check(result, "making a graph");
}

void CudaGraph::launch(CudaStream stream) {
  cuda_check(cudaGraphLaunch(executable_, stream), "launching a graph");
}

CudaTimer::CudaTimer() {
  cuda_check(cudaEventCreate(&start_), "making an event");
  cuda_check(cudaEventCreate(&stop_), "making an event");
}
CudaTimer::~CudaTimer() {
  cudaEventDestroy(start_);
  cudaEventDestroy(stop_);
}
void CudaTimer::start(CudaStream stream) {
  cuda_check(cudaEventRecord(start_, stream), "recording an event");
}
void CudaTimer::stop(CudaStream stream) {
  cuda_check(cudaEventRecord(stop_, stream), "recording an event");
}
float CudaTimer::milliseconds() {
  float out = 0;
  cuda_check(cudaEventSynchronize(stop_), "waiting for an event");
  cuda_check(cudaEventElapsedTime(&out, start_, stop_), "reading an event");
  return out;
}

}  // namespace mien
