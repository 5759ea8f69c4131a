// Random inputs, finite differences and comparisons for the tests of radiance field operations.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <vector>

#include "mien/base/random.h"

namespace mien::field_test {

template <typename T = double>
std::vector<T> random_values(std::size_t count, std::uint64_t seed, float low = -1, float high = 1) {
  Random random(seed);
  std::vector<T> out(count);
  for (T& v : out) v = random.uniform(low, high);
  return out;
}

template <typename To, typename From>
std::vector<To> as(const std::vector<From>& values) {
  return std::vector<To>(values.begin(), values.end());
}

inline double dot(const std::vector<double>& a, const std::vector<double>& b) {
  EXPECT_EQ(a.size(), b.size());
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// Compares every `every`-th value of a gradient with central differences of `loss` over `values`.
inline void expect_gradient(std::vector<double>& values, const std::vector<double>& gradient,
                            const std::function<double()>& loss, double tolerance = 1e-6, std::size_t every = 1,
                            double h = 1e-6) {
  ASSERT_EQ(values.size(), gradient.size());
  double largest = 0;
  for (const double g : gradient) largest = std::max(largest, std::abs(g));
  ASSERT_GT(largest, 0);
  for (std::size_t i = 0; i < values.size(); i += every) {
    const double before = values[i];
    values[i] = before + h;
    const double up = loss();
    values[i] = before - h;
    const double down = loss();
    values[i] = before;
    ASSERT_NEAR(gradient[i], (up - down) / (2 * h), tolerance * (1 + largest)) << "value " << i;
  }
}

// |got - expected| / |expected|, as vectors.
template <typename A, typename B>
double relative_error(const std::vector<A>& got, const std::vector<B>& expected) {
  EXPECT_EQ(got.size(), expected.size());
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < std::min(got.size(), expected.size()); ++i) {
    difference += std::pow(static_cast<double>(got[i]) - static_cast<double>(expected[i]), 2);
    norm += std::pow(static_cast<double>(expected[i]), 2);
  }
  EXPECT_GT(norm, 0);
  return std::sqrt(difference / norm);
}

}  // namespace mien::field_test
