// Times the operations of a radiance field, forward and backward, with the sizes of a PAV head avatar: the samples of
// rays through a shell, a hash grid of 16 levels, the density network (32 features and 52 shared expression weights to
// 16), the colour network (48 to 3) and volume rendering. Prints the machine and medians.
//   bench_field [--device cpu|cuda] [--rays 65536] [--repeats 20] [--threads 0]
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <functional>

#include "mien/base/error.h"
#include "mien/base/parallel.h"
#include "mien/cuda/device.h"
#include "mien/field/cuda.h"

namespace mien::bench {
namespace {

struct Clock {
  bool cuda;
  int repeats;

  double median_ms(const std::function<void()>& body) const {
    std::vector<double> times;
    for (int i = 0; i < repeats + 3; ++i) {
      double took = 0;
      if (cuda) {
        CudaTimer timer;
        timer.start(nullptr);
        body();
        timer.stop(nullptr);
        took = timer.milliseconds();
      } else {
        const auto start = std::chrono::steady_clock::now();
        body();
        took = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
      }
      if (i >= 3) times.push_back(took);
    }
    std::sort(times.begin(), times.end());
    return times[times.size() / 2];
  }
};

std::string processor() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  return "unknown processor";
}

// Rays of a square picture of a shell (radii 0.3 to 0.35) in the cube.
struct Scene {
  Occupancy grid{{.resolution = 128}};
  std::vector<float> origins, directions;
  RaySamples samples;
  std::vector<float> points;
  static constexpr float kStep = 0.004f;

  explicit Scene(int rays) {
    std::vector<std::uint8_t> marks(grid.cells());
    for (std::int64_t i = 0; i < grid.cells(); ++i) {
      const double x = (static_cast<double>(i % 128) + 0.5) / 128 - 0.5,
                   y = (static_cast<double>(i / 128 % 128) + 0.5) / 128 - 0.5,
                   z = (static_cast<double>(i / 128 / 128) + 0.5) / 128 - 0.5, r = std::sqrt(x * x + y * y + z * z);
      marks[i] = r > 0.3 && r < 0.35;
    }
    grid.mark(marks);
    const int side = static_cast<int>(std::sqrt(rays));
    for (int r = 0; r < side * side; ++r) {
      origins.insert(origins.end(), {0.5f, 0.5f, -1.0f});
      const float u = (static_cast<float>(r % side) + 0.5f) / static_cast<float>(side) - 0.5f,
                  v = (static_cast<float>(r / side) + 0.5f) / static_cast<float>(side) - 0.5f;
      directions.insert(directions.end(), {0.55f * u, 0.55f * v, 1});
    }
    march_rays(grid.view(), batch(), {.step = kStep}, samples);
    for (std::int64_t i = 0; i < samples.size(); ++i)
      for (int a = 0; a < 3; ++a)
        points.push_back(origins[3 * samples.ray[i] + a] + samples.t[i] * directions[3 * samples.ray[i] + a]);
  }
  RayBatch batch() const {
    return {static_cast<std::int64_t>(origins.size() / 3), origins.data(), directions.data(), nullptr};
  }
};

void row(const char* what, double ms, double items, const char* unit, double flops = 0) {
  std::printf("%-44s %9.3f ms %9.1f M %s/s", what, ms, items / ms / 1e3, unit);
  if (flops > 0) std::printf("  %8.1f GFLOP/s", flops / ms / 1e6);
  std::printf("\n");
}

struct Net {
  const char* name;
  MlpShape shape;
  double products() const {  // multiply-adds a sample
    return 64.0 * shape.inputs + 64.0 * 64 * (shape.hidden - 1) + 64.0 * shape.outputs;
  }
};
const Net kNets[] = {{"density network 32(+52)-64-16", {.inputs = 32, .shared = 52, .outputs = 16, .hidden = 1}},
                     {"density network 32(+52)-64-64-16", {.inputs = 32, .shared = 52, .outputs = 16, .hidden = 2}},
                     {"colour network 48-64-64-3", {.inputs = 48, .outputs = 3, .hidden = 2}},
                     {"colour network 48-64-64-64-3", {.inputs = 48, .outputs = 3, .hidden = 3}}};
constexpr int kGroups = 8;

std::vector<float> random_floats(std::size_t count, std::uint64_t seed, float low, float high) {
  Random random(seed);
  std::vector<float> out(count);
  for (float& v : out) v = random.uniform(low, high);
  return out;
}

// What both devices work on, in the host's memory.
struct Data {
  std::int64_t n;
  std::vector<float> table, wide, narrow, shared, weights;
  std::vector<std::int32_t> group;

