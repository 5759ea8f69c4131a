#include "train_field.h"

#include <cmath>
#include <cstdio>
#include <memory>

#include "commands.h"
#include "mien/avatar/avatar.h"
#include "mien/base/error.h"
#include "mien/base/interrupt.h"
#include "mien/base/leftovers.h"
#include "mien/base/log.h"
#include "mien/base/parallel.h"
#include "mien/capture/split.h"
#include "mien/field_avatar/renderer.h"
#include "mien/gaussian_avatar/renderer.h"
#include "mien/session/view.h"
#include "mien/track/tracker.h"
#include "mien/training/framing.h"
#include "train_report.h"

namespace fs = std::filesystem;

namespace mien::app {
namespace {

constexpr int kSteps = 4000, kCudaSteps = 20000;
constexpr int kRays = 1024, kCudaRays = 8192;
constexpr int kFrames = 4, kCudaFrames = 8;
constexpr int kThumbnail = 160;  // pixels a side
constexpr Backdrop kBackdrop = {{0.60f, 0.64f, 0.69f}, {0.36f, 0.39f, 0.44f}};

// The person at rest in each appearance.
void add_appearances(Avatar& avatar, const std::vector<std::string>& names) {
  FieldRenderer renderer(*avatar.field, Device::kCpu);
  const Camera camera = View{}.at(0, avatar.front, avatar.focus, kThumbnail, kThumbnail);
  std::vector<float> rgb(std::size_t{kThumbnail} * kThumbnail * 3), alpha(std::size_t{kThumbnail} * kThumbnail);
  for (std::size_t a = 0; a < names.size(); ++a) {
    std::vector<float> worn(names.size(), 0.0f);
    worn[a] = 1;
    renderer.wear(worn);
    renderer.render(MotionFrame{}, camera, rgb.data(), alpha.data());
    avatar.appearances.push_back(
        {names[a], over_backdrop(rgb.data(), alpha.data(), kThumbnail, kThumbnail, kBackdrop)});
  }
}

}  // namespace

void add_field_stage(CLI::App& command, FieldStage& stage) {
  FieldTrainOptions& o = stage.options;
  const char* group = "With --renderer field";
  command.add_flag("--exposure", o.exposure, "Learn a gain and a shift of colour for each sequence")->group(group);
  command.add_option("--rays", o.rays, fmt::format("Rays a step (default: {}, on a GPU {})", kRays, kCudaRays))
      ->check(CLI::Range(64, 1 << 20))
      ->group(group);
  command
      .add_option("--frames", o.frames, fmt::format("Frames a step (default: {}, on a GPU {})", kFrames, kCudaFrames))
      ->check(CLI::Range(1, 64))
      ->group(group);
  command.add_option("--limit", o.field.limit, "Metres from the head model beyond which nothing is")
      ->check(CLI::Range(0.005, 0.5))
      ->group(group)
      ->capture_default_str();
  command.add_option("--ray-step", o.field.step, "Metres between the samples of a ray")
      ->check(CLI::Range(0.0002, 0.05))
      ->group(group)
      ->capture_default_str();
  command.add_option("--hash-size", o.field.grid.log2_table, "Entries of a level of the hash grid: 2 to the power of")
      ->check(CLI::Range(10, 22))
      ->group(group)
      ->capture_default_str();
  command.add_option("--depth-weight", o.depth_weight, "Pull of bare skin to the head model's depth")
      ->check(CLI::Range(0.0, 1000.0))
      ->group(group)
      ->capture_default_str();
}

void train_field_stage(const Capture& capture, const AvatarTexts& texts, FieldStage stage, int steps,
                       const CLI::App& command) {
  FieldTrainOptions& o = stage.options;
  const bool cuda = use_cuda(o.device);
  o.steps = steps >= 0 ? std::max(1, steps) : cuda ? kCudaSteps : kSteps;
  if (command.count("--rays") == 0) o.rays = cuda ? kCudaRays : kRays;
  if (command.count("--frames") == 0) o.frames = cuda ? kCudaFrames : kFrames;
  o.field.latents = stage.latents == "none"     ? FieldLatents::kNone
                    : stage.latents == "global" ? FieldLatents::kGlobal
                                                : FieldLatents::kLocal;
  o.checkpoint = fs::path(texts.output).concat(".checkpoint");
  o.preview = fs::path(texts.output).replace_extension(".preview.png");
  remove_leftovers(o.checkpoint);
  if (texts.restart) fs::remove(o.checkpoint);
  if (fs::exists(o.checkpoint)) spdlog::info("resuming from {}", o.checkpoint.string());
  TrainReporter reporter(texts.report, command, texts.output.filename().string(), o.log, o.preview);
  ProgressBar bar("training", texts.quiet);
  o.progress = [&](std::int64_t done, std::int64_t total, const std::string& note) {
    if (interrupted()) return false;  // the trainer saves its checkpoint before it ends
    reporter.now_and_then(fmt::format("step {} of {}, {}", done, total, note));
    return bar(done, total, note);
  };
  FieldTrainReport report;
  Avatar avatar;
  avatar.field = train_field_avatar(capture, o, &report);
  bar.finish();
  if (!report.finished) {
    reporter.finish(fmt::format("stopped after {} steps", report.steps), {});
    throw Error(ErrorCode::kInterrupted,
                fmt::format("stopped after {} steps; {} holds them", report.steps, o.checkpoint.string()),
                "run the same command again to go on");
  }
  const Framing framing = capture_framing(capture);
  avatar.name = texts.name.empty() ? texts.output.stem().string() : texts.name;
  avatar.renderer = "field";
  avatar.licence = texts.licence;
  avatar.consent = texts.consent;
  avatar.front = framing.front;
  avatar.focus = framing.focus;
  avatar.training = {{"person", capture.person},
                     {"sequences", capture.sequences.size()},
                     {"steps", report.steps},
                     {"seconds", report.seconds},
                     {"steps_per_second", report.steps_per_second},
                     {"psnr", -10 * std::log10(std::max(report.final_colour, 1e-9))},
                     {"occupied", report.occupied},
                     {"rays", o.rays},
                     {"threads", thread_count()},
                     {"seed", o.seed},
                     {"hold_out", o.hold_out},
                     {"device", report.cuda ? "cuda" : "cpu"}};
  add_appearances(avatar, appearance_names(capture));
  avatar.save(texts.output);
  fs::remove(o.checkpoint);
  const double megabytes = static_cast<double>(fs::file_size(texts.output)) / 1e6;
  TrainingReportPage::Table figures = {{"appearances", fmt::format("{}", avatar.appearances.size())},
                                       {"file", fmt::format("{:.1f} MB", megabytes)}};
  for (const auto& [name, value] : avatar.training.items())
    figures.emplace_back(name, value.is_string() ? value.get<std::string>() : value.dump());
  reporter.finish(report.early ? "settled before the last step (--patience)" : "finished", figures);
  if (texts.json) {
    Json result = avatar.training;
    result["output"] = texts.output.string();
    result["appearances"] = avatar.appearances.size();
    result["bytes"] = fs::file_size(texts.output);
    std::printf("%s\n", result.dump().c_str());
    return;
  }
  std::printf("%s: a field of %zu appearance%s, %.1f MB, %d steps in %.0f s (%.1f steps/s), %.1f dB\n",
              texts.output.c_str(), avatar.appearances.size(), avatar.appearances.size() == 1 ? "" : "s", megabytes,
              report.steps, report.seconds, report.steps_per_second, avatar.training["psnr"].get<double>());
}

fs::path capture_of(const std::vector<std::string>& inputs, const fs::path& output, const std::string& device,
                    bool quiet) {
  if (inputs.size() == 1 && !fs::is_regular_file(inputs.front())) return inputs.front();
  for (const std::string& input : inputs) {
    if (fs::is_regular_file(input)) continue;
    throw Error(fs::exists(input) ? ErrorCode::kBadArgument : ErrorCode::kNotFound,
                fmt::format("{}: {}", input, fs::exists(input) ? "not a video" : "not found"),
                "give one capture (a folder with capture.json), or videos of one person");
  }
  const fs::path folder = fs::path(output).replace_extension(".capture");
  std::unique_ptr<ProgressBar> bar;
  TrackOptions options;
  options.device = device;
  options.progress = [&](const std::string& step) -> ProgressCallback {
    if (bar) bar->finish();
    bar = std::make_unique<ProgressBar>(step, quiet);
    return std::ref(*bar);
  };
  track_videos({inputs.begin(), inputs.end()}, folder, options);
  if (bar) bar->finish();
  return folder;
}

}  // namespace mien::app
