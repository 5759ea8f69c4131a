// Adam (Kingma and Ba 2015), fused over flat arrays: one pass over parameter, gradient and both moments.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace mien {

struct AdamOptions {
  float beta1 = 0.9f;
  float beta2 = 0.999f;
  float epsilon = 1e-15f;  // as 3D Gaussian splatting has it: gradients of Gaussians are tiny
};

// State of one parameter array. step() counts its own steps, for the bias correction.
struct AdamState {
  std::vector<float> first;   // first moments
  std::vector<float> second;  // second moments
  std::int64_t steps = 0;
};

// parameters -= rate * m / (sqrt(v) + epsilon), and gradients are set to zero. All threads.
void adam_step(std::span<float> parameters, std::span<float> gradients, AdamState& state, float rate,
               const AdamOptions& options = {});

}  // namespace mien