  explicit Data(std::int64_t samples) : n(samples) {
    table = random_floats(HashGrid().parameters(), 1, -0.1f, 0.1f);
    wide = random_floats(48 * n, 2, -1, 1);
    narrow = random_floats(16 * n, 3, 0, 1e-3f);
    shared = random_floats(kGroups * 52, 4, 0, 1);
    weights = random_floats(1 << 15, 5, -0.2f, 0.2f);
    for (std::int64_t i = 0; i < n; ++i) group.push_back(static_cast<std::int32_t>(i * kGroups / n));
  }
};

void run_cpu(const Scene& scene, const Clock& clock) {
  const HashGrid grid;
  Data data(scene.samples.size());
  const auto n = static_cast<double>(data.n);
  RaySamples samples;
  row("march of rays",
      clock.median_ms([&] { march_rays(scene.grid.view(), scene.batch(), {.step = Scene::kStep}, samples); }),
      static_cast<double>(scene.batch().rays), "rays");
  std::vector<float> out(48 * data.n), d_table(data.table.size()), d_points(3 * data.n), d_weights(1 << 15),
      d_shared(data.shared.size());
  const float* points = scene.points.data();
  row("hash grid", clock.median_ms([&] { grid.encode(data.table.data(), points, data.n, out.data()); }), n, "samples");
  row("hash grid backward, table", clock.median_ms([&] {
    grid.backward(data.table.data(), points, data.wide.data(), data.n, d_table.data(), static_cast<float*>(nullptr));
  }),
      n, "samples");
  row("hash grid backward, points", clock.median_ms([&] {
    grid.backward(data.table.data(), points, data.wide.data(), data.n, static_cast<float*>(nullptr), d_points.data());
  }),
      n, "samples");
  for (const Net& net : kNets) {
    const MlpBatch<float> batch = {data.n, data.wide.data(), 0, data.shared.data(), kGroups, data.group.data()};
    row(net.name, clock.median_ms([&] { mlp_forward(net.shape, data.weights.data(), batch, out.data()); }), n,
        "samples", 2 * net.products() * n);
    row("  backward", clock.median_ms([&] {
      mlp_backward(net.shape, data.weights.data(), batch, data.narrow.data(),
                   {d_weights.data(), out.data(), 0, d_shared.data()});
    }),
        n, "samples", 6 * net.products() * n);
  }
  const std::vector<float> density = random_floats(data.n, 6, 0, 30);
  std::vector<float> rgb(3 * scene.samples.first.size()), depth(rgb.size()), opacity(rgb.size()), d_density(data.n);
  const CompositeInput<float> in = {static_cast<std::int64_t>(scene.samples.first.size()),
                                    scene.samples.first.data(),
                                    scene.samples.count.data(),
                                    scene.samples.t.data(),
                                    scene.samples.dt.data(),
                                    density.data(),
                                    data.wide.data()};
  const CompositeOutput<float> to = {rgb.data(), depth.data(), opacity.data(), nullptr};
  row("volume rendering", clock.median_ms([&] { composite_rays(in, to); }), n, "samples");
  row("  backward", clock.median_ms([&] {
    composite_backward(in, to, {data.narrow.data(), nullptr, nullptr, nullptr, d_density.data(), out.data()});
  }),
      n, "samples");
}

void run_cuda(const Scene& scene, const Clock& clock) {
  Data data(scene.samples.size());
  const auto n = static_cast<double>(data.n);
  CudaOccupancy occupancy({.resolution = 128});
  occupancy.upload(scene.grid);
  const CudaArray<float> origins(scene.origins), directions(scene.directions), points(scene.points), table(data.table),
      wide(data.wide), narrow(data.narrow), shared(data.shared), weights(data.weights),
      density(random_floats(data.n, 6, 0, 30));
  const CudaArray<std::int32_t> group(data.group);
  const CudaArray<float> out(48 * data.n), d_table(data.table.size()), d_points(3 * data.n), d_weights(1 << 15),
      d_shared(data.shared.size()), d_density(data.n);
  CudaRaySamples samples;
  const RayBatch rays = {scene.batch().rays, origins.data(), directions.data(), nullptr};
  samples.reserve(rays.rays, data.n);
  row("march of rays", clock.median_ms([&] { samples.march(occupancy.view(), rays, {.step = Scene::kStep}); }),
      static_cast<double>(rays.rays), "rays");
  const std::vector<std::uint8_t> half(data.n, 1);
  const CudaArray<std::uint8_t> keep(half);
  CudaRaySamples kept;
  kept.reserve(rays.rays, data.n);
  row("leaving out samples", clock.median_ms([&] { kept.compact(samples.samples(), keep.data()); }), n, "samples");
  CudaArray<std::uint32_t> cell(occupancy.cells());
  CudaArray<float> cell_points(3 * occupancy.cells()), cell_density(std::vector<float>(occupancy.cells(), 1.0f));
  row("occupancy, points and update", clock.median_ms([&] {
    occupancy.sample(occupancy.cells(), 1, cell.data(), cell_points.data());
    occupancy.update(occupancy.cells(), cell.data(), cell_density.data());
  }),
      static_cast<double>(occupancy.cells()), "cells");
  const DeviceCount count = {data.n};
  for (const bool deterministic : {true, false}) {
    CudaHashGrid grid({}, {.deterministic = deterministic});
    if (deterministic) {
      row("hash grid", clock.median_ms([&] { grid.encode(table.data(), points.data(), count, out.data()); }), n,
          "samples");
      row("hash grid backward, points", clock.median_ms([&] {
        grid.backward(table.data(), points.data(), wide.data(), count, nullptr, d_points.data());
      }),
          n, "samples");
    }
    row(deterministic ? "hash grid backward, table, whole numbers" : "hash grid backward, table, float atomics",
        clock.median_ms(
            [&] { grid.backward(table.data(), points.data(), wide.data(), count, d_table.data(), nullptr); }),
        n, "samples");
  }
  for (const Net& net : kNets) {
    CudaMlp network(net.shape);
    const MlpBatch<float> batch = {data.n, wide.data(), 0, shared.data(), kGroups, group.data()};
    row(net.name, clock.median_ms([&] { network.forward(weights.data(), batch, count, out.data()); }), n, "samples",
        2 * net.products() * n);
    row("  backward", clock.median_ms([&] {
      network.backward(weights.data(), batch, count, narrow.data(), {d_weights.data(), out.data(), 0, d_shared.data()});
    }),
        n, "samples", 6 * net.products() * n);
  }
  samples.march(occupancy.view(), rays, {.step = Scene::kStep});
  const DeviceSamples& s = samples.samples();
  const CudaArray<float> rgb(3 * rays.rays), depth(rays.rays), opacity(rays.rays);
  const CompositeInput<float> in = {rays.rays, s.first, s.count, s.t, s.dt, density.data(), wide.data()};
  const CompositeOutput<float> to = {rgb.data(), depth.data(), opacity.data(), nullptr};
  row("volume rendering", clock.median_ms([&] { cuda_composite(in, to); }), n, "samples");
  row("  backward", clock.median_ms([&] {
    cuda_composite_backward(in, to, {narrow.data(), nullptr, nullptr, nullptr, d_density.data(), out.data()});
  }),
      n, "samples");
}

int run(int argc, char** argv) {
  int rays = 65536, repeats = 20, threads = 0;
  std::string device = "auto";
  CLI::App app("Times the operations of a radiance field");
  app.add_option("--device", device, "auto, cpu or cuda");
  app.add_option("--rays", rays, "of a square picture")->check(CLI::Range(1, 1 << 22));
  app.add_option("--repeats", repeats, "timed runs")->check(CLI::Range(1, 1'000'000));
  app.add_option("--threads", threads, "0 = all cores")->check(CLI::Range(0, 1024));
  CLI11_PARSE(app, argc, argv);
  const bool cuda = use_cuda(parse_device(device));
  const int used = set_thread_count(threads);
  const Scene scene(rays);
  if (cuda)
    std::printf("%s\n", cuda_device_name().c_str());
  else
    std::printf("%s, %d threads, %s\n", processor().c_str(), used, __VERSION__);
  std::printf("%lld rays, %lld samples; medians of %d\n", static_cast<long long>(scene.batch().rays),
              static_cast<long long>(scene.samples.size()), repeats);
  const Clock clock = {cuda, repeats};
  cuda ? run_cuda(scene, clock) : run_cpu(scene, clock);
  return 0;
}

}  // namespace
}  // namespace mien::bench

int main(int argc, char** argv) {
  try {
    return mien::bench::run(argc, argv);
  } catch (const mien::Error& error) {
    std::fprintf(stderr, "bench_field: %s\n", error.what());
    return mien::exit_status(error.code());
  }
}
