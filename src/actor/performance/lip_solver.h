// Lips on a real mesh: which ARKit weights give a wanted lip gap, and which bring the lower lip to the upper teeth.
#pragma once

#include <array>
#include <vector>

#include "mien/head/head_model.h"

namespace mien {

// The 52 ARKit weights and what speech needs beyond them, in a fixed order of our own: the built head has these three
// extra expressions (by name); where a model lacks one, its weight does nothing.
constexpr int kExtraCount = 3;
constexpr int kFaceCount = kArkitCount + kExtraCount;
extern const std::array<const char*, kExtraCount> kExtraNames;  // lipsPart, lowerLipTuck, tongueUp
using FaceWeights = std::array<float, kFaceCount>;

// Indices into FaceWeights, ARKit's order first.
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
  kTongueOut,
  kLipsPart,
  kLowerLipTuck,
  kTongueUp
};
}  // namespace arkit

// The model is linear in its weights, so distances between a few vertices cost a few dot products. Built once a model;
// const calls are thread-safe. A model without contours gets typical slopes instead of its own.
class LipSolver {
 public:
  explicit LipSolver(const HeadModel& model);

  // Puts the weights where the model has them; the others stay as they are.
  void write(const FaceWeights& weights, std::vector<float>& expression) const;

  FaceWeights read(const std::vector<float>& expression) const;

  bool has_mesh() const { return !pairs_.empty(); }
  // Vertical distance of the inner lips at the middle, mm; negative when they cross.
  float gap_mm(const FaceWeights& weights) const;
  // The largest and the smallest over the central half of the lips.
  std::array<float, 2> gap_range_mm(const FaceWeights& weights) const;
  // Lower lip to the biting edge of the upper teeth; a large number without contours.
  float lip_to_teeth_mm(const FaceWeights& weights) const;
  // Jaw weight that opens the lips by `mm` when nothing else moves.
  float jaw_for(float mm) const { return mm / gap_per_jaw_; }

  // Changes jawOpen, mouthClose, lowerDown and upperUp so that the gap becomes `mm` (as far as weights in [0,1] can).
  void reach_gap(float mm, FaceWeights& weights) const;
  // Closes the lips over the central half, not only at the middle, with `mm` (negative) of pressure.
  void close(float mm, FaceWeights& weights) const;
  // Brings the lower lip to the upper teeth: rolls it in, sets the jaw, lifts the upper lip.
  void touch_teeth(FaceWeights& weights) const;

 private:
  struct Point {
    Vec3 base;
    std::array<Vec3, kFaceCount> slope;
    Vec3 at(const FaceWeights& weights) const;
  };
  struct Pair {
    float base;
    std::array<float, kFaceCount> slope;
    float at(const FaceWeights& weights) const;
  };

  void search_teeth(FaceWeights& weights) const;

  std::vector<Pair> pairs_;       // central half of the lip line
  std::vector<Point> lower_lip_;  // its lower vertices
  std::vector<Point> upper_teeth_;
  Pair middle_{};
  float gap_per_jaw_ = 28;
  std::array<int, kFaceCount> column_{};  // of the model's expression, -1 when it has none
  float teeth_tuck_ = 0;                  // what touch_teeth() starts from
  float teeth_roll_ = 0.5f;
  float teeth_jaw_ = 0.05f;
};

}  // namespace mien
