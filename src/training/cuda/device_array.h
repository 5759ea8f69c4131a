// What learns, in device memory.
#pragma once

#include <vector>

#include "mien/cuda/cuda.h"
#include "mien/training/adam.h"
#include "training/cuda/kernels.h"

namespace mien {

// A parameter array with its moments on the device.
struct DeviceArray {
  CudaArray<float> parameters, first, second;
  training_cuda::Moments moments() const { return {parameters.data(), first.data(), second.data()}; }
  void take(const std::vector<float>& values, const AdamState& state) {
    parameters.resize(values.size(), "Gaussians that learn");
    parameters = values;
    first = state.first.empty() ? std::vector<float>(values.size(), 0.0f) : state.first;
    second = state.second.empty() ? std::vector<float>(values.size(), 0.0f) : state.second;
  }
  void give(std::vector<float>& values, AdamState& state) const {
    values = parameters.host();
    if (state.steps == 0) return;
    state.first = first.host();
    state.second = second.host();
  }
};

}  // namespace mien
