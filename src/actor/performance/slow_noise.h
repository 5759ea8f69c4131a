// Smooth random movement: white noise through a critically damped second-order filter, in fixed ticks.
#pragma once

#include <cmath>

#include "mien/base/random.h"

namespace mien {

// Zero mean, deviation 1, correlation time about 2 * tau. tick() advances by kTick; value(share) interpolates inside a
// tick.
class SlowNoise {
 public:
  static constexpr double kTick = 1.0 / 120;

  SlowNoise() = default;
  explicit SlowNoise(double tau) : rate_(kTick / tau) {}
  void tick(Random& random) {
    before_ = after_;
    // Two equal leaky integrators in a row. Input deviation such that the output's is 1: the variance of the cascade is
    // a (1 + (1-a)^2) / (2 - a)^3 for a leak of a a tick.
    const double a = rate_;
    const double gain = 1 / std::sqrt(a * (1 + (1 - a) * (1 - a)) / std::pow(2 - a, 3));
    first_ += a * (gain * random.normal() - first_);
    after_ += a * (first_ - after_);
  }
  float value(double share) const { return static_cast<float>(before_ + share * (after_ - before_)); }

 private:
  double rate_ = 0.01;
  double first_ = 0, before_ = 0, after_ = 0;
};

}  // namespace mien
