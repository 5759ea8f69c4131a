#include "head/pose_math.h"

namespace mien {
namespace {

// Share `w` of a rotation. Normalised linear interpolation keeps distances to the joint, so necks do not thin out when
// they turn as they do with blended matrices, and it is exact for w = 0 and 1.
Mat3 part_of(const Quat& rotation, float w) {
  const float sign = rotation.w() < 0 ? -1.0f : 1.0f;
  const float s = sign * w;
  Quat part(1 - w + s * rotation.w(), s * rotation.x(), s * rotation.y(), s * rotation.z());
  part.normalize();
  return part.toRotationMatrix();
}

Mat3 gaze_rotation(const std::array<float, 2>& gaze) {
  return (Eigen::AngleAxisf(gaze[0], Vec3::UnitY()) * Eigen::AngleAxisf(-gaze[1], Vec3::UnitX())).toRotationMatrix();
}

}  // namespace

Poser::Poser(const HeadModel& model, const HeadPose& pose)
    : neck_centre_(model.joints[static_cast<int>(HeadJoint::kNeck)]),
      head_centre_(model.joints[static_cast<int>(HeadJoint::kHead)]),
      left_centre_(model.joints[static_cast<int>(HeadJoint::kEyeLeft)]),
      right_centre_(model.joints[static_cast<int>(HeadJoint::kEyeRight)]),
      neck_(pose.neck),
      head_(pose.head),
      neck_matrix_(pose.neck.toRotationMatrix()),
      head_matrix_(pose.head.toRotationMatrix()),
      root_(pose.root.toRotationMatrix()),
      gaze_left_(gaze_rotation(pose.gaze_left)),
      gaze_right_(gaze_rotation(pose.gaze_right)),
      translation_(pose.translation) {}

Vec3 Poser::operator()(const Vec3& point, const std::array<float, 2>& shares) const {
  Vec3 p = point;
  if (shares[1] > 0)
    p = (shares[1] >= 1 ? head_matrix_ : part_of(head_, shares[1])) * (p - head_centre_) + head_centre_;
  if (shares[0] > 0)
    p = (shares[0] >= 1 ? neck_matrix_ : part_of(neck_, shares[0])) * (p - neck_centre_) + neck_centre_;
  return root_ * p + translation_;
}

Vec3 Poser::turn_eye(const Vec3& point, bool is_left) const {
  return is_left ? Vec3(gaze_left_ * (point - left_centre_) + left_centre_)
                 : Vec3(gaze_right_ * (point - right_centre_) + right_centre_);
}

}  // namespace mien
