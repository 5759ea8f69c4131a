// The one place where an error of the CUDA runtime becomes a mien::Error. For files compiled with the CUDA headers.
#pragma once

#include <cuda_runtime_api.h>

namespace mien {

// Throws kInternal with CUDA's own words, or kMissingFeature when there is no usable device.
void cuda_check(cudaError_t result, const char* what);

}  // namespace mien
