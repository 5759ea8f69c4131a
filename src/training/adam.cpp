#include "mien/training/adam.h"

#include <cmath>

#include "mien/base/error.h"

namespace mien {

void adam_step(std::span<float> parameters, std::span<float> gradients, AdamState& state, float rate,
               const AdamOptions& options) {
  MIEN_CHECK(parameters.size() == gradients.size(), "parameters {} gradients {}", parameters.size(), gradients.size());
  state.first.resize(parameters.size(), 0.0f);
  state.second.resize(parameters.size(), 0.0f);
  ++state.steps;
  const auto steps = static_cast<float>(state.steps);
  const float step_size = rate / (1 - std::pow(options.beta1, steps));
  const float second_scale = 1 / std::sqrt(1 - std::pow(options.beta2, steps));
  const auto count = static_cast<std::int64_t>(parameters.size());
  float* p = parameters.data();
  float* g = gradients.data();
  float* m = state.first.data();
  float* v = state.second.data();
#pragma omp parallel for simd schedule(static)
  for (std::int64_t i = 0; i < count; ++i) {
    m[i] = options.beta1 * m[i] + (1 - options.beta1) * g[i];
    v[i] = options.beta2 * v[i] + (1 - options.beta2) * g[i] * g[i];
    p[i] -= step_size * m[i] / (std::sqrt(v[i]) * second_scale + options.epsilon);
    g[i] = 0;
  }
}

}  // namespace mien
