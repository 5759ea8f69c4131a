// The hash grid against a direct reading of the paper, and its gradients against finite differences.
#include <gtest/gtest.h>

#include <cmath>

#include "field/field_data.h"
#include "mien/base/error.h"
#include "mien/base/parallel.h"
#include "mien/field/hash_grid.h"

namespace mien {
namespace {

using namespace field_test;

// One value, straight from section 3 of the paper, with 64-bit arithmetic.
double feature(const HashGrid& grid, const std::vector<double>& table, const double* point, int level, int f) {
  const HashGridLevel& l = grid.levels()[level];
  const std::int64_t n = l.resolution;
  double sum = 0;
  for (int corner = 0; corner < 8; ++corner) {
    double weight = 1;
    std::uint64_t at[3];
    for (int a = 0; a < 3; ++a) {
      const double x = std::min(std::max(point[a], 0.0), 1.0) * static_cast<double>(n);
      const double cell = std::min(std::floor(x), static_cast<double>(n - 1));
      const bool up = ((corner >> a) & 1) != 0;
      weight *= up ? x - cell : 1 - (x - cell);
      at[a] = static_cast<std::uint64_t>(cell) + (up ? 1 : 0);
    }
    std::uint64_t entry = at[0] + (n + 1) * (at[1] + (n + 1) * at[2]);
    if ((n + 1) * (n + 1) * (n + 1) > (std::int64_t{1} << grid.options().log2_table))
      entry = (at[0] ^ (at[1] * 2654435761ULL) ^ (at[2] * 805459861ULL)) % (1ULL << grid.options().log2_table);
    sum += weight * table[(l.first + entry) * grid.options().features + f];
  }
  return sum;
}

TEST(HashGrid, HasTheLevelsOfThePaper) {
  const HashGrid grid;
  ASSERT_EQ(grid.levels().size(), 16u);
  EXPECT_EQ(grid.levels().front().resolution, 16);
  EXPECT_EQ(grid.levels().back().resolution, 2048);
  EXPECT_EQ(grid.outputs(), 32);
  const double growth = std::exp(std::log(2048.0 / 16) / 15);
  std::int64_t entries = 0;
  for (int l = 0; l < 16; ++l) {
    const HashGridLevel& level = grid.levels()[l];
    EXPECT_NEAR(level.resolution, 16 * std::pow(growth, l), 1.0) << l;
    EXPECT_EQ(level.first, entries);
    EXPECT_EQ(level.hashed, std::pow(level.resolution + 1.0, 3) > (1 << 18)) << l;
    entries += level.entries;
  }
  EXPECT_EQ(grid.parameters(), 2 * entries);
}

class HashGridFeatures : public testing::TestWithParam<int> {};

TEST_P(HashGridFeatures, AgreesWithThePaperAndWithFiniteDifferences) {
  const HashGrid grid({.levels = 5, .features = GetParam(), .log2_table = 8, .coarsest = 3, .finest = 40});
  EXPECT_FALSE(grid.levels()[0].hashed);
  EXPECT_TRUE(grid.levels()[4].hashed);
  const int count = 137, outputs = grid.outputs(), stride = outputs + 3;
  std::vector<double> table = random_values(grid.parameters(), 1), points = random_values(3 * count, 2, 0.001f, 0.999f);
  points[3] = -0.2;  // outside of the cube
  points[7] = 1.5;
  const std::vector<double> d_out = random_values(static_cast<std::size_t>(count) * stride, 3);
  std::vector<double> out(d_out.size(), 7.0);
  const auto encode = [&] { grid.encode(table.data(), points.data(), count, out.data(), stride); };
  encode();
  for (int p = 0; p < count; ++p) {
    for (int k = 0; k < outputs; ++k)
      ASSERT_NEAR(out[p * stride + k],
                  feature(grid, table, &points[3 * p], k / grid.options().features, k % grid.options().features), 1e-12)
          << p << " " << k;
    for (int k = outputs; k < stride; ++k) ASSERT_EQ(out[p * stride + k], 7.0);
  }
  const auto loss = [&] {
    encode();
    double sum = 0;
    for (int p = 0; p < count; ++p)
      for (int k = 0; k < outputs; ++k) sum += d_out[p * stride + k] * out[p * stride + k];
    return sum;
  };
  std::vector<double> d_table(table.size(), 0.25), d_points(points.size(), 7);
  grid.backward(table.data(), points.data(), d_out.data(), count, d_table.data(), d_points.data(), stride);
  for (double& v : d_table) v -= 0.25;  // was added to
  expect_gradient(table, d_table, loss, 1e-6, 7);
  expect_gradient(points, d_points, loss, 1e-5, 1, 1e-7);
  EXPECT_EQ(d_points[3], 0);
  EXPECT_EQ(d_points[7], 0);
}
INSTANTIATE_TEST_SUITE_P(Counts, HashGridFeatures, testing::Values(1, 2, 4, 8));

TEST(HashGrid, FloatAgreesWithDoubleForAnyNumberOfThreads) {
  const HashGrid grid;
  const int count = 9001;
  const std::vector<float> table = random_values<float>(grid.parameters(), 4);
  const std::vector<float> points = random_values<float>(3 * count, 5, -0.1f, 1.1f);
  const std::vector<float> d_out = random_values<float>(static_cast<std::size_t>(count) * 32, 6);
  std::vector<double> expected(d_out.size());
  grid.encode(as<double>(table).data(), as<double>(points).data(), count, expected.data());
  const int threads = thread_count();
  std::vector<float> first_out, first_table, first_points;
  for (const int t : {1, 3}) {
    set_thread_count(t);
    std::vector<float> out(d_out.size()), d_table(table.size()), d_points(points.size());
    grid.encode(table.data(), points.data(), count, out.data());
    grid.backward(table.data(), points.data(), d_out.data(), count, d_table.data(), d_points.data());
    if (t == 1) {
      EXPECT_LE(relative_error(out, expected), 1e-4);  // places at 2048 cells a side are known to 1e-4 of a cell
      first_out = out, first_table = d_table, first_points = d_points;
    } else {
      EXPECT_TRUE(out == first_out && d_table == first_table && d_points == first_points);
    }
  }
  set_thread_count(threads);
}

TEST(HashGrid, InitialisesSmallAndRefusesWhatIsOutOfRange) {
  const HashGrid grid({.log2_table = 10});
  std::vector<float> table(grid.parameters());
  Random random(1);
  grid.initialise(table, random);
  double sum = 0;
  for (const float v : table) {
    ASSERT_LE(std::abs(v), 1e-4f);
    sum += std::abs(v);
  }
  EXPECT_NEAR(sum / static_cast<double>(table.size()), 5e-5, 1e-6);
  for (const HashGridOptions& bad :
       {HashGridOptions{.levels = 0}, HashGridOptions{.features = 3}, HashGridOptions{.log2_table = 30},
        HashGridOptions{.coarsest = 64, .finest = 32}, HashGridOptions{.finest = 1 << 20}})
    EXPECT_THROW(HashGrid{bad}, Error);
}

}  // namespace
}  // namespace mien
