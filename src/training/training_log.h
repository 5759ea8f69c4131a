// What a training says of itself while it runs.
#pragma once

#include <chrono>
#include <filesystem>
#include <fstream>
#include <utility>
#include <vector>

#include "mien/base/error.h"
#include "mien/base/json.h"
#include "mien/training/image_loss.h"

namespace mien {

// One JSON object a line; see the trainers' options.
class TrainingLog {
 public:
  TrainingLog(const std::filesystem::path& path, bool go_on) {
    if (path.empty()) return;
    out_.open(path, go_on ? std::ios::app : std::ios::trunc);
    if (!out_) throw Error(ErrorCode::kIo, path.string() + ": cannot be written", "choose another place for the log");
  }
  using Values = std::vector<std::pair<const char*, double>>;  // always the same names
  // The means of the last `steps` steps.
  void add(int step, int steps, const char* stage, const Values& values) {
    if (!out_.is_open()) return;
    sums_.resize(values.size(), 0.0);
    for (std::size_t i = 0; i < values.size(); ++i) sums_[i] += steps * values[i].second;
    count_ += steps;
    if (count_ < kLogEvery) return;
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    Json line = {{"step", step + 1}, {"stage", stage}, {"seconds", seconds}};
    for (std::size_t i = 0; i < values.size(); ++i) line[values[i].first] = sums_[i] / count_;
    out_ << line.dump() << std::endl;
    sums_.clear();
    count_ = 0;
  }
  void add(int step, int steps, const char* stage, const ImageLossValue& loss) {
    add(step, steps, stage, {{"l1", loss.l1}, {"ssim", loss.ssim}, {"loss", loss.total}});
  }

 private:
  static constexpr int kLogEvery = 50;

  std::ofstream out_;
  std::vector<double> sums_;
  int count_ = 0;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace mien
