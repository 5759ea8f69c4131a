// Times the Gaussian rasteriser: forward, and forward with backward. Prints the machine, the build, the scene, and
// medians. Scenes: a built-in head-like cloud, a file in the layout of the reference results, or a stored avatar's
// tensors.
//   bench_splat [--device cpu|cuda] [--gaussians 30000] [--size 512] [--repeats 50] [--threads 0]
//               [--scene FILE.safetensors | --avatar NAME] [--json]
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <string>

#include "bench_splat_cuda.h"
#include "mien/base/error.h"
#include "mien/base/json.h"
#include "mien/base/parallel.h"
#include "mien/base/random.h"
#include "mien/splat/gaussians.h"
#include "splat/dispatch.h"
#include "splat_scenes.h"

namespace mien::bench {
namespace {

std::string processor() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown processor";
}

struct Timing {
  double median_ms, best_ms;  // wall clock
  double cpu_ms;              // best, of all threads together: what is left of the truth on a busy machine
};

template <typename Body>
Timing measure(int repeats, const Body& body) {
  std::vector<double> times, cpu;
  for (int i = 0; i < repeats + 3; ++i) {
    const auto start = std::chrono::steady_clock::now();
    const std::clock_t cpu_start = std::clock();
    body();
    const double cpu_took = 1e3 * static_cast<double>(std::clock() - cpu_start) / CLOCKS_PER_SEC;
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    if (i < 3) continue;  // the first ones warm caches and grow buffers
    times.push_back(took.count());
    cpu.push_back(cpu_took);
  }
  std::sort(times.begin(), times.end());
  return {times[times.size() / 2], times[0], *std::min_element(cpu.begin(), cpu.end())};
}

int run(int argc, char** argv) {
  int gaussians = 30000, size = 512, repeats = 50, threads = 0;
  std::string scene_file, avatar, device = "cpu";
  bool json = false;
  CLI::App app("Times the Gaussian rasteriser");
  app.add_option("--device", device, "cpu or cuda")->check(CLI::IsMember({"cpu", "cuda"}));
  app.add_option("--gaussians", gaussians, "Gaussians of the built-in scene")->check(CLI::Range(1, 10'000'000));
  app.add_option("--size", size, "picture side in pixels")->check(CLI::Range(1, 16384));
  app.add_option("--repeats", repeats, "timed runs")->check(CLI::Range(1, 1'000'000));
  app.add_option("--threads", threads, "0 = all cores")->check(CLI::Range(0, 1024));
  app.add_option("--scene", scene_file, "safetensors file in the layout of the reference results");
  app.add_option("--avatar", avatar, "avatar by name or file");
  app.add_flag("--json", json, "results as JSON on standard output");
  CLI11_PARSE(app, argc, argv);
  const int used = set_thread_count(threads);
  const Scene scene = !avatar.empty()       ? avatar_scene(avatar, size)
                      : !scene_file.empty() ? read_scene(scene_file)
                                            : head_like(gaussians, size);
  if (device == "cuda") return time_cuda(scene, avatar, repeats, json);
  const SplatInput input = scene.input();
  const std::size_t n = input.count, pixels = static_cast<std::size_t>(scene.camera.width) * scene.camera.height;

  SplatRasterizer rasterizer;
  std::vector<float> rgb(3 * pixels), alpha(pixels), d_rgb(3 * pixels), d_alpha(pixels, 0.1f);
  Random random(1);
  for (float& v : d_rgb) v = random.normal();
  std::vector<float> means(3 * n), quats(4 * n), scales(3 * n), opacities(n), sh(48 * n);
  const Timing forward = measure(
      repeats, [&] { rasterizer.forward(input, scene.camera, scene.options, rgb.data(), alpha.data(), false); });
  const Timing both = measure(repeats, [&] {
    rasterizer.forward(input, scene.camera, scene.options, rgb.data(), alpha.data(), true);
    rasterizer.backward(input, scene.camera, scene.options, d_rgb.data(), d_alpha.data(),
                        {means.data(), quats.data(), scales.data(), opacities.data(), sh.data(), nullptr});
  });
  double covered = 0;
  for (const float a : alpha) covered += a;
#ifdef NDEBUG
  const char* build = "release";
#else
  const char* build = "debug";
#endif
  const char* instructions = splat::choose_kernels().name;
  if (json) {
    std::printf("%s\n", Json{{"processor", processor()},
                             {"threads", used},
                             {"instructions", instructions},
                             {"build", build},
                             {"scene", scene.name},
                             {"gaussians", n},
                             {"width", scene.camera.width},
                             {"height", scene.camera.height},
                             {"forward_ms", forward.median_ms},
                             {"forward_best_ms", forward.best_ms},
                             {"forward_backward_ms", both.median_ms},
                             {"forward_backward_best_ms", both.best_ms}}
                            .dump(2)
                            .c_str());
    return 0;
  }
  std::printf("machine   %s, %d threads, %s\nbuild     %s, %s\nscene     %s, %dx%d, SH 3, %.0f %% covered\n",
              processor().c_str(), used, instructions, build, __VERSION__, scene.name.c_str(), scene.camera.width,
              scene.camera.height, 100 * covered / static_cast<double>(pixels));
  std::printf("                        median      best   cpu (all threads)\n");
  const auto row = [](const char* what, const Timing& t) {
    std::printf("%-19s %7.2f ms %6.2f ms %6.2f ms  %7.1f images/s (median)\n", what, t.median_ms, t.best_ms, t.cpu_ms,
                1e3 / t.median_ms);
  };
  row("forward", forward);
  row("forward + backward", both);
  return 0;
}

}  // namespace
}  // namespace mien::bench

int main(int argc, char** argv) {
  try {
    return mien::bench::run(argc, argv);
  } catch (const mien::Error& error) {
    std::fprintf(stderr, "bench_splat: %s\n", error.what());
    return mien::exit_status(error.code());
  }
}
