// Times the mesh rasteriser on an avatar's head, on the CPU and, where there is one, on a GPU.
//   bench_mesh [--avatar ada] [--size 512] [--supersample 1] [--repeats 100] [--threads 0]
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>

#include "mien/avatar/avatar.h"
#include "mien/base/error.h"
#include "mien/base/parallel.h"
#include "mien/geometry/cuda.h"

namespace {

using namespace mien;

void report(const char* what, int repeats, const std::function<double()>& milliseconds) {
  std::vector<double> times;
  for (int i = 0; i < repeats + 5; ++i) {
    const double took = milliseconds();
    if (i >= 5) times.push_back(took);
  }
  std::sort(times.begin(), times.end());
  std::printf("%-24s median %8.3f ms   best %8.3f ms\n", what, times[times.size() / 2], times[0]);
}

}  // namespace

int main(int argc, char** argv) try {
  std::string name = "ada";
  int size = 512, supersample = 1, repeats = 100, threads = 0;
  CLI::App app("Times the mesh rasteriser");
  app.add_option("--avatar", name, "whose head");
  app.add_option("--size", size, "picture side in pixels")->check(CLI::Range(16, 8192));
  app.add_option("--supersample", supersample, "samples a pixel side")->check(CLI::Range(1, 8));
  app.add_option("--repeats", repeats, "timed runs")->check(CLI::Range(1, 100'000));
  app.add_option("--threads", threads, "0 = all cores")->check(CLI::Range(0, 1024));
  CLI11_PARSE(app, argc, argv);
  threads = set_thread_count(threads);

  const Avatar avatar = Avatar::load(find_avatar(name));
  const TriangleMesh& mesh = avatar.gaussian.head.mesh;
  const Camera camera = look_at({0, 0, 0.9f}, {0, 0, 0}, 0.45f, size, size);
  const RasterOptions options = {.supersample = supersample};
  std::printf("%zu triangles, %dx%d, %d samples a pixel; depth, face and weights\n", mesh.faces.size(), size, size,
              supersample * supersample);
  RasterBuffer buffer;
  report(fmt::format("CPU, {} threads", threads).c_str(), repeats, [&] {
    const auto start = std::chrono::steady_clock::now();
    rasterise(mesh.positions, mesh.faces, camera, options, buffer);
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  });
  if (!cuda_missing().empty()) {
    std::printf("no GPU: %s\n", cuda_missing().c_str());
    return 0;
  }
  CudaMeshRasterizer rasterizer(mesh.faces, static_cast<int>(mesh.positions.size()));
  CudaArray<float> positions(mesh.positions.size() * 3), depth(buffer.depth.size()), weights(2 * buffer.depth.size());
  CudaArray<std::int32_t> face(buffer.depth.size());
  cuda_upload(positions.data(), mesh.positions.data(), mesh.positions.size() * sizeof(Vec3));
  const OwnedCudaStream stream;
  CudaTimer timer;
  report(cuda_device_name().c_str(), repeats, [&] {
    timer.start(stream);
    rasterizer.rasterise(positions.data(), camera, options, {depth.data(), face.data(), weights.data()}, stream);
    timer.stop(stream);
    return static_cast<double>(timer.milliseconds());
  });
  const std::vector<std::int32_t> seen = face.host();
  std::size_t different = 0;
  for (std::size_t i = 0; i < seen.size(); ++i) different += seen[i] != buffer.face[i] ? 1 : 0;
  std::printf("samples that see another face than on the CPU: %zu of %zu\n", different, seen.size());
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "bench_mesh: %s\n", error.what());
  return 1;
}
