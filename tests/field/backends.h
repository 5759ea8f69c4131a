// One test body over both back ends: the CPU's float version and CUDA behind one face, with data in host memory.
// Output memory is filled with rubbish first.
#pragma once

#include "field/field_data.h"
#include "mien/field/cuda.h"

namespace mien::field_test {

struct Backend {
  const char* name;
  bool cuda;
};
inline const Backend kBackends[] = {{"cpu", false}, {"cuda", true}};
inline std::string unavailable(const Backend& backend) {
  return backend.cuda ? cuda_missing() : "";
}

using Floats = std::vector<float>;

struct GridResult {
  Floats out, d_table, d_points;
};
// Everything that the hash grid gives, from data [count, ...]; gradients of the table are added to 0.25.
inline GridResult run_grid(const Backend& backend, const HashGridOptions& options, const Floats& table,
                           const Floats& points, const Floats& d_out, std::int64_t stride, bool deterministic = true) {
  const auto count = static_cast<std::int64_t>(points.size() / 3);
  GridResult r = {Floats(d_out.size(), 7), Floats(table.size(), 0.25f), Floats(points.size(), 7)};
  if (!backend.cuda) {
    const HashGrid grid(options);
    grid.encode(table.data(), points.data(), count, r.out.data(), stride);
    grid.backward(table.data(), points.data(), d_out.data(), count, r.d_table.data(), r.d_points.data(), stride);
    return r;
  }
  CudaHashGrid grid(options, {.deterministic = deterministic});
  const CudaArray<float> device_table(table), device_points(points), device_d_out(d_out), out(r.out),
      d_table(r.d_table), d_points(r.d_points);
  grid.encode(device_table.data(), device_points.data(), {count}, out.data(), stride);
  grid.backward(device_table.data(), device_points.data(), device_d_out.data(), {count}, d_table.data(),
                d_points.data(), stride);
  cuda_synchronize(nullptr);
  return {out.host(), d_table.host(), d_points.host()};
}

struct MlpData {
  MlpShape shape;
  std::int64_t count, x_stride, y_stride;
  int groups;
  Floats weights, x, shared, d_y;
  std::vector<std::int32_t> group;

