#include <algorithm>
#include <cmath>

#include "actor/performance/eyes.h"

namespace mien {
namespace {

constexpr float kDegree = 0.017453293f;

double log_normal(Random& random, double mean, double deviation) {
  const double variance = std::log(1 + deviation * deviation / (mean * mean));
  return std::exp(std::log(mean) - 0.5 * variance + std::sqrt(variance) * random.normal());
}

// Minimum-jerk step from 0 to 1 (Flash and Hogan 1985).
float minimum_jerk(double x) {
  x = std::clamp(x, 0.0, 1.0);
  return static_cast<float>(x * x * x * (10 - 15 * x + 6 * x * x));
}

}  // namespace

Blinker::Blinker(std::uint64_t seed, float rate) : random_(seed, 11), rate_(rate) {}

void Blinker::draw(double now, double interval_scale) {
  if (rate_ <= 0) return;
  const double wait = std::clamp(log_normal(random_, 4.0, 2.5), 0.7, 14.0) * interval_scale / rate_;
  duration_ = std::clamp(log_normal(random_, 0.21, 0.04), 0.150, 0.300);
  begin_ = now + wait;
}

float Blinker::profile(double x, double hold_share) {
  if (x <= 0 || x >= 1) return 0;
  const double shut = (1 - hold_share) / 3;  // the rest, twice as long, opens
  if (x < shut) return minimum_jerk(x / shut);
  if (x < shut + hold_share) return 1;
  return 1 - minimum_jerk((x - shut - hold_share) / (1 - shut - hold_share));
}

float Blinker::step(double now, double interval_scale, bool hold_back) {
  if (rate_ <= 0) return 0;
  if (!started_) {
    started_ = true;
    draw(now - 2 * random_.uniform(), interval_scale);
    begin_ = std::max(begin_, now);
  }
  if (now >= begin_ + duration_) {
    last_end_ = begin_ + duration_;
    draw(begin_, interval_scale);  // intervals count from onset to onset
    begin_ = std::max(begin_, last_end_ + 0.15);
  }
  if (now < begin_) {
    if (hold_back && begin_ - now < 0.05) begin_ = now + 0.05;
    return 0;
  }
  // Shut for at least a frame of 30 a second, so that every blink is seen shut.
  return profile((now - begin_) / duration_, std::max(0.16, 0.034 / duration_));
}

void Blinker::blink_now(double now) {
  if (rate_ <= 0 || !started_ || now >= begin_ || now < last_end_ + 1.0) return;
  begin_ = now;
}

Gaze::Gaze(std::uint64_t seed, float size) : random_(seed, 12), size_(size) {}

void Gaze::move(double now, const std::array<float, 2>& target) {
  const double elapsed = now - begin_;
  const float share = duration_ > 0 ? minimum_jerk(elapsed / duration_) : 1;
  for (int i = 0; i < 2; ++i) from_[i] += share * (to_[i] - from_[i]);
  to_ = target;
  const float angle = std::hypot(to_[0] - from_[0], to_[1] - from_[1]);
  begin_ = now;
  duration_ = saccade_seconds(angle / kDegree);
  started_ = angle;
}

std::array<float, 2> Gaze::step(double now, float fixation_scale, float pitch_bias) {
  started_ = 0;
  if (size_ <= 0) return {0, 0};
  if (now >= next_) {
    // From eye contact (with a little wandering between the other's eyes) to somewhere near, and back.
    away_ = !away_ && random_.uniform() < 0.30f;
    if (away_) {
      centre_ = {std::clamp(8 * random_.normal(), -20.0f, 20.0f) * kDegree * size_,
                 std::clamp(4.5f * random_.normal() - 1, -12.0f, 10.0f) * kDegree * size_};
    } else {
      centre_ = {random_.uniform(-1.2f, 1.2f) * kDegree * size_, random_.uniform(-0.8f, 0.8f) * kDegree * size_};
    }
    next_ = now + fixation_scale * (away_ ? std::clamp(log_normal(random_, 0.8, 0.4), 0.4, 2.0)
                                          : std::clamp(log_normal(random_, 1.7, 0.9), 0.4, 3.0));
    next_micro_ = now + 0.3 + log_normal(random_, 0.6, 0.4);
    move(now, centre_);
  } else if (now >= next_micro_) {
    const float angle = random_.uniform(0.0f, 6.28318530718f);
    const float length = random_.uniform(0.1f, 0.6f) * kDegree * std::min(1.0f, size_);
    next_micro_ = now + 0.25 + log_normal(random_, 0.75, 0.5);
    // Back towards the fixated point more often than not.
    std::array<float, 2> target = {to_[0] + length * std::cos(angle), to_[1] + length * std::sin(angle)};
    if (std::hypot(target[0] - centre_[0], target[1] - centre_[1]) > 0.8f * kDegree) target = centre_;
    move(now, target);
  }
  const float share = duration_ > 0 ? minimum_jerk((now - begin_) / duration_) : 1;
  return {from_[0] + share * (to_[0] - from_[0]), from_[1] + share * (to_[1] - from_[1]) + pitch_bias};
}

}  // namespace mien
