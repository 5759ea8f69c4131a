// What only the GPU's version has: counts in device memory, graphs, room for samples, the same bits every time.
#include <gtest/gtest.h>

#include <limits>

#include "field/backends.h"
#include "mien/base/error.h"

namespace mien {
namespace {

using namespace field_test;

class CudaField : public testing::Test {
 protected:
  void SetUp() override {
    if (!cuda_missing().empty()) GTEST_SKIP() << cuda_missing();
  }
};
constexpr Backend kCuda = {"cuda", true};

TEST(CudaFieldWithoutCuda, SaysWhatIsMissing) {
  if (cuda_missing().empty()) GTEST_SKIP() << "this machine has CUDA";
  EXPECT_THROW(CudaHashGrid(), Error);
  EXPECT_THROW(CudaOccupancy(), Error);
  EXPECT_THROW(CudaRaySamples(), Error);
  try {
    const CudaMlp network({.inputs = 3, .outputs = 3});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kMissingFeature);
    EXPECT_NE(std::string(error.what()).find("CPU"), std::string::npos) << error.what();
  }
}

TEST_F(CudaField, GivesTheSameBitsEveryTime) {
  const HashGridOptions options = {.levels = 8, .log2_table = 12, .coarsest = 4, .finest = 200};
  const HashGrid grid(options);
  const Floats table = random_values<float>(grid.parameters(), 1), points = random_values<float>(3 * 20000, 2, 0, 1),
               d_out = random_values<float>(20000 * 16, 3);
  const GridResult one = run_grid(kCuda, options, table, points, d_out, 0);
  const MlpData data({.inputs = 32, .shared = 10, .outputs = 16, .hidden = 2, .bias = true}, 30000, 7, true, 4);
  const MlpResult<float> first = run_mlp(kCuda, data);
  for (int repeat = 0; repeat < 3; ++repeat) {
    const GridResult other = run_grid(kCuda, options, table, points, d_out, 0);
    EXPECT_TRUE(one.out == other.out && one.d_table == other.d_table && one.d_points == other.d_points);
    const MlpResult<float> again = run_mlp(kCuda, data);
    EXPECT_TRUE(first.y == again.y && first.d_weights == again.d_weights && first.d_x == again.d_x &&
                first.d_shared == again.d_shared);
  }
}

TEST_F(CudaField, GradientsOfAnySizeComeThrough) {
  MlpData data({.inputs = 20, .shared = 4, .outputs = 5, .hidden = 2, .bias = true}, 500, 2, true, 5);
  for (const float size : {1e-12f, 1.0f, 1e9f}) {
    data.d_y = random_values<float>(data.d_y.size(), 6, 0, size);
    const MlpResult<double> expected = run_mlp_on_cpu<double>(data);
    const MlpResult<float> got = run_mlp(kCuda, data);
    EXPECT_LE(relative_error(got.d_weights, expected.d_weights), 2e-2) << size;
    EXPECT_LE(relative_error(got.d_x, expected.d_x), 2e-2) << size;
    EXPECT_LE(relative_error(got.d_shared, expected.d_shared), 2e-2) << size;
  }
  data.d_y = random_values<float>(data.d_y.size(), 6);
  const MlpResult<float> fixed = run_mlp(kCuda, data, {.loss_scale = 64});
  EXPECT_LE(relative_error(fixed.d_weights, run_mlp_on_cpu<double>(data).d_weights), 2e-2);
  data.d_y[0] = std::numeric_limits<float>::quiet_NaN();
  const MlpResult<float> spoilt = run_mlp(kCuda, data);
  bool noticed = false;
  for (const float v : spoilt.d_weights) noticed = noticed || std::isnan(v);
  EXPECT_TRUE(noticed);
  const HashGridOptions options = {.levels = 2, .log2_table = 8, .coarsest = 4, .finest = 20};
  const Floats table(HashGrid(options).parameters(), 1.0f), points = random_values<float>(30, 7, 0, 1);
  Floats d_out(10 * 4, 1e-20f);
  const GridResult small = run_grid(kCuda, options, table, points, d_out, 0);
  for (const float v : small.d_table) ASSERT_TRUE(std::isfinite(v));
  d_out[5] = std::numeric_limits<float>::quiet_NaN();
  noticed = false;
  for (const float v : run_grid(kCuda, options, table, points, d_out, 0).d_table) noticed = noticed || std::isnan(v);
  EXPECT_TRUE(noticed);
}

// A network's forward and backward step after a march, all counts on the device.
struct Chain {
  HashGridOptions grid_options = {.levels = 4, .log2_table = 10, .coarsest = 4, .finest = 60};
  CudaHashGrid grid{grid_options};
  CudaMlp network{{.inputs = 8, .outputs = 4, .hidden = 1}};
  std::int64_t bound = 5000;
  CudaArray<float> table{random_values<float>(HashGrid(grid_options).parameters(), 8)};
  CudaArray<float> weights{random_values<float>(64 * 12, 9)};
  CudaArray<float> points{random_values<float>(3 * bound, 10, 0, 1)}, d_y{random_values<float>(4 * bound, 11)};
  CudaArray<float> features, y, d_features, d_table, d_weights;
  CudaArray<std::uint32_t> actual{std::vector<std::uint32_t>{1234}};

