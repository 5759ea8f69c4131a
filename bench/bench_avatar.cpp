// Times what drawing an avatar takes, part by part, on a stored avatar: surface and deformation, splatting forward, and
// forward with backward, the whole picture, and (with a recording) speech to picture. Prints the machine and medians.
//   bench_avatar [--avatar ada] [--device auto] [--size 512] [--repeats 60] [--threads 0] [--audio FILE] [--json]
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <functional>
#include <string>

#include "mien/base/error.h"
#include "mien/base/parallel.h"
#include "mien/media/audio.h"
#include "mien/session/session.h"

namespace mien {
namespace {

using Clock = std::chrono::steady_clock;

double median_ms(int repeats, const std::function<void(int)>& work) {
  std::vector<double> times;
  for (int i = -3; i < repeats; ++i) {  // three rounds to warm up
    const auto start = Clock::now();
    work(i);
    if (i >= 0) times.push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
  }
  std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2), times.end());
  return times[times.size() / 2];
}

std::string processor() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown processor";
}

// A talking face, so that no round draws the same picture.
MotionFrame moment(int i, int expressions) {
  MotionFrame frame;
  frame.expression.assign(static_cast<std::size_t>(expressions), 0.0f);
  frame.expression[static_cast<std::size_t>(arkit_index("jawOpen"))] =
      0.2f + 0.2f * std::sin(0.7f * static_cast<float>(i));
  frame.expression[static_cast<std::size_t>(arkit_index("mouthSmileLeft"))] = 0.4f;
  frame.pose.head = Quat(Eigen::AngleAxisf(0.1f * std::sin(0.1f * static_cast<float>(i)), Vec3::UnitY()));
  return frame;
}

struct Options {
  std::string avatar = "ada", audio, device = "auto";
  int size = 512, repeats = 60, threads = 0;
  bool json = false;
};

void run(const Options& o) {
  const int threads = set_thread_count(o.threads);
  const auto avatar = std::make_shared<const Avatar>(Avatar::load(find_avatar(o.avatar)));
  const Gaussians& g = avatar->gaussian.gaussians;
  const int n = g.count(), expressions = avatar->gaussian.head.expression_count();
  const Camera camera = View{}.at(0, avatar->front, avatar->focus, o.size, o.size);
  SurfaceFrames frames(avatar->gaussian.head);
  std::vector<float> means, deformation, scales(g.log_scales.size()), opacities(g.opacity_logits.size());
  for (std::size_t i = 0; i < scales.size(); ++i) scales[i] = std::exp(g.log_scales[i]);
  for (std::size_t i = 0; i < opacities.size(); ++i) opacities[i] = 1 / (1 + std::exp(-g.opacity_logits[i]));
  Json result = {{"processor", processor()}, {"threads", threads}, {"avatar", avatar->name},
                 {"gaussians", n},           {"size", o.size},     {"repeats", o.repeats}};
  result["deform_ms"] = median_ms(o.repeats, [&](int i) {
    frames.update(moment(i, expressions));
    deform_gaussians(avatar->gaussian, frames, means, deformation);
  });
  GaussianAvatar dressed = avatar->gaussian;  // an avatar without networks gets fresh ones: the same work
  if (dressed.g2anet.empty()) dressed.g2anet = make_g2anet(dressed, {}, 1);
  G2aInference networks(dressed);
  MotionFrame angry;
  angry.emotion = {0, 1};
  std::vector<float> sh = g.sh, quats = g.quats;
  result["g2anet_gaussians"] = dressed.g2anet.gaussian.size();
  result["g2anet_ms"] = median_ms(
      o.repeats, [&](int) { networks.apply(frames.unposed(), angry, sh.data(), quats.data(), opacities.data()); });
  const std::size_t pixels = static_cast<std::size_t>(o.size) * o.size;
  std::vector<float> rgb(pixels * 3), alpha(pixels), d_rgb(pixels * 3, 1e-6f), d_alpha(pixels, 1e-6f);
  std::vector<float> dm(means.size()), dq(g.quats.size()), ds(scales.size()), dn(opacities.size()), dsh(g.sh.size());
  const SplatInput input{
      n, means.data(), g.quats.data(), scales.data(), opacities.data(), g.sh.data(), deformation.data(), 3};
  SplatRasterizer rasterizer;
  result["splat_forward_ms"] = median_ms(o.repeats, [&](int) {
    rasterizer.forward(input, camera, splat_options(avatar->gaussian), rgb.data(), alpha.data(), false);
  });
  result["splat_forward_backward_ms"] = median_ms(o.repeats, [&](int) {
    rasterizer.forward(input, camera, splat_options(avatar->gaussian), rgb.data(), alpha.data(), true);
    rasterizer.backward(input, camera, splat_options(avatar->gaussian), d_rgb.data(), d_alpha.data(),
                        {dm.data(), dq.data(), ds.data(), dn.data(), dsh.data()});
  });
  SessionOptions session_options;
  session_options.width = session_options.height = o.size;
  session_options.device = parse_device(o.device);
  const auto paint_ms = [&](const std::shared_ptr<const Avatar>& painted) {
    AvatarPainter painter(painted, session_options);
    return median_ms(o.repeats, [&](int i) { painter.paint(moment(i, expressions), 0.0); });
  };
  result["paint_ms"] = paint_ms(avatar);
  auto with_networks = std::make_shared<Avatar>(*avatar);
  with_networks->gaussian = dressed;
  result["paint_with_g2anet_ms"] = paint_ms(with_networks);
  if (!o.audio.empty()) {
    const Audio audio = read_audio(o.audio);
    Session session(avatar, SpeechModel::load(find_model("speech.safetensors")), session_options);
    const auto start = Clock::now();
    session.push_audio(audio.samples);
    session.finish();
    SessionFrame frame;
    while (session.next_frame(frame)) {
    }
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    result["session_frames_per_second"] = static_cast<double>(frame.index + 1) / seconds;
  }
  if (o.json) {
    std::printf("%s\n", result.dump().c_str());
    return;
  }
  std::printf("%s, %d threads; %s, %d Gaussians, %dx%d, medians of %d\n", processor().c_str(), threads,
              avatar->name.c_str(), n, o.size, o.size, o.repeats);
  for (const char* key : {"deform_ms", "g2anet_ms", "splat_forward_ms", "splat_forward_backward_ms", "paint_ms",
                          "paint_with_g2anet_ms"}) {
    const double ms = result[key];
    std::printf("  %-28s %7.2f ms  %7.1f /s\n", key, ms, 1000 / ms);
  }
  if (result.contains("session_frames_per_second")) {
    std::printf("  speech to picture            %17.1f frames/s\n", result["session_frames_per_second"].get<double>());
  }
}

}  // namespace
}  // namespace mien

int main(int argc, char** argv) {
  CLI::App app{"Times the drawing of an avatar"};
  mien::Options options;
  app.add_option("--avatar", options.avatar);
  app.add_option("--audio", options.audio);
  app.add_option("--device", options.device)->check(CLI::IsMember({"auto", "cpu", "cuda"}));
  app.add_option("--size", options.size)->check(CLI::Range(16, 4096));
  app.add_option("--repeats", options.repeats)->check(CLI::Range(1, 100000));
  app.add_option("--threads", options.threads)->check(CLI::Range(0, 1024));
  app.add_flag("--json", options.json);
  CLI11_PARSE(app, argc, argv);
  try {
    mien::run(options);
  } catch (const mien::Error& error) {
    std::fprintf(stderr, "bench_avatar: %s\n", error.what());
    return mien::exit_status(error.code());
  }
  return 0;
}
