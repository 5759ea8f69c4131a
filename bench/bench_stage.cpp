// Times the actor's stage: posing and lighting a frame, and drawing it with the cameras of the EmoTalk3D rig, one task
// a camera as `mien actor` films. Prints the machine, the build and medians; also what sharing light between the
// samples of a pixel changes in the picture.
//   bench_stage [--person ada] [--size 512] [--repeats 5] [--threads 0] [--json]
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>

#include "mien/actor/performance.h"
#include "mien/actor/rig.h"
#include "mien/actor/stage.h"
#include "mien/base/error.h"
#include "mien/base/json.h"
#include "mien/base/parallel.h"
#include "mien/metrics/image_metrics.h"

namespace mien {
namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string person = "ada";
  int size = 512, repeats = 5, threads = 0;
  bool json = false;
};

double milliseconds(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

double median(std::vector<double> v) {
  std::nth_element(v.begin(), v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2), v.end());
  return v[v.size() / 2];
}

void run(const Options& o) {
  const int threads = set_thread_count(o.threads);
  const auto path = find_head_asset();
  const HeadModel model = HeadModel::load(path);
  const HeadAssets assets = HeadAssets::load(path, model);
  const Performer performer = named_performer(o.person);
  StageOptions every_sample;
  every_sample.light_every_sample = true;
  const auto start = Clock::now();
  Stage stage(model, assets, performer);
  const double bake_ms = milliseconds(start);
  Stage exact(model, assets, performer, every_sample);
  RigOptions rig_options;
  rig_options.size = o.size;
  const std::vector<RigCamera> rig = emotalk_rig(rig_options);
  const EmotionVector emotion = emotion_vector(Emotion::kHappy, 1);
  PerformanceOptions performance;
  performance.fps = 10;
  const HeadMotion motion =
      perform({{"AA", 0.2, 1.0}}, 0.1 * o.repeats, EmotionTrack{{{0.0, emotion}}}, stage.head(), performance);
  std::vector<double> frame_ms, picture_ms;
  std::vector<double> shared_db;
  for (const MotionFrame& frame : motion.frames) {
    auto at = Clock::now();
    stage.set_frame(frame);
    frame_ms.push_back(milliseconds(at));
    std::vector<StagePicture> pictures(rig.size());
    at = Clock::now();
    parallel_for(static_cast<std::int64_t>(rig.size()), 1,
                 [&](std::int64_t i) { pictures[i] = stage.draw(rig[i].camera); });
    picture_ms.push_back(milliseconds(at) / static_cast<double>(rig.size()));
    exact.set_frame(frame);
    shared_db.push_back(psnr(pictures[5].rgb, exact.draw(rig[5].camera).rgb));
  }
  const double frame = median(frame_ms), picture = median(picture_ms);
  const double whole = picture + frame / static_cast<double>(rig.size());
  const double shared = median(shared_db);
  if (o.json) {
    const Json result = {{"threads", threads},    {"bake_ms", bake_ms}, {"frame_ms", frame},
                         {"picture_ms", picture}, {"whole_ms", whole},  {"psnr_of_shared_light", shared}};
    std::printf("%s\n", result.dump().c_str());
    return;
  }
  std::printf("%d threads; %s, %dx%d, medians of %d frames with %zu cameras\n", threads, o.person.c_str(), o.size,
              o.size, o.repeats, rig.size());
  std::printf("  baking, once                 %8.1f ms\n", bake_ms);
  std::printf("  pose and light a frame       %8.1f ms\n", frame);
  std::printf("  draw a picture               %8.1f ms\n", picture);
  std::printf("  a picture, all in all        %8.1f ms\n", whole);
  std::printf("  shared light, front camera   %8.1f dB against light for every sample\n", shared);
}

}  // namespace
}  // namespace mien

int main(int argc, char** argv) {
  CLI::App app{"Times the actor's stage"};
  mien::Options options;
  app.add_option("--person", options.person);
  app.add_option("--size", options.size)->check(CLI::Range(16, 4096));
  app.add_option("--repeats", options.repeats)->check(CLI::Range(1, 1000));
  app.add_option("--threads", options.threads)->check(CLI::Range(0, 1024));
  app.add_flag("--json", options.json);
  CLI11_PARSE(app, argc, argv);
  try {
    mien::run(options);
  } catch (const mien::Error& error) {
    std::fprintf(stderr, "bench_stage: %s\n", error.what());
    return mien::exit_status(error.code());
  }
  return 0;
}
