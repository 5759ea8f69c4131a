// mien capture: looks at captures.
#include "mien/capture/capture.h"

#include <cstdio>
#include <memory>

#include "commands.h"
#include "import.h"
#include "mien/base/error.h"
#include "mien/base/interrupt.h"
#include "mien/base/json.h"
#include "mien/base/progress.h"

namespace mien::app {
namespace {

void print_summary(const Capture& capture) {
  long pictures = 0;
  double seconds = 0;
  for (const CaptureSequence& s : capture.sequences) {
    pictures += static_cast<long>(s.frames) * static_cast<long>(s.views.size());
    seconds += s.frames / s.fps;
  }
  std::printf("%s: no problems: %zu cameras, %zu sequences, %.1f s, %ld pictures\n", capture.folder.c_str(),
              capture.cameras.size(), capture.sequences.size(), seconds, pictures);
}

void check(const std::string& folder, bool json, bool quiet) {
  ProgressBar bar("checking", quiet || json);
  const std::vector<CaptureProblem> problems = check_capture(folder, std::ref(bar));
  bar.finish();
  throw_if_interrupted();
  if (json) {
    Json out = {{"folder", folder}, {"problems", Json::array()}};
    for (const CaptureProblem& p : problems) {
      out["problems"].push_back({{"where", p.where}, {"what", p.what}, {"mend", p.mend}});
    }
    std::printf("%s\n", out.dump(2).c_str());
  } else {
    for (const CaptureProblem& p : problems) {
      std::printf("%s: %s\n    -> %s\n", p.where.c_str(), p.what.c_str(), p.mend.c_str());
    }
  }
  if (!problems.empty()) {
    throw Error(ErrorCode::kBadFile,
                fmt::format("{}: {} problem{}", folder, problems.size(), problems.size() == 1 ? "" : "s"),
                json ? "" : "they are listed above");
  }
  if (!json) print_summary(Capture::load(folder));
}

}  // namespace

void add_capture_command(CLI::App& app) {
  CLI::App* capture =
      app.add_subcommand("capture", "Checks and imports captures, the recordings that avatars are trained from");
  capture->require_subcommand(1);
  CLI::App* command =
      capture->add_subcommand("check", "Says all that is wrong with a capture: place, problem and mend");
  command->footer("Example:\n  mien capture check my_capture\n\nEnds with status 3 when there is a problem.");
  auto folder = std::make_shared<std::string>();
  auto json = std::make_shared<bool>(false);
  command->add_option("DIR", *folder, "Folder with capture.json")->required();
  command->add_flag("--json", *json, "Print JSON");
  command->callback([=] { check(*folder, *json, is_quiet(*command)); });
  add_capture_import(*capture);
}

}  // namespace mien::app
