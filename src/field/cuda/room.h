// Device memory for working in, which may not grow while a graph is recorded.
#pragma once

#include "cuda/check.h"
#include "field/cuda/kernels.h"
#include "mien/base/error.h"
#include "mien/cuda/cuda.h"
#include "mien/field/cuda.h"

namespace mien::field::cuda {

// Returns whether it grew: the content is then lost.
inline bool make_room(CudaMemory& memory, std::size_t bytes, const char* what, CudaStream stream) {
  if (bytes <= memory.bytes()) return false;
  if (cuda_recording(stream))
    throw Error(ErrorCode::kBadArgument, fmt::format("CUDA: {} would have to grow while a graph is recorded", what),
                "do the same once before recording");
  return memory.reserve(bytes, what);
}

inline Count count_of(const DeviceCount& count) {
  return {count.bound, count.actual};
}

inline void enqueued(const char* what) {
  cuda_check(cudaGetLastError(), what);
}

inline void require_cuda() {
  if (!cuda_missing().empty()) throw Error(ErrorCode::kMissingFeature, cuda_missing(), "run on the CPU");
}

inline void require_aligned(const void* pointer, std::size_t bytes, const char* what) {
  if (reinterpret_cast<std::uintptr_t>(pointer) % bytes != 0)
    throw Error(ErrorCode::kBadArgument, fmt::format("CUDA: {} is not aligned to {} bytes", what, bytes));
}

}  // namespace mien::field::cuda