  MlpData(const MlpShape& s, std::int64_t n, int group_count, bool sorted, std::uint64_t seed)
      : shape(s), count(n), x_stride(s.inputs + 3), y_stride(s.outputs + 2), groups(group_count) {
    weights.resize(s.parameters());
    Random random(seed);
    initialise_mlp(s, weights, random);
    for (float& w : weights) w += 0.02f * random.normal();  // biases too
    x = random_values<float>(n * x_stride, seed + 1);
    shared = random_values<float>(static_cast<std::size_t>(groups) * s.shared, seed + 2);
    d_y = random_values<float>(n * y_stride, seed + 3, 0, 2e-4f);  // as small as a mean over pixels makes them
    for (std::int64_t i = 0; i < n; ++i)
      group.push_back(sorted ? static_cast<std::int32_t>(i * groups / n)
                             : static_cast<std::int32_t>(random.below(groups)));
  }
  template <typename T>
  MlpBatch<T> batch(const T* device_x, const T* device_shared, const std::int32_t* device_group) const {
    return {count, device_x, x_stride, device_shared, groups, device_group};
  }
};

template <typename T>
struct MlpResult {
  std::vector<T> y, d_weights, d_x, d_shared;
};
template <typename T>
MlpResult<T> run_mlp_on_cpu(const MlpData& data) {
  const std::vector<T> weights = as<T>(data.weights), x = as<T>(data.x), shared = as<T>(data.shared),
                       d_y = as<T>(data.d_y);
  MlpResult<T> r = {std::vector<T>(d_y.size(), 7), std::vector<T>(weights.size()), std::vector<T>(x.size(), 7),
                    std::vector<T>(shared.size())};
  const MlpBatch<T> batch = data.batch<T>(x.data(), shared.data(), data.group.data());
  mlp_forward(data.shape, weights.data(), batch, r.y.data(), data.y_stride);
  mlp_backward<T>(data.shape, weights.data(), batch, d_y.data(),
                  {r.d_weights.data(), r.d_x.data(), data.x_stride, r.d_shared.data()}, data.y_stride);
  return r;
}
inline MlpResult<float> run_mlp(const Backend& backend, const MlpData& data, const CudaMlpOptions& options = {}) {
  if (!backend.cuda) return run_mlp_on_cpu<float>(data);
  CudaMlp network(data.shape, options);
  const CudaArray<float> weights(data.weights), x(data.x), shared(data.shared), d_y(data.d_y);
  const CudaArray<std::int32_t> group(data.group);
  const CudaArray<float> y(Floats(data.d_y.size(), 7)), d_x(Floats(data.x.size(), 7)),
      d_weights(Floats(data.weights.size(), 0)), d_shared(Floats(data.shared.size(), 0));
  const MlpBatch<float> batch = data.batch<float>(x.data(), shared.data(), group.data());
  network.forward(weights.data(), batch, {data.count}, y.data(), data.y_stride);
  network.backward(weights.data(), batch, {data.count}, d_y.data(),
                   {d_weights.data(), d_x.data(), data.x_stride, d_shared.data()}, data.y_stride);
  cuda_synchronize(nullptr);
  return {y.host(), d_weights.host(), d_x.host(), d_shared.host()};
}

// Marches with room enough, and leaves out every third sample.
inline void run_march(const Backend& backend, const Occupancy& grid, const RayBatch& rays, const MarchOptions& options,
                      RaySamples& samples, RaySamples& kept, std::vector<std::uint32_t>& from) {
  if (!backend.cuda) {
    march_rays(grid.view(), rays, options, samples);
    std::vector<std::uint8_t> keep(samples.size());
    for (std::size_t i = 0; i < keep.size(); ++i) keep[i] = i % 3 != 0;
    compact_samples(samples, keep.data(), kept, from);
    return;
  }
  CudaOccupancy device_grid(grid.options());
  device_grid.upload(grid);
  const CudaArray<float> origins(Floats(rays.origins, rays.origins + 3 * rays.rays)),
      directions(Floats(rays.directions, rays.directions + 3 * rays.rays)),
      spans(rays.spans != nullptr ? Floats(rays.spans, rays.spans + 2 * rays.rays) : Floats(1));
  const RayBatch device_rays = {rays.rays, origins.data(), directions.data(),
                                rays.spans != nullptr ? spans.data() : nullptr};
  CudaRaySamples lists, fewer;
  lists.march(device_grid.view(), device_rays, options);  // without room: says how much it takes
  const std::int64_t wanted = lists.wanted(nullptr);
  lists.reserve(rays.rays, wanted);
  fewer.reserve(rays.rays, wanted);
  lists.march(device_grid.view(), device_rays, options);
  std::vector<std::uint8_t> keep(wanted);
  for (std::size_t i = 0; i < keep.size(); ++i) keep[i] = i % 3 != 0;
  const CudaArray<std::uint8_t> device_keep(keep);
  fewer.compact(lists.samples(), device_keep.data());
  cuda_synchronize(nullptr);
  const auto read = [&](const DeviceSamples& s, RaySamples& to) {
    std::uint32_t total[2];
    cuda_download(total, s.total, sizeof(total));
    EXPECT_EQ(total[0], total[1]);
    to.first.resize(s.rays);
    to.count.resize(s.rays);
    to.t.resize(total[0]);
    to.dt.resize(total[0]);
    to.ray.resize(total[0]);
    cuda_download(to.first.data(), s.first, 4 * to.first.size());
    cuda_download(to.count.data(), s.count, 4 * to.count.size());
    cuda_download(to.t.data(), s.t, 4 * to.t.size());
    cuda_download(to.dt.data(), s.dt, 4 * to.dt.size());
    cuda_download(to.ray.data(), s.ray, 4 * to.ray.size());
  };
  read(lists.samples(), samples);
  read(fewer.samples(), kept);
  from.resize(kept.size());
  cuda_download(from.data(), fewer.samples().from, 4 * from.size());
}

}  // namespace mien::field_test
