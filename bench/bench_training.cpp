// Times a step of avatar training on a stored capture, with and without G2ANet. Prints the machine and means.
//   bench_training CAPTURE [--device auto] [--surface-count 60000] [--volume-count 20000] [--width 32] [--steps 200]
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <string>

#include "mien/base/error.h"
#include "mien/base/random.h"
#include "mien/cuda/cuda.h"
#include "training/avatar_optimiser.h"
#include "training/training_pictures.h"

namespace mien {
namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string capture, device = "auto";
  int surface = 60000, volume = 20000, width = 32, steps = 200;
};

GaussianAvatar start(const SampleReader& reader, const Options& o) {
  const std::vector<SampleKey> keys = canonical_keys(reader);
  InitialiseOptions initialise;
  initialise.surface_count = o.surface;
  initialise.volume_count = o.volume;
  GaussianAvatar avatar = initialise_avatar(reader.capture().load_head_model(), reader.motion(keys.front()),
                                            canonical_views(reader, keys), initialise, {});
  G2aOptions networks;
  networks.width = o.width;
  avatar.g2anet = make_g2anet(avatar, networks, 1);
  return avatar;
}

// Milliseconds a step, once every picture is where it is trained from.
double step_ms(AvatarOptimiser& optimiser, const SampleReader& reader, bool networks, int steps) {
  optimiser.use_networks(networks);
  const auto run = [&](int count, std::uint64_t seed) {
    Random random(seed);
    for (int s = 0; s < count; ++s) {
      StepJob job;
      job.key = reader.keys()[random.below(static_cast<std::uint32_t>(reader.keys().size()))];
      job.rates = {1e-6f, 1e-5f, 1e-5f, 1e-4f, 1e-4f, 1e-5f, 1e-5f, 1e-5f};
      optimiser.announce(job.key);
      optimiser.step(job);
    }
    optimiser.losses();  // waits
  };
  run(steps / 4 + 1, 2);
  const auto begin = Clock::now();
  run(steps, 2);
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count() / steps;
}

void run(const Options& o) {
  const Capture capture = Capture::load(o.capture);
  const SampleReader reader(capture, "train", std::size_t{1} << 30);
  GaussianAvatar avatar = start(reader, o);
  GaussianTrainOptions options;
  options.networks = true;
  const bool cuda = use_cuda(parse_device(o.device));
  const auto optimiser =
      cuda ? make_cuda_optimiser(avatar, options, reader) : make_cpu_optimiser(avatar, options, reader);
  for (const SampleKey& key : reader.keys()) {  // all pictures once
    StepJob job;
    job.key = key;
    if (cuda) optimiser->step(job);
  }
  const double without = step_ms(*optimiser, reader, false, o.steps);
  const double with = step_ms(*optimiser, reader, true, o.steps);
  const Camera& camera = capture.cameras.front().camera;
  std::printf("%s; %d Gaussians, %zu of them with networks %d wide, %dx%d, means of %d steps\n",
              cuda ? cuda_device_name().c_str() : "CPU", avatar.gaussians.count(), avatar.g2anet.gaussian.size(),
              o.width, camera.width, camera.height, o.steps);
  std::printf("  step without networks %8.3f ms\n  step with networks    %8.3f ms\n", without, with);
}

}  // namespace
}  // namespace mien

int main(int argc, char** argv) {
  CLI::App app{"Times a step of avatar training"};
  mien::Options options;
  app.add_option("CAPTURE", options.capture)->required();
  app.add_option("--device", options.device)->check(CLI::IsMember({"auto", "cpu", "cuda"}));
  app.add_option("--surface-count", options.surface)->check(CLI::Range(1, 1000000));
  app.add_option("--volume-count", options.volume)->check(CLI::Range(0, 1000000));
  app.add_option("--width", options.width)->check(CLI::Range(1, 256));
  app.add_option("--steps", options.steps)->check(CLI::Range(1, 1000000));
  CLI11_PARSE(app, argc, argv);
  try {
    mien::run(options);
  } catch (const mien::Error& error) {
    std::fprintf(stderr, "bench_training: %s\n", error.what());
    return mien::exit_status(error.code());
  }
  return 0;
}
