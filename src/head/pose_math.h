// The rigid part of posing, shared by the head mesh and by what it wears.
#pragma once

#include <array>

#include "mien/head/head_model.h"

namespace mien {

// A pose made ready for many points.
class Poser {
 public:
  Poser(const HeadModel& model, const HeadPose& pose);
  // A point of the head at rest -> posed. Shares as HeadModel::skin_weights.
  Vec3 operator()(const Vec3& point, const std::array<float, 2>& shares) const;
  // Turns a point of an eyeball by its gaze (before posing).
  Vec3 turn_eye(const Vec3& point, bool is_left) const;

 private:
  Vec3 neck_centre_, head_centre_, left_centre_, right_centre_;
  Quat neck_, head_;
  Mat3 neck_matrix_, head_matrix_, root_, gaze_left_, gaze_right_;
  Vec3 translation_;
};

}  // namespace mien
