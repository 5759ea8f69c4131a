#include "speech/emotion/pitch.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "mien/speech/log_mel.h"

namespace mien {
namespace {

constexpr float kRate = 8000;  // Hz, at which periods are looked for
constexpr int kShortest = 16;  // samples: 500 Hz
constexpr int kLongest = 133;  // 60 Hz
constexpr int kHeard = 320;    // samples: 40 ms
constexpr int kCompared = kHeard - kLongest - 1;
constexpr float kClear = 0.5f;      // clarity from which on a voice swings
constexpr float kNearBest = 0.85f;  // the shortest period that is nearly the best is taken: not its double
constexpr float kSilence = 1e-7f;   // mean square

}  // namespace

PitchTracker::PitchTracker() : last_(kHeard, 0.0f), until_next_(kMelWindow) {}

void PitchTracker::push(std::span<const float> samples, std::vector<Pitch>& out) {
  for (const float sample : samples) {
    const float x = std::isfinite(sample) ? std::clamp(sample, -4.0f, 4.0f) : 0.0f;
    high_ = x - input_ + 0.98f * high_;  // takes away what is below 50 Hz
    input_ = x;
    odd_ = !odd_;
    if (odd_) {
      half_ = high_;
    } else {
      std::copy(last_.begin() + 1, last_.end(), last_.begin());
      last_.back() = 0.5f * (half_ + high_);
    }
    if (--until_next_ > 0) continue;
    until_next_ = kMelHop;
    out.push_back(analyse());
  }
}

Pitch PitchTracker::analyse() const {
  // The end of the 40 ms against what lies a lag before it.
  const float* end = last_.data() + kHeard - kCompared;
  float own = 0;
  for (int j = 0; j < kCompared; ++j) own += end[j] * end[j];
  if (own < kSilence * kCompared) return {};
  std::array<float, kLongest + 2> alike{};
  float best = 0;
  for (int lag = kShortest - 1; lag <= kLongest + 1; ++lag) {
    const float* before = end - lag;
    float product = 0, power = 0;
    for (int j = 0; j < kCompared; ++j) {
      product += end[j] * before[j];
      power += before[j] * before[j];
    }
    alike[lag] = 2 * product / (own + power + 1e-12f);
    if (lag >= kShortest && lag <= kLongest) best = std::max(best, alike[lag]);
  }
  if (best < kClear) return {0, std::max(best, 0.0f)};
  for (int lag = kShortest; lag <= kLongest; ++lag) {
    const float a = alike[lag - 1], b = alike[lag], c = alike[lag + 1];
    if (b < kNearBest * best || b < a || b < c) continue;
    // The top of the parabola through three values.
    const float bend = a - 2 * b + c;
    const float shift = bend < 0 ? std::clamp(0.5f * (a - c) / bend, -0.5f, 0.5f) : 0.0f;
    return {kRate / (static_cast<float>(lag) + shift), std::min(best, 1.0f)};
  }
  return {0, std::min(best, 1.0f)};
}

}  // namespace mien
