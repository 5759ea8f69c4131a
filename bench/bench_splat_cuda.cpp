#include "bench_splat_cuda.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <iterator>

#include "mien/avatar/avatar.h"
#include "mien/base/error.h"
#include "mien/base/json.h"
#include "mien/base/random.h"
#include "mien/gaussian_avatar/cuda.h"
#include "mien/splat/cuda.h"

namespace mien::bench {
namespace {

constexpr int kStages = std::size(kCudaSplatStages);

struct Timing {
  double median_ms, best_ms;
};

Timing measure(int repeats, CudaStream stream, const std::function<void()>& body) {
  CudaTimer timer;
  std::vector<double> times;
  for (int i = 0; i < repeats + 10; ++i) {
    timer.start(stream);
    body();
    timer.stop(stream);
    const double took = timer.milliseconds();
    if (i >= 10) times.push_back(took);
  }
  std::sort(times.begin(), times.end());
  return {times[times.size() / 2], times[0]};
}

// A graph holds `kRun` frames one after another, so that the launch of the graph itself weighs little.
constexpr int kRun = 10;
Timing measure_graph(int repeats, CudaStream stream, const std::function<void()>& frame) {
  CudaGraph graph;
  graph.begin(stream);
  for (int i = 0; i < kRun; ++i) frame();
  graph.end();
  const Timing all = measure(repeats, stream, [&] { graph.launch(stream); });
  return {all.median_ms / kRun, all.best_ms / kRun};
}

// Vertices to Gaussians on the device, and motion to picture as a caller sees it (wall clock: the host moves the head
// model's vertices, the device does the rest).
struct AvatarTiming {
  Timing pose, motion_to_picture;
};
AvatarTiming time_avatar(const std::string& name, const Scene& scene, int repeats) {
  const Avatar avatar = Avatar::load(find_avatar(name));
  const GaussianAvatar& g = avatar.gaussian;
  const MotionFrame motion = avatar_motion(g.head);
  const OwnedCudaStream stream;
  const std::size_t n = g.anchors.size(), pixels = static_cast<std::size_t>(scene.camera.width) * scene.camera.height;
  const CudaAvatarPose pose(g);
  std::vector<float> rest;
  for (const Vec3& v : g.head.mesh.positions) rest.insert(rest.end(), {v.x(), v.y(), v.z()});
  const CudaArray<float> vertices(rest), means(3 * n), deformation(9 * n), rgb(3 * pixels), alpha(pixels);
  AvatarTiming out;
  out.pose =
      measure_graph(repeats, stream, [&] { pose.enqueue(vertices.data(), means.data(), deformation.data(), stream); });
  CudaGaussianRenderer renderer(g);
  std::vector<double> times;
  for (int i = 0; i < repeats + 10; ++i) {
    const auto start = std::chrono::steady_clock::now();
    renderer.render(motion, scene.camera, scene.options, rgb.data(), alpha.data(), stream);
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    if (i >= 10) times.push_back(took.count());
  }
  std::sort(times.begin(), times.end());
  out.motion_to_picture = {times[times.size() / 2], times[0]};
  return out;
}

}  // namespace

int time_cuda(const Scene& scene, const std::string& avatar, int repeats, bool json) {
  if (!cuda_missing().empty()) throw Error(ErrorCode::kMissingFeature, cuda_missing(), "use --device cpu");
  const std::size_t n = scene.opacities.size();
  const std::size_t pixels = static_cast<std::size_t>(scene.camera.width) * scene.camera.height;
  const CudaArray<float> means(scene.means), quats(scene.quats), scales(scene.scales), opacities(scene.opacities);
  const CudaArray<float> sh(scene.sh), deformation(scene.deformation);
  const SplatInput input = {static_cast<int>(n),
                            means.data(),
                            quats.data(),
                            scales.data(),
                            opacities.data(),
                            sh.data(),
                            scene.deformation.empty() ? nullptr : deformation.data(),
                            3};
  Random random(1);
  std::vector<float> pull(3 * pixels);
  for (float& v : pull) v = random.normal();
  const CudaArray<float> rgb(3 * pixels), alpha(pixels), d_rgb(pull), d_alpha(std::vector<float>(pixels, 0.1f));
  const CudaArray<float> d_means(3 * n), d_quats(4 * n), d_scales(3 * n), d_opacities(n), d_sh(48 * n);
  const SplatGradients gradients = {d_means.data(),     d_quats.data(), d_scales.data(),
                                    d_opacities.data(), d_sh.data(),    nullptr};
  const OwnedCudaStream stream;
  CudaSplatReport report;
  auto times = [&](int stages, bool keep, bool graph) {
    CudaSplatRasterizer rasterizer({.stages = stages});
    auto frame = [&] {
      rasterizer.forward(input, scene.camera, scene.options, rgb.data(), alpha.data(), keep, stream);
      if (stages > 7)
        rasterizer.backward(input, scene.camera, scene.options, d_rgb.data(), d_alpha.data(), gradients, stream, false);
    };
    do frame();
    while (rasterizer.grow_if_overflowed(stream));
    const Timing out = graph ? measure_graph(repeats, stream, frame) : measure(repeats, stream, frame);
    report = rasterizer.report(stream);
    return out;
  };
  const Timing forward = times(7, false, true), launched = times(7, false, false);
  const Timing both = times(kStages, true, true), both_launched = times(kStages, true, false);
  std::vector<double> stages;  // each as what it adds to those before
  for (int s = 1; s <= kStages; ++s) stages.push_back(times(s, true, true).median_ms);
  for (int s = kStages - 1; s > 0; --s) stages[s] -= stages[s - 1];
  AvatarTiming moving = {};
  if (!avatar.empty()) moving = time_avatar(avatar, scene, repeats);
  double covered = 0;
  for (const float a : alpha.host()) covered += a;

  if (json) {
    Json out = {{"device", cuda_device_name()},
                {"scene", scene.name},
                {"gaussians", n},
                {"width", scene.camera.width},
                {"height", scene.camera.height},
                {"pairs", report.pairs},
                {"forward_ms", forward.median_ms},
                {"forward_launched_ms", launched.median_ms},
                {"forward_backward_ms", both.median_ms},
                {"forward_backward_launched_ms", both_launched.median_ms}};
    if (!avatar.empty()) {
      out["pose_ms"] = moving.pose.median_ms;
      out["motion_to_picture_ms"] = moving.motion_to_picture.median_ms;
    }
    for (int s = 0; s < kStages; ++s) out["stages_ms"][kCudaSplatStages[s]] = stages[s];
    std::printf("%s\n", out.dump(2).c_str());
    return 0;
  }
  std::printf("machine   %s\nscene     %s, %dx%d, SH 3, %.0f %% covered\n", cuda_device_name().c_str(),
              scene.name.c_str(), scene.camera.width, scene.camera.height, 100 * covered / static_cast<double>(pixels));
  std::printf("          %d visible, %.2f tiles (16x16) a Gaussian, %d batches of 32 for the way back\n",
              report.visible, static_cast<double>(report.pairs) / static_cast<double>(n), report.batches);
  std::printf("                         graph: median      best   launched one by one: median\n");
  const auto row = [](const char* what, const Timing& t, const Timing& one_by_one) {
    std::printf("%-19s %15.3f ms %6.3f ms %26.3f ms %8.0f images/s\n", what, t.median_ms, t.best_ms,
                one_by_one.median_ms, 1e3 / t.median_ms);
  };
  row("forward", forward, launched);
  row("forward + backward", both, both_launched);
  std::printf("of which, in microseconds:");
  for (int s = 0; s < kStages; ++s)
    std::printf(" %s %.1f%s", kCudaSplatStages[s], 1e3 * stages[s], s + 1 < kStages ? "," : "\n");
  if (!avatar.empty())
    std::printf(
        "vertices to Gaussians %.1f microseconds; motion to picture, host included: median %.3f ms, best %.3f ms\n",
        1e3 * moving.pose.median_ms, moving.motion_to_picture.median_ms, moving.motion_to_picture.best_ms);
  return 0;
}

}  // namespace mien::bench
