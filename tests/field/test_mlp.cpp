// Small networks against a direct evaluation, and their gradients against finite differences.
#include <gtest/gtest.h>

#include <limits>

#include "field/field_data.h"
#include "mien/base/error.h"
#include "mien/base/parallel.h"
#include "mien/field/mlp.h"

namespace mien {
namespace {

using namespace field_test;

struct Job {
  MlpShape shape;
  int count, groups;
  std::vector<double> weights, x, shared, d_y;
  std::vector<std::int32_t> group;

  Job(const MlpShape& s, int n, int g, std::uint64_t seed)
      : shape(s),
        count(n),
        groups(g),
        weights(random_values(s.parameters(), seed, -0.3f, 0.3f)),
        x(random_values(static_cast<std::size_t>(n) * s.inputs, seed + 1)),
        shared(random_values(static_cast<std::size_t>(g) * s.shared, seed + 2)),
        d_y(random_values(static_cast<std::size_t>(n) * s.outputs, seed + 3)) {
    Random random(seed + 4);
    for (int i = 0; i < n; ++i) group.push_back(static_cast<std::int32_t>(random.below(g)));
  }
  MlpBatch<double> batch() const { return {count, x.data(), 0, shared.data(), groups, group.data()}; }
  std::vector<double> forward() const {
    std::vector<double> y(d_y.size(), 7);
    mlp_forward(shape, weights.data(), batch(), y.data());
    return y;
  }
};

// One sample through the layers, one after the other.
std::vector<double> evaluate(const Job& job, int n) {
  const MlpShape& s = job.shape;
  std::vector<double> values(job.x.begin() + n * s.inputs, job.x.begin() + (n + 1) * s.inputs);
  const auto shared = job.shared.begin() + job.group[n] * s.shared;
  values.insert(values.end(), shared, shared + s.shared);
  const double* w = job.weights.data();
  for (int l = 0; l <= s.hidden; ++l) {
    std::vector<double> next(l == s.hidden ? s.outputs : s.width, 0);
    for (double& out : next)
      for (const double in : values) out += *w++ * in;
    for (double& out : next) {
      if (s.bias) out += *w++;
      if (l < s.hidden) out = std::max(out, 0.0);
    }
    values = next;
  }
  EXPECT_EQ(w, job.weights.data() + job.weights.size());
  return values;
}

const MlpShape kShapes[] = {{.inputs = 5, .outputs = 3, .width = 7, .hidden = 1},
                            {.inputs = 19, .shared = 4, .outputs = 2, .width = 20, .hidden = 2, .bias = true},
                            {.inputs = 32, .shared = 11, .outputs = 17, .width = 64, .hidden = 3},
                            {.inputs = 3, .outputs = 1, .width = 33, .hidden = 2, .bias = true}};

TEST(Mlp, AgreesWithDirectEvaluation) {
  for (const MlpShape& shape : kShapes) {
    const Job job(shape, 203, 5, 10);
    const std::vector<double> y = job.forward();
    for (int n = 0; n < job.count; ++n) {
      const std::vector<double> expected = evaluate(job, n);
      for (int o = 0; o < shape.outputs; ++o) ASSERT_NEAR(y[n * shape.outputs + o], expected[o], 1e-12) << n;
    }
  }
}

constexpr double kH = 1e-7;  // few samples are that near to a ReLU's corner

TEST(Mlp, GradientsAgreeWithFiniteDifferences) {
  for (const MlpShape& shape : kShapes) {
    Job job(shape, 101, 3, 20);
    std::vector<double> d_weights(job.weights.size(), 0.5), d_x(job.x.size(), 7), d_shared(job.shared.size(), 0.5);
    mlp_backward(shape, job.weights.data(), job.batch(), job.d_y.data(),
                 {d_weights.data(), d_x.data(), 0, d_shared.data()});
    for (double& v : d_weights) v -= 0.5;  // were added to
    for (double& v : d_shared) v -= 0.5;
    const auto loss = [&] { return dot(job.forward(), job.d_y); };
    expect_gradient(job.weights, d_weights, loss, 1e-6, 1 + job.weights.size() / 60, kH);
    expect_gradient(job.x, d_x, loss, 1e-6, 1 + job.x.size() / 60, kH);
    if (shape.shared > 0) expect_gradient(job.shared, d_shared, loss, 1e-6, 1, kH);
  }
}

TEST(Mlp, RowsMayBeWiderThanTheirValues) {
  const Job job(kShapes[1], 97, 2, 30);
  const int in = job.shape.inputs + 5, out = job.shape.outputs + 2;
  std::vector<double> x(97 * in, 3), y(97 * out, 7), d_y(97 * out, 9), d_x(97 * in, 7), narrow_d_x(job.x.size());
  for (int n = 0; n < 97; ++n) {
    std::copy_n(&job.x[n * job.shape.inputs], job.shape.inputs, &x[n * in]);
    std::copy_n(&job.d_y[n * job.shape.outputs], job.shape.outputs, &d_y[n * out]);
  }
  MlpBatch<double> batch = job.batch();
  mlp_backward(job.shape, job.weights.data(), batch, job.d_y.data(), {nullptr, narrow_d_x.data(), 0, nullptr});
  batch.x = x.data();
  batch.x_stride = in;
  mlp_forward(job.shape, job.weights.data(), batch, y.data(), out);
  mlp_backward(job.shape, job.weights.data(), batch, d_y.data(), {nullptr, d_x.data(), in, nullptr}, out);
  const std::vector<double> expected = job.forward();
  for (int n = 0; n < 97; ++n) {
    for (int o = 0; o < out; ++o)
      ASSERT_EQ(y[n * out + o], o < job.shape.outputs ? expected[n * job.shape.outputs + o] : 7);
    for (int i = 0; i < in; ++i)
      ASSERT_EQ(d_x[n * in + i], i < job.shape.inputs ? narrow_d_x[n * job.shape.inputs + i] : 7);
  }
}

TEST(Mlp, FloatAgreesWithDoubleForAnyNumberOfThreads) {
  const Job job({.inputs = 48, .shared = 52, .outputs = 16, .hidden = 2, .bias = true}, 5000, 4, 40);
  std::vector<double> expected_weights(job.weights.size()), expected_x(job.x.size());
  mlp_backward(job.shape, job.weights.data(), job.batch(), job.d_y.data(),
               {expected_weights.data(), expected_x.data(), 0, nullptr});
  const std::vector<float> weights = as<float>(job.weights), x = as<float>(job.x), shared = as<float>(job.shared),
                           d_y = as<float>(job.d_y);
  const MlpBatch<float> batch = {job.count, x.data(), 0, shared.data(), job.groups, job.group.data()};
  const int threads = thread_count();
  std::vector<float> first_y, first_weights;
  for (const int t : {1, 3}) {
    set_thread_count(t);
    std::vector<float> y(d_y.size()), d_weights(weights.size()), d_x(x.size());
    mlp_forward(job.shape, weights.data(), batch, y.data());
    mlp_backward(job.shape, weights.data(), batch, d_y.data(), {d_weights.data(), d_x.data(), 0, nullptr});
    EXPECT_LE(relative_error(y, job.forward()), 1e-6);
    EXPECT_LE(relative_error(d_weights, expected_weights), 2e-3);  // a few are on the other side of a ReLU
    EXPECT_LE(relative_error(d_x, expected_x), 2e-3);
    if (t == 1) first_y = y, first_weights = d_weights;
    EXPECT_TRUE(y == first_y && d_weights == first_weights);
  }
  set_thread_count(threads);
}

TEST(Mlp, WhatIsNotANumberComesThrough) {
  Job job(kShapes[0], 10, 1, 50);
  job.x[0] = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> y = job.forward();
  EXPECT_TRUE(std::isnan(y[0]));
  EXPECT_FALSE(std::isnan(y[3]));
}

TEST(Mlp, InitialisesByTheNumberOfInputs) {
  const MlpShape shape = {.inputs = 30, .shared = 20, .outputs = 4, .hidden = 2, .bias = true};
  std::vector<float> weights(shape.parameters(), 7);
  Random random(3);
  initialise_mlp(shape, weights, random, 0);
  double first = 0;
  for (int i = 0; i < 64 * 50; ++i) first += weights[i] * weights[i];
  EXPECT_NEAR(first / (64 * 50), 2.0 / 50, 0.002);
  for (std::size_t i = weights.size() - 4 * 65; i < weights.size(); ++i) ASSERT_EQ(weights[i], 0);
  EXPECT_THROW((MlpShape{.inputs = 0, .outputs = 1}).check(), Error);
  EXPECT_THROW((MlpShape{.inputs = 1, .outputs = 100}).check(), Error);
  EXPECT_THROW((MlpShape{.inputs = 1, .outputs = 1, .hidden = 4}).check(), Error);
}

}  // namespace
}  // namespace mien
