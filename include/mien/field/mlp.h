// Small fully connected networks with ReLU between the layers and none at the end, as radiance fields use them. What is
// the same for all samples of a group (the expression weights of a frame, say) need not be repeated a sample: those
// `shared` inputs only move the first layer's bias, once a group. The CPU's version; cuda.h has the GPU's.
#pragma once

#include <cstdint>
#include <span>

#include "mien/base/random.h"

namespace mien {

struct MlpShape {
  int inputs = 0;   // a sample, 1 to 128
  int shared = 0;   // more inputs, a group: 0 to 1024
  int outputs = 0;  // 1 to 64 (on the GPU to 32)
  int width = 64;   // of the hidden layers, 1 to 256 (on the GPU 64 only)
  int hidden = 2;   // hidden layers, 1 to 3
  bool bias = false;

  // Floats, layer after layer: weight [outputs, inputs] row by row, then bias [outputs] if there are any. A row of the
  // first layer is [inputs, shared].
  std::int64_t parameters() const;
  void check() const;  // throws kBadArgument for a value out of range
};

// He et al. 2015: uniform within sqrt(6 / inputs of the layer); biases 0. The last layer times `last`.
void initialise_mlp(const MlpShape& shape, std::span<float> weights, Random& random, float last = 1);

// What goes in. Rows of x may be wider than the inputs, so that inputs can lie side by side with other things.
template <typename T>
struct MlpBatch {
  std::int64_t count = 0;               // N samples
  const T* x = nullptr;                 // [N, inputs]
  std::int64_t x_stride = 0;            // from row to row; 0: inputs
  const T* shared = nullptr;            // [G, shared]; nullptr if there are none
  int groups = 1;                       // G
  const std::int32_t* group = nullptr;  // [N] in [0, G); nullptr: all 0. Fastest where neighbours are of one group
};

template <typename T>
struct MlpGradients {
  T* weights = nullptr;       // [parameters()] added to; nullptr: not wanted
  T* x = nullptr;             // [N, inputs] overwritten; nullptr: not wanted
  std::int64_t x_stride = 0;  // 0: inputs
  T* shared = nullptr;        // [G, shared] added to; nullptr: not wanted
};

// y [N, outputs], rows y_stride apart (0: outputs). For float and double. Uses all threads; results do not depend on
// their number.
template <typename T>
void mlp_forward(const MlpShape& shape, const T* weights, const MlpBatch<T>& batch, T* y, std::int64_t y_stride = 0);

// From d_y [N, outputs]. Works out the hidden layers anew, so nothing need be kept from mlp_forward().
template <typename T>
void mlp_backward(const MlpShape& shape, const T* weights, const MlpBatch<T>& batch, const T* d_y,
                  const MlpGradients<T>& gradients, std::int64_t d_y_stride = 0);

}  // namespace mien
