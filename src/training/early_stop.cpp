#include "early_stop.h"

#include <algorithm>

namespace mien {

bool EarlyStop::add(int step, int steps, double loss) {
  if (patience_ <= 0) return false;
  sum_ += steps * loss;
  count_ += steps;
  if (count_ < std::max(1, patience_ / 4)) return false;
  const double mean = sum_ / count_;
  sum_ = 0;
  count_ = 0;
  if (best_step_ < 0 || mean < best_ * (1 - kBetter)) {
    best_ = mean;
    best_step_ = step;
    return false;
  }
  return step - best_step_ >= patience_;
}

}  // namespace mien
