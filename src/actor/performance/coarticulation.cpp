#include "actor/performance/coarticulation.h"

#include <algorithm>
#include <cmath>

namespace mien {
namespace {

constexpr double kRate = 120;    // Hz of the blended track
constexpr double kBefore = 0.1;  // seconds sampled before time 0 and after the end
constexpr double kNear = 0.45;   // seconds beyond which a gesture has no say

struct Reach {
  double ahead;   // seconds: how early a gesture is felt
  double behind;  // and how long it lingers
};
constexpr Reach kReach[kGroupCount] = {{0.060, 0.055}, {0.115, 0.080}, {0.050, 0.045}};

double smoothstep(double x) {
  x = std::clamp(x, 0.0, 1.0);
  return x * x * (3 - 2 * x);
}

// 1 on [begin, end], cosine-like ramps outside.
double plateau(double t, double begin, double end, double ramp_in, double ramp_out) {
  if (t < begin) return smoothstep(1 - (begin - t) / ramp_in);
  if (t > end) return smoothstep(1 - (t - end) / ramp_out);
  return 1;
}

double length(const Gesture& g) {
  return g.end - g.begin;
}

}  // namespace

MouthTrack::MouthTrack(const PhoneTrack& phones, double seconds, double fps, float articulation)
    : gestures_(gestures_of(phones, seconds)), frame_(1 / fps), articulation_(articulation) {
  // Local tempo: mean length of the speech gestures around, against 80 ms.
  reach_.assign(gestures_.size(), 1.0);
  for (std::size_t i = 0; i < gestures_.size(); ++i) {
    double sum = 0;
    int count = 0;
    for (std::size_t j = i >= 3 ? i - 3 : 0; j < std::min(gestures_.size(), i + 4); ++j) {
      if (gestures_[j].contact == Contact::kRest) continue;
      sum += std::min(0.25, length(gestures_[j]));
      ++count;
    }
    if (count > 0) reach_[i] = std::clamp(sum / count / 0.080, 0.8, 1.25);
  }
  const auto count = static_cast<std::size_t>(std::ceil((seconds + 2 * kBefore) * kRate)) + 2;
  std::vector<MouthPose> raw(count);
  std::size_t first = 0;
  for (std::size_t i = 0; i < count; ++i) raw[i] = blend(static_cast<double>(i) / kRate - kBefore, first);

  // Gaussian, deviation at least a third of a frame: keeps what a frame rate can show.
  const double sigma = std::max(0.011, 0.36 * frame_) * kRate;
  const int radius = static_cast<int>(std::ceil(3 * sigma));
  std::vector<float> kernel(2 * radius + 1);
  float total = 0;
  for (int k = -radius; k <= radius; ++k)
    total += kernel[k + radius] = static_cast<float>(std::exp(-0.5 * k * k / (sigma * sigma)));
  samples_.assign(count, MouthPose{});
  const int last = static_cast<int>(count) - 1;
  for (int i = 0; i <= last; ++i) {
    for (int k = -radius; k <= radius; ++k) {
      const MouthPose& source = raw[std::clamp(i + k, 0, last)];
      for (int a = 0; a < kArticulatorCount; ++a) samples_[i][a] += kernel[k + radius] / total * source[a];
    }
  }
}

MouthPose MouthTrack::blend(double time, std::size_t& first) const {
  while (first + 1 < gestures_.size() && gestures_[first].end < time - kNear) ++first;
  MouthPose sum{};
  std::array<double, kGroupCount> weight{};
  for (std::size_t i = first; i < gestures_.size() && gestures_[i].begin <= time + kNear; ++i) {
    const Gesture& g = gestures_[i];
    // The middle 40 % is full strength; of a pause everything but 80 ms at either end.
    const double margin = g.contact == Contact::kRest ? std::min(0.08, 0.3 * length(g)) : 0.3 * length(g);
    const double before = g.begin + margin - time;
    const double after = time - (g.end - margin);
    std::array<float, kGroupCount> dominance;
    for (int group = 0; group < kGroupCount; ++group) {
      double x = 0;
      if (before > 0) x = before / (kReach[group].ahead * reach_[i]);
      if (after > 0) x = after / (kReach[group].behind * reach_[i]);
      dominance[group] = g.target.strength[group] * static_cast<float>(std::exp(-x * std::sqrt(x)));
      weight[group] += dominance[group];
    }
    for (int a = 0; a < kArticulatorCount; ++a) sum[a] += dominance[articulator_group(a)] * g.target.pose[a];
  }
  for (int a = 0; a < kArticulatorCount; ++a) {
    sum[a] /= static_cast<float>(std::max(1e-9, weight[articulator_group(a)]));
  }
  return sum;
}

// Window of a contact or of an open vowel. Ramps reach into the neighbours, but leave their middles free.
float MouthTrack::window(std::size_t i, double time) const {
  const Gesture& g = gestures_[i];
  const auto ramp = [&](std::size_t neighbour, bool exists, double longest) {
    if (!exists) return longest;
    return std::clamp(0.62 * length(gestures_[neighbour]), 0.045, longest);
  };
  const double in = ramp(i == 0 ? 0 : i - 1, i > 0, 0.085);
  const double out = ramp(i + 1, i + 1 < gestures_.size(), 0.085);
  const double middle = 0.5 * (g.begin + g.end);
  switch (g.contact) {
    case Contact::kLips:
    case Contact::kLipTeeth: {
      // Held for the phone less a little at the release; at least a good frame, two where the phone is that long.
      const double hold = std::max(length(g) - 0.012, std::min(1.1 * frame_, 0.06));
      return static_cast<float>(plateau(time, middle - hold / 2, middle + hold / 2, in, out));
    }
    case Contact::kRest: {
      // A short pause only narrows the mouth; a longer one shuts it, a little after the sound ends.
      const double depth = smoothstep((length(g) - 0.08) / 0.14);
      const double settle = std::min(0.07, 0.3 * length(g));
      const double leave = std::min(0.06, 0.25 * length(g));
      return static_cast<float>(depth * plateau(time, g.begin + settle, g.end - leave, 0.11, 0.10));
    }
    case Contact::kNone: {
      if (g.least_gap_mm <= 0) return 0;
      const double hold = std::max(0.35 * length(g), std::min(1.05 * frame_, 0.05));
      return static_cast<float>(plateau(time, middle - hold / 2, middle + hold / 2, in, out));
    }
  }
  return 0;
}

MouthMoment MouthTrack::at(double time) const {
  MouthMoment moment;
  const double x = std::clamp((time + kBefore) * kRate, 0.0, static_cast<double>(samples_.size() - 1));
  const auto low = std::min(static_cast<std::size_t>(x), samples_.size() - 2);
  const float share = static_cast<float>(x - static_cast<double>(low));
  for (int a = 0; a < kArticulatorCount; ++a) {
    moment.pose[a] = (1 - share) * samples_[low][a] + share * samples_[low + 1][a];
  }
  moment.pose[kGap] *= articulation_;
  moment.pose[kJaw] *= articulation_;

  const auto near = std::lower_bound(gestures_.begin(), gestures_.end(), time - kNear,
                                     [](const Gesture& g, double t) { return g.end < t; });
  float raise = 0;
  for (auto i = static_cast<std::size_t>(near - gestures_.begin());
       i < gestures_.size() && gestures_[i].begin <= time + kNear; ++i) {
    const float w = window(i, time);
    switch (gestures_[i].contact) {
      case Contact::kLips:
        moment.contact.lips = std::max(moment.contact.lips, w);
        break;
      case Contact::kLipTeeth:
        moment.contact.lip_teeth = std::max(moment.contact.lip_teeth, w);
        break;
      case Contact::kRest:
        moment.contact.rest = std::max(moment.contact.rest, w);
        break;
      case Contact::kNone:
        raise = std::max(raise, w * std::max(0.0f, articulation_ * gestures_[i].least_gap_mm - moment.pose[kGap]));
    }
  }
  moment.pose[kGap] += raise;
  moment.pose[kJaw] += 0.8f * raise;
  return moment;
}

float MouthTrack::energy(double time) const {
  const auto now =
      std::lower_bound(gestures_.begin(), gestures_.end(), time, [](const Gesture& g, double t) { return g.end < t; });
  if (now == gestures_.end() || now->contact == Contact::kRest) return 0;
  // Loudness goes with the opening of the mouth.
  return std::clamp(0.25f + now->target.pose[kGap] / 14, 0.0f, 1.0f);
}

}  // namespace mien
