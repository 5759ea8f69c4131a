#include "mien/head/retarget.h"

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>

#include "mien/base/error.h"

namespace mien {
namespace {

constexpr float kNeckShare = 0.35f;  // of a turn; the rest is the head's on top of it
constexpr float kMostSway = 0.08f;   // metres

// The rotation that all are nearest to: the largest eigenvector of the sum of q q' (Markley et al. 2007).
Quat mean_rotation(const std::vector<Quat>& rotations) {
  Eigen::Matrix4d sum = Eigen::Matrix4d::Zero();
  for (const Quat& q : rotations) {
    const Eigen::Vector4d c = q.coeffs().cast<double>();
    sum += c * c.transpose();
  }
  const Eigen::SelfAdjointEigenSolver<Eigen::Matrix4d> solver(sum);
  Quat mean;
  mean.coeffs() = solver.eigenvectors().col(3).cast<float>();
  return mean.normalized();
}

// The value that this share of the values lies below.
float at_share(std::vector<float> values, float share) {
  const auto place = values.begin() + static_cast<std::ptrdiff_t>(share * static_cast<float>(values.size()));
  std::nth_element(values.begin(), place, values.end());
  return *place;
}

// Brows, nose and the skin around the eyes come back to rest all the time; lips and lids of somebody who talks hardly
// do.
bool rests_often(const std::string& expression) {
  for (const char* part : {"brow", "eyeSquint", "eyeWide", "noseSneer", "cheekSquint"}) {
    if (expression.starts_with(part)) return true;
  }
  return false;
}

// What of each expression is the driver's face at rest goes; full weight stays full weight. How low or near the brows
// of somebody are is partly taken for a frown when landmarks are tracked, so for them there is more to take away.
void subtract_rest(HeadMotion& motion) {
  if (motion.frames.size() < static_cast<std::size_t>(motion.fps)) return;
  for (std::size_t e = 0; e < motion.expression_names.size(); ++e) {
    std::vector<float> weights;
    for (const MotionFrame& frame : motion.frames)
      weights.push_back(e < frame.expression.size() ? frame.expression[e] : 0.0f);
    const bool often = rests_often(motion.expression_names[e]);
    const float rest = std::clamp(at_share(weights, often ? 0.5f : 0.1f), 0.0f, often ? 0.6f : 0.3f);
    for (MotionFrame& frame : motion.frames) {
      if (e < frame.expression.size()) frame.expression[e] = std::max(0.0f, (frame.expression[e] - rest) / (1 - rest));
    }
  }
}

// Where the head's joint comes to lie.
Vec3 joint_place(const HeadModel& head, const HeadPose& pose) {
  const Vec3& neck = head.joints[static_cast<std::size_t>(HeadJoint::kNeck)];
  const Vec3& skull = head.joints[static_cast<std::size_t>(HeadJoint::kHead)];
  return pose.root * (neck + pose.neck * (skull - neck)) + pose.translation;
}

}  // namespace

HeadMotion retarget(const HeadMotion& motion, const HeadModel& driver, const RetargetOptions& options) {
  if (!(options.sway >= 0 && options.sway <= 1))
    throw Error(ErrorCode::kBadArgument, fmt::format("sway {} is not between 0 and 1", options.sway));
  HeadMotion out = motion;
  for (MotionFrame& frame : out.frames) frame.offsets.clear();
  if (!options.keep_rest) subtract_rest(out);
  if (options.keep_pose || motion.frames.empty()) return out;

  std::vector<Quat> turns;
  Vec3 mean_place = Vec3::Zero();
  std::vector<float> yaw, pitch;
  for (const MotionFrame& frame : motion.frames) {
    const HeadPose& pose = frame.pose;
    turns.push_back((pose.root * pose.neck * pose.head).normalized());
    mean_place += joint_place(driver, pose) / static_cast<float>(motion.frames.size());
    yaw.push_back(0.5f * (pose.gaze_left[0] + pose.gaze_right[0]));
    pitch.push_back(0.5f * (pose.gaze_left[1] + pose.gaze_right[1]));
  }
  const Quat back = mean_rotation(turns).conjugate();
  const float mean_yaw = at_share(yaw, 0.5f), mean_pitch = at_share(pitch, 0.5f);
  for (std::size_t t = 0; t < out.frames.size(); ++t) {
    HeadPose& pose = out.frames[t].pose;
    Vec3 shift = options.sway * (back * (joint_place(driver, pose) - mean_place));
    if (shift.norm() > kMostSway) shift *= kMostSway / shift.norm();
    const Quat turn = (back * turns[t]).normalized();
    pose.root = Quat::Identity();
    pose.neck = Quat::Identity().slerp(kNeckShare, turn);
    pose.head = pose.neck.conjugate() * turn;
    pose.translation.setZero();
    // The neck's turn has moved the head already.
    pose.translation = shift - (joint_place(driver, pose) - driver.joints[static_cast<std::size_t>(HeadJoint::kHead)]);
    for (auto* gaze : {&pose.gaze_left, &pose.gaze_right}) {
      (*gaze)[0] -= mean_yaw;
      (*gaze)[1] -= mean_pitch;
    }
  }
  return out;
}

}  // namespace mien
