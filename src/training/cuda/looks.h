// The kernels of appearances that learn: what stands before and behind the layers of their networks. They do what
// AppearanceLearner does on the CPU.
#pragma once

#include <driver_types.h>

#include <cstdint>

namespace mien::training_cuda {

constexpr int kLookLatent = 16, kLookOutputs = 12, kLookBeside = 4;  // kLatent, kLookColours, kDirect

// N Gaussians in one appearance. Arrays are device memory.
struct LookArrays {
  int count;              // N
  int row;                // of `features`: 20, or 0 where all Gaussians share 16
  const float* features;  // [N,row] or [16]
  const float* sh;        // [N,48] the Gaussians' own,
  const float* logits;    // [N] likewise
  float* inputs;          // [N,input_row]: Z, base colour, and a place that stays
  int input_row;
  float* latent;         // [N,16]: what the density network sees; null where it sees `inputs`, or there is none
  const float* colour;   // [N,12] conclusions
  const float* density;  // [N], or null
  float *dressed_sh, *dressed_logits;
  float *shown, *opacities;  // as drawn, before modes and networks
};
void take_features(const LookArrays& arrays, cudaStream_t stream);
void dress(const LookArrays& arrays, cudaStream_t stream);

struct LookGradients {
  const float *d_sh, *d_opacities;              // by what was drawn
  float *colour_slope, *density_slope;          // [N,12], [N]: by the conclusions
  const float *colour_inputs, *density_inputs;  // [N,input_row] and [N,density_row]: by the networks' inputs
  int density_row;
  float* features;  // [N,row] or [16]
  float* partial;   // [kLookParts,16], for features that all share
};
constexpr int kLookParts = 256;
void look_slopes(const LookArrays& arrays, const LookGradients& gradients, cudaStream_t stream);
void look_features(const LookArrays& arrays, const LookGradients& gradients, cudaStream_t stream);

}  // namespace mien::training_cuda
