#include "train_report.h"

#include <fstream>
#include <string>

#include "mien/base/error.h"
#include "mien/base/parallel.h"
#include "mien/cuda/cuda.h"

namespace mien::app {
namespace {

constexpr std::chrono::seconds kPause(30);

std::string processor() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

}  // namespace

TrainReporter::TrainReporter(std::filesystem::path path, const CLI::App& command, const std::string& title,
                             const std::filesystem::path& log, const std::filesystem::path& preview)
    : path_(std::move(path)), next_(std::chrono::steady_clock::now()) {
  if (path_.empty()) return;
  page_.title = title;
  page_.log = log;
  page_.preview = preview;
  for (const CLI::Option* option : command.get_options()) {
    if (option->count() == 0) continue;
    page_.options.emplace_back(option->get_name(), fmt::format("{}", fmt::join(option->results(), " ")));
  }
  page_.hardware = {{"processor", processor()}, {"threads", fmt::format("{}", thread_count())}};
  if (cuda_missing().empty()) page_.hardware.emplace_back("GPU", cuda_device_name());
}

void TrainReporter::now_and_then(const std::string& state) {
  const auto now = std::chrono::steady_clock::now();
  if (path_.empty() || now < next_) return;
  next_ = now + kPause;
  page_.state = state;
  write_training_report(path_, page_);
}

void TrainReporter::finish(const std::string& state, const TrainingReportPage::Table& figures) {
  if (path_.empty()) return;
  page_.state = state;
  page_.figures = figures;
  write_training_report(path_, page_);
}

}  // namespace mien::app
