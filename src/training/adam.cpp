#include "mien/training/adam.h"

#include <algorithm>
#include <cmath>

#include "base/clones.h"
#include "mien/base/error.h"

namespace mien {
namespace {

struct Step {
  float keep1, take1, keep2, take2;  // beta and 1 - beta of both moments
  float size;                        // rate over the first bias correction
  float second_scale;                // one over the root of the second
  float epsilon;
};

MIEN_CLONES void update(const Step& s, std::int64_t begin, std::int64_t end, float* p, float* g, float* m, float* v) {
#pragma omp simd
  for (std::int64_t i = begin; i < end; ++i) {
    const float first = s.keep1 * m[i] + s.take1 * g[i];
    const float second = s.keep2 * v[i] + s.take2 * g[i] * g[i];
    m[i] = first;
    v[i] = second;
    p[i] -= s.size * first / (std::sqrt(second) * s.second_scale + s.epsilon);
    g[i] = 0;
  }
}

}  // namespace

void adam_step(std::span<float> parameters, std::span<float> gradients, AdamState& state, float rate,
               const AdamOptions& options) {
  MIEN_CHECK(parameters.size() == gradients.size(), "parameters {} gradients {}", parameters.size(), gradients.size());
  state.first.resize(parameters.size(), 0.0f);
  state.second.resize(parameters.size(), 0.0f);
  ++state.steps;
  const auto steps = static_cast<double>(state.steps);
  const Step step = {options.beta1,
                     1 - options.beta1,
                     options.beta2,
                     1 - options.beta2,
                     static_cast<float>(rate / (1 - std::pow(double{options.beta1}, steps))),
                     static_cast<float>(1 / std::sqrt(1 - std::pow(double{options.beta2}, steps))),
                     options.epsilon};
  constexpr std::int64_t kChunk = 1 << 14;
  const auto count = static_cast<std::int64_t>(parameters.size());
#pragma omp parallel for schedule(static)
  for (std::int64_t begin = 0; begin < count; begin += kChunk)
    update(step, begin, std::min(begin + kChunk, count), parameters.data(), gradients.data(), state.first.data(),
           state.second.data());
}

}  // namespace mien
