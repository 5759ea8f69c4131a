// Fused Adam against the published update rule in double, and its behaviour on a simple valley.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "mien/base/random.h"
#include "mien/training/adam.h"

namespace mien {
namespace {

TEST(Adam, FollowsThePublishedRule) {
  Random random(1);
  constexpr int kCount = 1003, kSteps = 20;
  const AdamOptions options{0.8f, 0.95f, 1e-8f};
  std::vector<float> parameters(kCount), gradients(kCount);
  for (float& p : parameters) p = random.normal();
  std::vector<double> x(parameters.begin(), parameters.end()), m(kCount), v(kCount);
  const double beta1 = options.beta1, beta2 = options.beta2;
  AdamState state;
  for (int t = 1; t <= kSteps; ++t) {
    const float rate = 0.01f * static_cast<float>(t);
    for (int i = 0; i < kCount; ++i) {
      gradients[i] = random.normal() * (i % 2 == 0 ? 1.0f : 1e-4f);
      const double g = gradients[i];
      m[i] = beta1 * m[i] + (1 - beta1) * g;
      v[i] = beta2 * v[i] + (1 - beta2) * g * g;
      x[i] -= rate * (m[i] / (1 - std::pow(beta1, t))) /
              (std::sqrt(v[i] / (1 - std::pow(beta2, t))) + double{options.epsilon});
    }
    adam_step(parameters, gradients, state, rate, options);
    for (const float g : gradients) ASSERT_EQ(g, 0);
  }
  EXPECT_EQ(state.steps, kSteps);
  for (int i = 0; i < kCount; ++i) ASSERT_NEAR(parameters[i], x[i], 2e-5 * (1 + std::abs(x[i]))) << i;
}

TEST(Adam, ResumesFromASavedState) {
  std::vector<float> a = {1, -2, 3}, g(3);
  AdamState state;
  auto step = [&g](std::vector<float>& p, AdamState& s) {
    for (int i = 0; i < 3; ++i) g[i] = p[i] * static_cast<float>(i + 1);
    adam_step(p, g, s, 0.1f);
  };
  for (int t = 0; t < 5; ++t) step(a, state);
  std::vector<float> b = a;
  AdamState copy{state.first, state.second, state.steps};
  for (int t = 0; t < 5; ++t) {
    step(a, state);
    step(b, copy);
  }
  EXPECT_EQ(a, b);
}

}  // namespace
}  // namespace mien
