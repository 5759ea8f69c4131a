// The page of a training beside its avatar, renewed as it goes on.
#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <filesystem>

#include "mien/training/training_report.h"

namespace mien::app {

class TrainReporter {
 public:
  // An empty path writes nothing. The options that were given on the command line stand in the page.
  TrainReporter(std::filesystem::path path, const CLI::App& command, const std::string& title,
                const std::filesystem::path& log, const std::filesystem::path& preview);
  // Writes at once, and then not again for half a minute.
  void now_and_then(const std::string& state);
  void finish(const std::string& state, const TrainingReportPage::Table& figures);
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  TrainingReportPage page_;
  std::chrono::steady_clock::time_point next_;
};

}  // namespace mien::app
