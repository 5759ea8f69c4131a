// A thin layer over the CUDA runtime: whether there is a device, memory that is given back, streams, timing and graphs.
// Needs no CUDA header, and links everywhere: in a build without CUDA, cuda_missing() says so and all else throws
// kMissingFeature. Objects belong to the device that was current when they were made.
#pragma once

#include <cstddef>
#include <limits>
#include <string>
#include <utility>
#include <vector>

struct CUstream_st;
struct CUgraphExec_st;
struct CUevent_st;

namespace mien {

// The same as cudaStream_t. nullptr is the default stream, on which no graph can be recorded.
using CudaStream = CUstream_st*;

// Why nothing can run on a GPU here, in one line; empty when it can. Asks the driver once.
const std::string& cuda_missing();
// How many devices this process sees; 0 where nothing can run on a GPU.
int cuda_device_count();
// For reports: name, compute capability and memory of the current device, and the version of the driver.
std::string cuda_device_name();
// Compute capability of the current device, 10 x major + minor; 0 where nothing can run on a GPU.
int cuda_capability();
// Waits for everything on the stream. Throws kInternal for an error that earlier work left behind.
void cuda_synchronize(CudaStream stream);
// Whether the stream is being recorded into a graph: memory can then neither be allocated nor waited for.
bool cuda_recording(CudaStream stream);

// Throws kIo for a device that is full: one line with what was asked for, how much, what is free, and the options that
// ask for less.
[[noreturn]] void refuse_gpu_memory(const std::string& what, std::size_t asked, std::size_t free, std::size_t total);

// A block of device memory.
class CudaMemory {
 public:
  CudaMemory() = default;
  ~CudaMemory();
  CudaMemory(CudaMemory&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  CudaMemory& operator=(CudaMemory&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }

  // Makes room for `bytes`, a quarter more when it grows and there is so much; the content is then lost. Returns
  // whether it grew. A device that is full: refuse_gpu_memory(), and nothing is held any more.
  bool reserve(std::size_t bytes, const char* what);
  void* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }

 private:
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

// Copies; they return when the data has arrived.
void cuda_upload(void* device, const void* host, std::size_t bytes);
void cuda_download(void* host, const void* device, std::size_t bytes);

// The same with a type. For tests, benchmarks and data that stays.
template <typename T>
class CudaArray {
 public:
  CudaArray() = default;
  explicit CudaArray(std::size_t size) { resize(size); }
  explicit CudaArray(const std::vector<T>& host) { *this = host; }
  CudaArray& operator=(const std::vector<T>& host) {
    resize(host.size());
    cuda_upload(data(), host.data(), host.size() * sizeof(T));
    return *this;
  }
  void resize(std::size_t size, const char* what = "an array") {  // the content is lost
    if (size > std::numeric_limits<std::size_t>::max() / sizeof(T))
      refuse_gpu_memory(what, std::numeric_limits<std::size_t>::max(), 0, 0);
    memory_.reserve(size * sizeof(T), what);
    size_ = size;
  }
  std::vector<T> host() const {
    std::vector<T> out(size_);
    cuda_download(out.data(), data(), size_ * sizeof(T));
    return out;
  }
  T* data() const { return static_cast<T*>(memory_.data()); }
  std::size_t size() const { return size_; }

 private:
  CudaMemory memory_;
  std::size_t size_ = 0;
};

// A stream of its own, not blocking with the default stream.
class OwnedCudaStream {
 public:
  OwnedCudaStream();
  ~OwnedCudaStream();
  OwnedCudaStream(const OwnedCudaStream&) = delete;
  OwnedCudaStream& operator=(const OwnedCudaStream&) = delete;
  operator CudaStream() const { return stream_; }

 private:
  CudaStream stream_ = nullptr;
};

// Work recorded once and launched at the cost of one launch: begin, enqueue as usual, end, launch. Recorded again, the
// graph takes over changed parameters (a moved camera, say) without being built anew where CUDA allows it.
class CudaGraph {
 public:
  CudaGraph() = default;
  ~CudaGraph();
  CudaGraph(const CudaGraph&) = delete;
  CudaGraph& operator=(const CudaGraph&) = delete;
  void begin(CudaStream stream);
  void end();
  void launch(CudaStream stream);

 private:
  CudaStream recording_ = nullptr;
  CUgraphExec_st* executable_ = nullptr;
};

// Milliseconds of device time between two points of a stream.
class CudaTimer {
 public:
  CudaTimer();
  ~CudaTimer();
  CudaTimer(const CudaTimer&) = delete;
  CudaTimer& operator=(const CudaTimer&) = delete;
  void start(CudaStream stream);
  void stop(CudaStream stream);
  float milliseconds();  // waits for the stop

 private:
  CUevent_st *start_ = nullptr, *stop_ = nullptr;
};

}  // namespace mien
