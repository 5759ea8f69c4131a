// mien track: from videos of one person to a capture.
#include <cstdio>
#include <memory>

#include "commands.h"
#include "mien/base/error.h"
#include "mien/base/json.h"
#include "mien/base/progress.h"
#include "mien/capture/capture.h"
#include "mien/track/tracker.h"

namespace mien::app {
namespace {

struct TrackCommand {
  std::vector<std::string> videos;
  std::string output, who, head;
  TrackOptions options;
  bool json = false;
};

// The bar of the step at work; that of the step before is ended.
class StepBars {
 public:
  explicit StepBars(bool quiet) : quiet_(quiet) {}
  ProgressCallback begin(const std::string& step) {
    finish();
    bar_ = std::make_unique<ProgressBar>(step, quiet_);
    return std::ref(*bar_);
  }
  void finish() {
    if (bar_) bar_->finish();
    bar_.reset();
  }

 private:
  bool quiet_;
  std::unique_ptr<ProgressBar> bar_;
};

Json as_json(const TrackCommand& command, const TrackResult& result) {
  Json out = {{"capture", command.output}, {"sequences", result.sequences}, {"frames", result.frames},
              {"seconds", result.seconds}, {"left_out", result.left_out},   {"videos", Json::array()}};
  for (std::size_t v = 0; v < result.videos.size(); ++v) {
    const TrackedVideo& video = result.videos[v];
    Json omissions = Json::array();
    for (const Omission& o : video.sighted.omissions) {
      omissions.push_back({{"begin", o.begin}, {"end", o.end}, {"reason", o.reason}, {"text", o.text}});
    }
    out["videos"].push_back({{"name", video.sighted.name},
                             {"source", video.sighted.source},
                             {"appearance", video.sighted.appearance},
                             {"sequences", video.sequences},
                             {"focal", result.fit.videos[v].camera.fx},
                             {"landmark_error", video.error},
                             {"omissions", omissions},
                             {"notes", video.sighted.notes}});
  }
  return out;
}

void print(const TrackCommand& command, const TrackResult& result) {
  std::printf("%s: %d sequence%s, %ld frames, %.1f s of %zu video%s\n", command.output.c_str(), result.sequences,
              result.sequences == 1 ? "" : "s", result.frames, result.seconds, result.videos.size(),
              result.videos.size() == 1 ? "" : "s");
  for (const TrackedVideo& video : result.videos) {
    std::printf("  %s: appearance %s, landmarks %.2f %% of the eye distance off\n", video.sighted.name.c_str(),
                video.sighted.appearance.c_str(), 100 * video.error);
    for (const std::string& note : video.sighted.notes) std::printf("    note: %s\n", note.c_str());
    for (const Omission& o : video.sighted.omissions) {
      std::printf("    left out: %.1f to %.1f s: %s\n", o.begin, o.end, o.text.c_str());
    }
  }
  for (const std::string& text : result.left_out) std::printf("  left out: %s\n", text.c_str());
}

void run(TrackCommand& command, bool quiet) {
  StepBars bars(quiet || command.json);
  command.options.who = command.who;
  command.options.head = command.head;
  command.options.progress = [&](const std::string& step) { return bars.begin(step); };
  const TrackResult result =
      track_videos({command.videos.begin(), command.videos.end()}, command.output, command.options);
  const std::vector<CaptureProblem> problems = check_capture(command.output, bars.begin("checking"));
  bars.finish();
  for (const CaptureProblem& p : problems) std::fprintf(stderr, "%s: %s\n", p.where.c_str(), p.what.c_str());
  if (!problems.empty()) {
    throw Error(ErrorCode::kBadFile, fmt::format("{}: {} problems", command.output, problems.size()),
                "they are listed above");
  }
  if (command.json) {
    std::printf("%s\n", as_json(command, result).dump(2).c_str());
  } else {
    print(command, result);
  }
}

}  // namespace

void add_track_command(CLI::App& app) {
  auto c = std::make_shared<TrackCommand>();
  CLI::App* command = app.add_subcommand("track", "Makes a capture of ordinary videos of one person");
  command->add_option("VIDEO", c->videos, "Videos of the person, from any camera, of any look")->required();
  command->add_option("-o,--output", c->output, "Capture to write, a new folder; a run that was stopped goes on")
      ->required();
  TrackOptions& o = c->options;
  const auto option = [&](const char* name, auto& value, const char* help) {
    return command->add_option(name, value, help)->capture_default_str();
  };
  option("--who", c->who, "Picture of the person to follow (default: whoever is seen most)")->check(CLI::ExistingFile);
  option("--appearance", o.appearances, "Name of the look, one a video (default: what looks alike is one)");
  option("--person", o.person, "Name stored in the capture (default: the folder's)");
  option("--focal", o.focal, "Focal length in pixels, one a video or one for all; 0: found");
  option("--test", o.test, "Videos (names without ending) that are kept for testing");
  option("--head", c->head, "Head model (default: the one that set-up builds)")->check(CLI::ExistingFile);
  option("--size", o.size, "Pixels a side of the stored pictures")->check(CLI::Range(64, 4096));
  command->add_flag("--png", o.png, "Store pictures as PNG, not as JPEG");
  option("--device", o.device, "auto, cpu or cuda");
  option("--smoothness", o.fit.smoothness, "Multiplies the pull towards even motion")->check(CLI::Range(0.0, 100.0));
  command->add_flag("--json", c->json, "Print the result as JSON");
  command->footer(
      "Examples:\n  mien track kitchen.mp4 office.mov -o cap\n  mien track interview.mp4 --who me.jpg -o cap");
  command->callback([c, command] { run(*c, is_quiet(*command)); });
}

}  // namespace mien::app
