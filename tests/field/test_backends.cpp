// Both back ends in float against the CPU's double version, which the other tests hold against finite differences.
#include <gtest/gtest.h>

#include "field/backends.h"

namespace mien {
namespace {

using namespace field_test;

class FieldBackend : public testing::TestWithParam<Backend> {
 protected:
  void SetUp() override {
    if (const std::string why = unavailable(GetParam()); !why.empty()) GTEST_SKIP() << why;
  }
};
std::string backend_name(const testing::TestParamInfo<Backend>& info) {
  return info.param.name;
}
INSTANTIATE_TEST_SUITE_P(All, FieldBackend, testing::ValuesIn(kBackends), backend_name);

TEST_P(FieldBackend, HashGridAgreesWithDouble) {
  for (const int features : {1, 2, 4, 8})
    for (const bool deterministic : {true, false}) {
      if (!deterministic && !GetParam().cuda) continue;
      const HashGridOptions options = {
          .levels = features == 8 ? 16 : 9, .features = features, .log2_table = 12, .coarsest = 4, .finest = 300};
      const HashGrid grid(options);
      const std::int64_t count = 1500, stride = grid.outputs() + 1;
      const Floats table = random_values<float>(grid.parameters(), 80);
      Floats points = random_values<float>(3 * count, 81, -0.05f, 1.05f);
      for (std::int64_t i = 300; i < 900; ++i)  // a ray
        for (int a = 0; a < 3; ++a)
          points[3 * i + a] = 0.20031f + 0.00100123f * static_cast<float>((a + 1) * (i - 300) % 700);
      Floats d_out = random_values<float>(count * stride, 82);
      std::fill(d_out.begin() + 100 * stride, d_out.begin() + 200 * stride, 0.0f);
      std::vector<double> out(d_out.size(), 7), d_table(table.size(), 0.25), d_points(points.size());
      grid.encode(as<double>(table).data(), as<double>(points).data(), count, out.data(), stride);
      grid.backward(as<double>(table).data(), as<double>(points).data(), as<double>(d_out).data(), count,
                    d_table.data(), d_points.data(), stride);
      const GridResult got = run_grid(GetParam(), options, table, points, d_out, stride, deterministic);
      EXPECT_LE(relative_error(got.out, out), 2e-5) << features;
      EXPECT_LE(relative_error(got.d_table, d_table), 2e-5) << features;
      EXPECT_LE(relative_error(got.d_points, d_points), 1e-4) << features;
      for (std::int64_t p = 0; p < count; ++p) ASSERT_EQ(got.out[p * stride + grid.outputs()], 7);
    }
}

TEST_P(FieldBackend, NetworksAgreeWithDouble) {
  // On the GPU activations and slopes are rounded to half precision: 2^-11 relative, each.
  const double tolerance = GetParam().cuda ? 4e-3 : 1e-5, slopes = GetParam().cuda ? 2e-2 : 2e-3;
  const MlpShape shapes[] = {
      {.inputs = 32, .outputs = 16, .hidden = 1},
      {.inputs = 32, .shared = 52, .outputs = 17, .hidden = 1, .bias = true},
      {.inputs = 48, .outputs = 3, .hidden = 2, .bias = true},
      {.inputs = 16, .shared = 20, .outputs = 1, .hidden = 2},
      {.inputs = 33, .shared = 5, .outputs = 32, .hidden = 3, .bias = true},
      {.inputs = 100, .outputs = 20, .hidden = 2},
      {.inputs = 128, .shared = 3, .outputs = 4, .hidden = 3, .bias = true},
  };
  int number = 0;
  for (const MlpShape& shape : shapes)
    for (const bool sorted : {true, false}) {
      const MlpData data(shape, number % 3 == 0 ? 1 : 700 + 37 * number, 5, sorted, 90 + number);
      const MlpResult<double> expected = run_mlp_on_cpu<double>(data);
      const MlpResult<float> got = run_mlp(GetParam(), data);
      EXPECT_LE(relative_error(got.y, expected.y), tolerance) << number;
      EXPECT_LE(relative_error(got.d_weights, expected.d_weights), slopes) << number;
      EXPECT_LE(relative_error(got.d_x, expected.d_x), slopes) << number;
      if (shape.shared > 0) {
        EXPECT_LE(relative_error(got.d_shared, expected.d_shared), slopes) << number;
      }
      ++number;
    }
}

TEST_P(FieldBackend, MarchesAlike) {
  Occupancy grid({.resolution = 48});
  std::vector<std::uint8_t> marks(grid.cells());
  Random random(110);
  for (std::uint8_t& m : marks) m = random.uniform() < 0.1f;
  grid.mark(marks);
  const std::int64_t rays = 700;
  const Floats origins = random_values<float>(3 * rays, 111, -1, 2),
               towards = random_values<float>(3 * rays, 112, 0, 1);
  Floats directions, spans;
  for (std::size_t i = 0; i < origins.size(); ++i) directions.push_back(towards[i] - origins[i]);
  for (std::int64_t r = 0; r < rays; ++r) spans.insert(spans.end(), {0.5f, 1.2f});
  for (const bool jitter : {false, true}) {
    const RayBatch batch = {rays, origins.data(), directions.data(), jitter ? spans.data() : nullptr};
    const MarchOptions options = {.step = 0.002f, .jitter = jitter, .seed = 9, .most = 30};
    RaySamples expected, expected_kept, samples, kept;
    std::vector<std::uint32_t> expected_from, from;
    run_march({"cpu", false}, grid, batch, options, expected, expected_kept, expected_from);
    run_march(GetParam(), grid, batch, options, samples, kept, from);
    ASSERT_GT(expected.size(), 2000);
    EXPECT_TRUE(samples.first == expected.first && samples.count == expected.count && samples.ray == expected.ray);
    EXPECT_TRUE(samples.t == expected.t && samples.dt == expected.dt);
    EXPECT_TRUE(kept.first == expected_kept.first && kept.count == expected_kept.count && from == expected_from);
    EXPECT_TRUE(kept.t == expected_kept.t && kept.dt == expected_kept.dt && kept.ray == expected_kept.ray);
  }
}

TEST_P(FieldBackend, OccupancyLearnsAlike) {
  const OccupancyOptions options = {.resolution = 20, .decay = 0.8f, .threshold = 3};
  Occupancy expected(options);
  std::unique_ptr<CudaOccupancy> cuda;
  if (GetParam().cuda) cuda = std::make_unique<CudaOccupancy>(options);
  Occupancy got(options);
  for (int round = 0; round < 4; ++round) {
    const std::int64_t count = round < 2 ? expected.cells() : 1111;
    std::vector<std::uint32_t> cell(count), cell_got(count, 7);
    Floats points(3 * count), points_got(3 * count, 7), density(count);
    expected.sample(count, round, cell.data(), points.data());
    for (std::int64_t i = 0; i < count; ++i) density[i] = points[3 * i] > 0.6f ? 10 * points[3 * i + 1] : 0;
    expected.update(count, cell.data(), density.data());
    if (cuda) {
      const CudaArray<std::uint32_t> device_cell(cell_got);
      const CudaArray<float> device_points(points_got), device_density(density);
      cuda->sample(count, round, device_cell.data(), device_points.data());
      cuda->update(count, device_cell.data(), device_density.data());
      cuda->download(got);
      cell_got = device_cell.host(), points_got = device_points.host();
    } else {
      got.sample(count, round, cell_got.data(), points_got.data());
      got.update(count, cell_got.data(), density.data());
    }
    EXPECT_EQ(cell_got, cell);
    EXPECT_EQ(points_got, points);
    EXPECT_TRUE(std::equal(got.density().begin(), got.density().end(), expected.density().begin()));
    EXPECT_TRUE(std::equal(got.bits().begin(), got.bits().end(), expected.bits().begin()));
  }
  EXPECT_GT(got.fraction(), 0.1);
  EXPECT_LT(got.fraction(), 0.5);
}

TEST_P(FieldBackend, CompositeAgreesWithDouble) {
  std::vector<std::uint32_t> first, count;
  std::uint32_t samples = 0;
  for (const std::uint32_t n : {0u, 1u, 31u, 32u, 33u, 64u, 100u, 300u, 0u, 5u, 77u}) {
    first.push_back(samples);
    count.push_back(n);
    samples += n;
  }
  const auto rays = static_cast<std::int64_t>(first.size());
  Floats t(samples), dt(samples, 0.01f);
  for (std::uint32_t i = 0; i < samples; ++i) t[i] = 0.01f * static_cast<float>(i % 300);
  const Floats density = random_values<float>(samples, 120, 0, 20),
               colour = random_values<float>(std::size_t{3} * samples, 121, 0, 1);
  const Floats d_rgb = random_values<float>(3 * rays, 122), d_depth = random_values<float>(rays, 123),
               d_opacity = random_values<float>(rays, 124), d_weights = random_values<float>(samples, 125);
  const auto run = [&](auto number) {
    using T = decltype(number);
    const std::vector<T> ts = as<T>(t), dts = as<T>(dt), densities = as<T>(density), colours = as<T>(colour),
                         d_rgbs = as<T>(d_rgb), d_depths = as<T>(d_depth), d_opacities = as<T>(d_opacity),
                         d_all = as<T>(d_weights);
    std::vector<std::vector<T>> out = {std::vector<T>(3 * rays, 7), std::vector<T>(rays, 7),
                                       std::vector<T>(rays, 7),     std::vector<T>(samples, 7),
                                       std::vector<T>(samples, 7),  std::vector<T>(std::size_t{3} * samples, 7)};
    const CompositeInput<T> in = {rays,       first.data(),     count.data(),  ts.data(),
                                  dts.data(), densities.data(), colours.data()};
    const CompositeOutput<T> to = {out[0].data(), out[1].data(), out[2].data(), out[3].data()};
    composite_rays<T>(in, to);
    composite_backward<T>(
        in, to, {d_rgbs.data(), d_depths.data(), d_opacities.data(), d_all.data(), out[4].data(), out[5].data()});
    return out;
  };
  const std::vector<std::vector<double>> expected = run(0.0);
  std::vector<Floats> got;
  if (GetParam().cuda) {
    const CudaArray<std::uint32_t> d_first(first), d_count(count);
    const CudaArray<float> d_t(t), d_dt(dt), d_density(density), d_colour(colour), g_rgb(d_rgb), g_depth(d_depth),
        g_opacity(d_opacity), g_weights(d_weights);
    std::vector<CudaArray<float>> out(6);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = Floats(expected[i].size(), 7);
    const CompositeInput<float> in = {rays,        d_first.data(),   d_count.data(), d_t.data(),
                                      d_dt.data(), d_density.data(), d_colour.data()};
    const CompositeOutput<float> to = {out[0].data(), out[1].data(), out[2].data(), out[3].data()};
    cuda_composite(in, to);
    cuda_composite_backward(
        in, to, {g_rgb.data(), g_depth.data(), g_opacity.data(), g_weights.data(), out[4].data(), out[5].data()});
    cuda_synchronize(nullptr);
    for (const CudaArray<float>& a : out) got.push_back(a.host());
  } else {
    got = run(0.0f);
  }
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_LE(relative_error(got[i], expected[i]), 1e-4) << i;
}

}  // namespace
}  // namespace mien
