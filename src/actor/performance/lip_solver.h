// Lips on a real mesh: which ARKit weights give a wanted lip gap, and which bring the lower lip to the upper teeth.
#pragma once

#include <array>
#include <vector>

#include "mien/head/head_model.h"

namespace mien {

using ArkitWeights = std::array<float, kArkitCount>;

// Indices of the weights used here and by the performance, in ARKit's order.
namespace arkit {
enum : int {
  kEyeBlinkLeft = 0,
  kEyeLookDownLeft,
  kEyeLookInLeft,
  kEyeLookOutLeft,
  kEyeLookUpLeft,
  kEyeSquintLeft,
  kEyeWideLeft,
  kEyeBlinkRight,
  kEyeLookDownRight,
  kEyeLookInRight,
  kEyeLookOutRight,
  kEyeLookUpRight,
  kEyeSquintRight,
  kEyeWideRight,
  kJawForward,
  kJawLeft,
  kJawRight,
  kJawOpen,
  kMouthClose,
  kMouthFunnel,
  kMouthPucker,
  kMouthLeft,
  kMouthRight,
  kMouthSmileLeft,
  kMouthSmileRight,
  kMouthFrownLeft,
  kMouthFrownRight,
  kMouthDimpleLeft,
  kMouthDimpleRight,
  kMouthStretchLeft,
  kMouthStretchRight,
  kMouthRollLower,
  kMouthRollUpper,
  kMouthShrugLower,
  kMouthShrugUpper,
  kMouthPressLeft,
  kMouthPressRight,
  kMouthLowerDownLeft,
  kMouthLowerDownRight,
  kMouthUpperUpLeft,
  kMouthUpperUpRight,
  kBrowDownLeft,
  kBrowDownRight,
  kBrowInnerUp,
  kBrowOuterUpLeft,
  kBrowOuterUpRight,
  kCheekPuff,
  kCheekSquintLeft,
  kCheekSquintRight,
  kNoseSneerLeft,
  kNoseSneerRight,
  kTongueOut
};
}  // namespace arkit

// The model is linear in its weights, so distances between a few vertices cost a few dot products. Built once a model;
// const calls are thread-safe. A model without contours gets typical slopes instead of its own.
class LipSolver {
 public:
  explicit LipSolver(const HeadModel& model);

  bool has_mesh() const { return !pairs_.empty(); }
  // Vertical distance of the inner lips at the middle, mm; negative when they cross.
  float gap_mm(const ArkitWeights& weights) const;
  // The largest and the smallest over the central half of the lips.
  std::array<float, 2> gap_range_mm(const ArkitWeights& weights) const;
  // Lower lip to the biting edge of the upper teeth; a large number without contours.
  float lip_to_teeth_mm(const ArkitWeights& weights) const;
  // Jaw weight that opens the lips by `mm` when nothing else moves.
  float jaw_for(float mm) const { return mm / gap_per_jaw_; }

  // Changes jawOpen, mouthClose, lowerDown and upperUp so that the gap becomes `mm` (as far as weights in [0,1] can).
  void reach_gap(float mm, ArkitWeights& weights) const;
  // Closes the lips over the central half, not only at the middle, with `mm` (negative) of pressure.
  void close(float mm, ArkitWeights& weights) const;
  // Brings the lower lip to the upper teeth: rolls it in, sets the jaw, lifts the upper lip.
  void touch_teeth(ArkitWeights& weights) const;

 private:
  struct Point {
    Vec3 base;
    std::array<Vec3, kArkitCount> slope;
    Vec3 at(const ArkitWeights& weights) const;
  };
  struct Pair {
    float base;
    std::array<float, kArkitCount> slope;
    float at(const ArkitWeights& weights) const;
  };
  float middle_slope(int weight) const;

  std::vector<Pair> pairs_;       // central half of the lip line
  std::vector<Point> lower_lip_;  // its lower vertices
  std::vector<Point> upper_teeth_;
  Pair middle_{};
  float gap_per_jaw_ = 28;
  float teeth_roll_ = 0.5f;  // what touch_teeth() starts from
  float teeth_jaw_ = 0.05f;
};

}  // namespace mien
