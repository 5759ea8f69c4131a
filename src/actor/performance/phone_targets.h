// What each phone asks of the mouth. Apertures in millimetres, so that they mean the same on every mesh.
#pragma once

#include <array>
#include <vector>

#include "mien/head/phone.h"

namespace mien {

enum Articulator : int {
  kGap,     // inner lips apart at the middle of the mouth, mm
  kJaw,     // the part of that gap which the jaw alone would make, mm
  kPucker,  // from here on: ARKit weights
  kFunnel,
  kStretch,
  kSmile,
  kUpperUp,
  kLowerDown,
  kRollLower,
  kPress,
  kJawAhead,
  kTipOut,
  kTipUp,  // tip to the ridge behind the upper teeth (used when the head model has such a shape)
  kArticulatorCount
};
using MouthPose = std::array<float, kArticulatorCount>;

// Articulators that a phone commands together share one dominance.
enum Group : int { kAperture, kRounding, kTongue, kGroupCount };
Group articulator_group(int articulator);

struct PhoneTarget {
  MouthPose pose;
  std::array<float, kGroupCount> strength;  // peak dominance: how little neighbours can change it
};

enum class Contact { kNone, kLips, kLipTeeth, kRest };

// One stretch of time with one target. Diphthongs are two.
struct Gesture {
  double begin;
  double end;
  PhoneTarget target;
  Contact contact = Contact::kNone;
  float least_gap_mm = 0;  // an open vowel: the gap it has to reach
};

// The gestures of a track: pauses (also the gaps between phones, and before and after) are Contact::kRest gestures.
std::vector<Gesture> gestures_of(const PhoneTrack& phones, double seconds);

}  // namespace mien
