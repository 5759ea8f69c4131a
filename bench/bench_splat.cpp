// Times the CPU Gaussian rasteriser: forward, and forward with backward. Prints the machine, the build, the scene, and
// medians. Scenes: a built-in head-like cloud, a file in the layout of the reference results, or a stored avatar's
// tensors.
//   bench_splat [--gaussians 30000] [--size 512] [--repeats 50] [--threads 0] [--scene FILE.safetensors] [--json]
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <numbers>
#include <string>

#include "mien/avatar/avatar.h"
#include "mien/base/error.h"
#include "mien/base/json.h"
#include "mien/base/parallel.h"
#include "mien/base/random.h"
#include "mien/base/safetensors.h"
#include "mien/gaussian_avatar/gaussian_avatar.h"
#include "mien/splat/gaussians.h"
#include "splat/dispatch.h"

namespace mien {
namespace {

struct Scene {
  std::string name;
  std::vector<float> means, quats, scales, opacities, sh, deformation;
  Camera camera;
  SplatOptions options;
  SplatInput input() const {
    return {static_cast<int>(opacities.size()),
            means.data(),
            quats.data(),
            scales.data(),
            opacities.data(),
            sh.data(),
            deformation.empty() ? nullptr : deformation.data(),
            3};
  }
};

// An ellipsoid shell of a head's size that fills the picture: Gaussians evenly spread (golden spiral) with a little
// depth noise, flat against the surface, about half as wide as their spacing, mostly opaque; one in eight lies below
// the skin.
Scene head_like(int count, int size) {
  Scene s;
  s.name = fmt::format("built-in head-like shell of {} Gaussians", count);
  s.camera = look_at({0.12f, 0.05f, 0.75f}, {0, 0, 0}, 0.3f, size, size);
  const float radii[3] = {0.085f, 0.12f, 0.1f};
  const float spacing = std::sqrt(4 * std::numbers::pi_v<float> * 0.1f * 0.1f / static_cast<float>(count));
  Random random(3);
  for (int n = 0; n < count; ++n) {
    const float y = 1 - 2 * (static_cast<float>(n) + 0.5f) / static_cast<float>(count);
    const float angle = static_cast<float>(n) * 2.399963f, ring = std::sqrt(1 - y * y);
    const Vec3 normal(ring * std::cos(angle), y, ring * std::sin(angle));
    const float depth = n % 8 == 0 ? 0.93f : 1.0f + 0.01f * random.normal();
    for (int a = 0; a < 3; ++a) s.means.push_back(radii[a] * depth * normal[a]);
    const Quat q = Quat::FromTwoVectors(Vec3::UnitZ(), normal);
    for (const float v : {q.w(), q.x(), q.y(), q.z()}) s.quats.push_back(v);
    for (int a = 0; a < 3; ++a)
      s.scales.push_back(spacing * (a == 2 ? 0.15f : 0.55f) * std::exp(0.3f * random.normal()));
    s.opacities.push_back(1 / (1 + std::exp(-(2.0f + 1.5f * random.normal()))));
    for (int k = 0; k < 48; ++k) s.sh.push_back((k < 3 ? 0.5f : 0.05f) * random.normal());
  }
  return s;
}

// Tensors means, quats, scales, opacities, sh, K, viewmat, bg: the reference results' layout; sides in the metadata.
Scene read_scene(const std::string& path) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  Scene s;
  s.name = path;
  s.opacities = file.floats("opacities", {-1});
  const auto n = static_cast<std::int64_t>(s.opacities.size());
  s.means = file.floats("means", {n, 3});
  s.quats = file.floats("quats", {n, 4});
  s.scales = file.floats("scales", {n, 3});
  s.sh = file.floats("sh", {n, 16, 3});
  const auto k = file.floats("K", {3, 3}), view = file.floats("viewmat", {4, 4}), bg = file.floats("bg", {3});
  const auto side = [&](const char* key) {
    const auto found = file.metadata().find(key);
    const int value = found == file.metadata().end() ? 0 : std::atoi(found->second.c_str());
    if (value < 1)
      throw Error(ErrorCode::kBadFile, path + ": no " + key + " in its metadata", "use the reference layout");
    return value;
  };
  s.camera.width = side("width");
  s.camera.height = side("height");
  s.camera.fx = k[0];
  s.camera.fy = k[4];
  s.camera.cx = k[2];
  s.camera.cy = k[5];
  for (int i = 0; i < 16; ++i) s.camera.world_to_camera(i / 4, i % 4) = view[i];
  std::copy(bg.begin(), bg.end(), s.options.background);
  return s;
}

// A stored avatar in its front view, with the mouth half open.
Scene avatar_scene(const std::string& name, int size) {
  const std::filesystem::path path = find_avatar(name);
  const Avatar avatar = Avatar::load(path);
  const Gaussians& g = avatar.gaussian.gaussians;
  Scene s;
  s.name = fmt::format("avatar {} of {} Gaussians", path.filename().string(), g.count());
  const HeadModel& head = avatar.gaussian.head;
  MotionFrame frame;
  frame.expression.assign(head.expression_names.size(), 0.0f);
  for (std::size_t e = 0; e < head.expression_names.size(); ++e)
    if (head.expression_names[e] == "jawOpen") frame.expression[e] = 0.5f;
  SurfaceFrames frames(head);
  frames.update(frame);
  deform_gaussians(avatar.gaussian, frames, s.means, s.deformation);
  s.quats = g.quats;
  s.sh = g.sh;
  s.scales = g.log_scales;
  for (float& v : s.scales) v = std::exp(v);
  s.opacities = g.opacity_logits;
  for (float& v : s.opacities) v = 1 / (1 + std::exp(-v));
  s.camera = avatar.front;
  const float zoom = static_cast<float>(size) / static_cast<float>(s.camera.width);
  s.camera.height = static_cast<int>(std::lround(zoom * static_cast<float>(s.camera.height)));
  s.camera.width = size;
  for (float* v : {&s.camera.fx, &s.camera.fy, &s.camera.cx, &s.camera.cy}) *v *= zoom;
  return s;
}

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
  std::string scene_file, avatar;
  bool json = false;
  CLI::App app("Times the CPU Gaussian rasteriser");
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
}  // namespace mien

int main(int argc, char** argv) {
  try {
    return mien::run(argc, argv);
  } catch (const mien::Error& error) {
    std::fprintf(stderr, "bench_splat: %s\n", error.what());
    return mien::exit_status(error.code());
  }
}
