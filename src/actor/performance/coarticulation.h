// From gestures to a continuous mouth: dominance functions for what blends, windows for what must be reached.
#pragma once

#include <vector>

#include "actor/performance/phone_targets.h"

namespace mien {

// How much a contact holds at a moment, [0,1] each.
struct ContactState {
  float lips = 0;       // P B M: 1 = the lips are closed
  float lip_teeth = 0;  // F V: 1 = the lower lip is at the upper teeth
  float rest = 0;       // pauses: 1 = closed and relaxed
};

struct MouthMoment {
  MouthPose pose{};  // with the open vowels' gap reached; contacts not yet applied
  ContactState contact;
};

// The mouth as a function of time. Blending (Cohen and Massaro 1993):
//   a(t) = sum_i D_i(t) T_i / sum_i D_i(t),  D_i(t) = s_i exp(-(d / theta)^1.5),
// d = distance of t to the middle part of gesture i, theta = reach of the articulator group, longer forwards in time
// than backwards for the lips' rounding (anticipation), and shorter in fast speech. Sampled at 120 Hz and smoothed by a
// Gaussian narrow enough for `fps`; windows are evaluated exactly at the asked time, with plateaus no shorter than a
// frame, so that no closure falls between two frames.
class MouthTrack {
 public:
  MouthTrack(const PhoneTrack& phones, double seconds, double fps, float articulation);
  MouthMoment at(double time) const;
  // 0 in silence, about 0.3 to 1 in speech: what an audio energy would say.
  float energy(double time) const;

 private:
  MouthPose blend(double time, std::size_t& first) const;
  float window(std::size_t gesture, double time) const;

  std::vector<Gesture> gestures_;
  std::vector<double> reach_;  // [gestures], local tempo factor of theta
  std::vector<MouthPose> samples_;
  double frame_ = 1.0 / 30;
  float articulation_ = 1;
};

}  // namespace mien