  void spoil() {  // in place: a graph remembers the addresses
    features = Floats(8 * bound, 7);
    y = Floats(4 * bound, 7);
    d_features = Floats(8 * bound, 7);
    d_table = Floats(table.size(), 0);
    d_weights = Floats(weights.size(), 0);
  }
  void run(DeviceCount count, CudaStream stream) {
    grid.encode(table.data(), points.data(), count, features.data(), 0, stream);
    MlpBatch<float> batch;
    batch.x = features.data();
    network.forward(weights.data(), batch, count, y.data(), 0, stream);
    network.backward(weights.data(), batch, count, d_y.data(), {d_weights.data(), d_features.data(), 0, nullptr}, 0,
                     stream);
    grid.backward(table.data(), points.data(), d_features.data(), count, d_table.data(), nullptr, 0, stream);
  }
  std::vector<Floats> results() const { return {features.host(), y.host(), d_table.host(), d_weights.host()}; }
};

TEST_F(CudaField, CountsMayBeKnownToTheDeviceAloneAndGraphsRecorded) {
  Chain chain;
  chain.spoil();
  chain.run({1234}, nullptr);
  cuda_synchronize(nullptr);
  const std::vector<Floats> expected = chain.results();
  EXPECT_EQ(expected[0][8 * 1234], 7);
  EXPECT_NE(expected[0][8 * 1234 - 1], 7);
  EXPECT_EQ(expected[1][4 * 1234], 7);
  chain.spoil();
  OwnedCudaStream stream;
  CudaGraph graph;
  graph.begin(stream);
  chain.run({chain.bound, chain.actual.data()}, stream);
  graph.end();
  for (int repeat = 0; repeat < 2; ++repeat) {
    chain.spoil();
    graph.launch(stream);
    cuda_synchronize(stream);
    const std::vector<Floats> got = chain.results();
    EXPECT_TRUE(got[0] == expected[0] && got[1] == expected[1]);
    EXPECT_LE(relative_error(got[2], expected[2]), 1e-5);  // other blocks, other sums
    EXPECT_LE(relative_error(got[3], expected[3]), 1e-5);
  }
}

TEST_F(CudaField, WillNotGrowWhileAGraphIsRecorded) {
  Chain chain;
  chain.spoil();
  OwnedCudaStream stream;
  CudaGraph graph;
  graph.begin(stream);
  EXPECT_THROW(chain.run({chain.bound}, stream), Error);
}

TEST_F(CudaField, RaysThatFindNoRoomHaveNoSamples) {
  CudaOccupancy grid({.resolution = 8});
  Floats origins, directions;
  for (int r = 0; r < 500; ++r) {
    origins.insert(origins.end(), {0.1f, 0.001f * static_cast<float>(r), 0});
    directions.insert(directions.end(), {0, 0, 1});
  }
  const CudaArray<float> o(origins), d(directions);
  CudaRaySamples lists;
  lists.reserve(500, 4050);
  lists.march(grid.view(), {500, o.data(), d.data(), nullptr}, {.step = 0.01f});
  const std::int64_t wanted = lists.wanted(nullptr);
  EXPECT_NEAR(wanted, 50000, 500);
  const DeviceSamples& s = lists.samples();
  std::vector<std::uint32_t> count(500), total(2);
  cuda_download(count.data(), s.count, 2000);
  cuda_download(total.data(), s.total, 8);
  EXPECT_EQ(total[1], wanted);
  std::uint32_t sum = 0;
  for (int r = 0; r < 500; ++r) {
    EXPECT_EQ(count[r] == 0, r >= 40) << r;
    sum += count[r];
  }
  EXPECT_EQ(total[0], sum);
  EXPECT_LE(sum, 4050u);
}

TEST_F(CudaField, RefusesWhatItCannotDo) {
  EXPECT_THROW(CudaMlp({.inputs = 3, .outputs = 3, .width = 32}), Error);
  EXPECT_THROW(CudaMlp({.inputs = 3, .outputs = 40}), Error);
  CudaHashGrid grid({.levels = 2, .log2_table = 8, .coarsest = 4, .finest = 8});
  const CudaArray<float> values(1000);
  EXPECT_THROW(grid.encode(values.data() + 1, values.data(), {10}, values.data()), Error);
  CudaMlp network({.inputs = 3, .shared = 2, .outputs = 3});
  EXPECT_THROW(network.forward(values.data(), {10, values.data(), 0, nullptr, 1, nullptr}, {10}, values.data()), Error);
  CudaRaySamples lists;
  EXPECT_THROW(lists.reserve(std::int64_t{1} << 40, 1), Error);
}

}  // namespace
}  // namespace mien
