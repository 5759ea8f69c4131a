// What stands before and behind G2ANet's layers on the device: inputs from Gaussians and moment, conclusions to what is
// drawn, and in training the conclusions' gradients. See G2aInference, whose work it does.
#pragma once

#include <driver_types.h>
#include <vector_types.h>

#include <cstdint>

namespace mien::avatar_cuda {

constexpr int kColourRow = 48;       // floats of a Gaussian's spherical harmonics: what FeatureNet sees first
constexpr int kColourOutputs = 12;   // of which FeatureNet moves these
constexpr int kTurnRow = 4;          // floats of a quaternion: what RotationNet sees first
constexpr float kShiftUnit = 0.01f;  // metres of a shift of 1

// K Gaussians of N follow the networks. Arrays are device memory.
struct NetworkPoints {
  int count;                     // K
  const std::int32_t* gaussian;  // [K]
  const int4* anchors;           // [K]
  const float4* weights;         // [K]
};

// Canonical Gaussians [N], and where what is drawn of them goes. Only the networks' rows are read and written.
struct NetworkGaussians {
  const float *sh, *quats, *logits, *means;
  float *shown_sh, *shown_quats, *shown_opacities;
  float* shown_means;  // null: Gaussians are not shifted
};

// Colours into the first columns of `x` [K, row], and back to rest where they are drawn.
void take_colours(const NetworkPoints& points, const NetworkGaussians& gaussians, float* x, int row,
                  cudaStream_t stream);
// Unit quaternions into the first columns of `x` [K, row].
void take_turns(const NetworkPoints& points, const float* quats, float* x, int row, cudaStream_t stream);

// Displacements into the last three columns of both networks' inputs; `feature` may be null. moved [V + 1, 3]: how far
// the face carries each vertex, centimetres; the last row is taken from all of them.
struct Displacements {
  const float* moved;
  int vertices;
  float *feature, *rotation;
  int feature_row, rotation_row;
};
void take_displacements(const NetworkPoints& points, const Displacements& job, cudaStream_t stream);

// First layers' biases with what is the same for all Gaussians: shifted = bias + W[:, gap] felt.
struct Felt {
  struct Network {
    const float *weight, *bias;   // of the first layer
    int inputs, outputs, gap_at;  // all inputs
    float* shifted;
  };
  int networks;
  Network network[2];
  const float* felt;  // [gap]
  int gap;
};
void feel(const Felt& job, cudaStream_t stream);

struct Conclusions {
  const float* feature;   // [K, feature_row] or null
  int feature_row;        // 12, or 13 with an opacity
  const float* rotation;  // [K, rotation_row]
  int rotation_row;       // 3, or 6 with a shift
};
// Adds to colours; writes quaternions, and opacities and means where there are outputs for them.
void conclude(const NetworkPoints& points, const NetworkGaussians& gaussians, const Conclusions& out,
              cudaStream_t stream);

// Gradients by what was drawn, of all Gaussians.
struct DrawnGradients {
  const float *sh, *opacities;
  float* quats;              // becomes the gradient by the canonical quaternions
  const float* means;        // by the posed ones
  const float* deformation;  // [N,9]
};
// Gradients by the networks' outputs: slopes in the layout of `out`.
void conclude_back(const NetworkPoints& points, const NetworkGaussians& gaussians, const Conclusions& out,
                   const DrawnGradients& gradients, float* feature_slope, float* rotation_slope, cudaStream_t stream);

}  // namespace mien::avatar_cuda
