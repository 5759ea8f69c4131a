// Fully connected layers over many points, forward and backward, for networks of any width: matrix products whose sums
// are always added up in the same order.
#pragma once

#include <driver_types.h>

namespace mien::avatar_cuda {

constexpr float kLeak = 0.1f;   // slope of the activation below 0
constexpr int kMostLayers = 6;  // of all networks together

// y = W x + b. Some columns of W belong to inputs that are the same for all points: `gap` of them from `gap_at` on.
// They are not among the `inputs`; who calls adds what they give to the bias.
struct DenseLayer {
  int inputs, outputs;
  int gap_at, gap;
  const float* weight;  // [outputs, inputs + gap]
};

// y [points, outputs] from x [points, inputs], with the leaky activation if wanted. bias [outputs].
void dense(const DenseLayer& layer, const float* x, int points, const float* bias, bool leak, float* y,
           cudaStream_t stream);

// dx [points, inputs] = dy W, times the slope of the activation that gave x; x null: of none. For layers without a gap.
void dense_back(const DenseLayer& layer, const float* dy, const float* x, int points, float* dx, cudaStream_t stream);

// Sums of dy^T x over parts of the points: partial [parts, outputs, inputs + 1], the last column being the bias's.
int dense_parts(int points);
void dense_weights(const DenseLayer& layer, const float* x, const float* dy, int points, float* partial,
                   cudaStream_t stream);

// Adds the parts up into gradients in the order of the parameters: weights, then bias, layer by layer.
struct WeightSums {
  struct Layer {
    int inputs, outputs, gap_at, gap;
    int end;               // of its parameters among all
    const float* partial;  // of dense_weights()
  };
  int layers, parts;
  Layer layer[kMostLayers];
  const float* felt;  // [gap] what the gap's inputs were
  float* gradients;
};
void sum_weights(const WeightSums& sums, cudaStream_t stream);

}  // namespace mien::avatar_cuda
