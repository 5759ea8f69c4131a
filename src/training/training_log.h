// What a training says of itself while it runs.
#pragma once

#include <chrono>
#include <filesystem>
#include <fstream>

#include "mien/base/error.h"
#include "mien/base/json.h"
#include "mien/training/image_loss.h"

namespace mien {

// One JSON object a line; see GaussianTrainOptions::log.
class TrainingLog {
 public:
  TrainingLog(const std::filesystem::path& path, bool go_on) {
    if (path.empty()) return;
    out_.open(path, go_on ? std::ios::app : std::ios::trunc);
    if (!out_) throw Error(ErrorCode::kIo, path.string() + ": cannot be written", "choose another place for the log");
  }
  // The mean of the last `steps` steps.
  void add(int step, int steps, const char* stage, const ImageLossValue& loss) {
    if (!out_.is_open()) return;
    l1_ += steps * loss.l1;
    ssim_ += steps * loss.ssim;
    total_ += steps * loss.total;
    count_ += steps;
    if (count_ < kLogEvery) return;
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    out_ << Json({{"step", step + 1},
                  {"stage", stage},
                  {"l1", l1_ / count_},
                  {"ssim", ssim_ / count_},
                  {"loss", total_ / count_},
                  {"seconds", seconds}})
                .dump()
         << std::endl;
    l1_ = ssim_ = total_ = 0;
    count_ = 0;
  }

 private:
  static constexpr int kLogEvery = 50;

  std::ofstream out_;
  double l1_ = 0, ssim_ = 0, total_ = 0;
  int count_ = 0;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace mien
