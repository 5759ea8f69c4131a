// Ends a training whose loss has stopped falling.
#pragma once

#include <filesystem>

namespace mien {

// Losses come as means over stretches of steps, as the log has them. The mean over the last quarter of `patience` steps
// is compared with the best such mean before: once it has not been better by half a percent for `patience` steps, the
// training is settled. Losses of single pictures differ too much to be compared.
class EarlyStop {
 public:
  static constexpr double kBetter = 0.005;
  // patience 0 = never.
  explicit EarlyStop(int patience) : patience_(patience) {}
  // The mean loss of `steps` steps, the last of which was `step` (counted from 1). True once settled.
  bool add(int step, int steps, double loss);

 private:
  int patience_;
  double sum_ = 0, best_ = 0;
  int count_ = 0, best_step_ = -1;
};

}  // namespace mien
