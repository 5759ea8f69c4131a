#include "track/fit/even_motion.h"

#include <Eigen/Cholesky>
#include <algorithm>
#include <array>

#include "track/fit/smoothing.h"

namespace mien::fit {
namespace {

using Vector6 = Eigen::Matrix<double, 6, 1>;

// How much an even course of a weight is worth against what is seen: lids and lips are fast, brows and cheeks slow.
double evenness(const std::string& name) {
  if (name.starts_with("eyeBlink")) return 0.05;
  if (name.starts_with("jaw") || name.starts_with("mouth")) return 0.3;
  return 3;
}

// Lids that all but meet do meet, and nothing else holds them apart then: the networks see the last millimetre badly,
// and a frame rarely falls on the moment of contact.
void shut_lids(FrameState& state) {
  constexpr double kFrom = 0.65, kTo = 0.9;  // closure that is taken as seen, and that is taken as shut
  static const std::array<std::array<int, 3>, 2> kLids = {
      {{arkit_index("eyeBlinkLeft"), arkit_index("eyeWideLeft"), arkit_index("eyeSquintLeft")},
       {arkit_index("eyeBlinkRight"), arkit_index("eyeWideRight"), arkit_index("eyeSquintRight")}}};
  for (const auto& [blink, wide, squint] : kLids) {
    double& w = state.weights[blink];
    const double x = std::clamp((w - kFrom) / (kTo - kFrom), 0.0, 1.0);
    w += (1 - w) * x * x * (3 - 2 * x);
    state.weights[wide] *= 1 - w;
    state.weights[squint] *= 1 - 0.8 * w;
  }
}

}  // namespace

Matrix6 pose_information(const Eigen::MatrixXd& h) {
  const Eigen::Index n = h.cols() - 6;
  const Eigen::MatrixXd ll = h.bottomRightCorner(n, n), lp = h.bottomLeftCorner(n, 6);
  return h.topLeftCorner<6, 6>() - lp.transpose() * ll.llt().solve(lp);
}

void smooth_pose(std::vector<FrameState>& states, const std::vector<Matrix6>& information, double smoothness,
                 double fps) {
  const auto n = static_cast<Eigen::Index>(states.size());
  // Rotations as vectors about the first seen one, unrolled; information is about a left-multiplied step, which differs
  // little for the small turns of a head.
  Eigen::MatrixXd seen(n, 6);
  Eigen::Matrix3d middle = Eigen::Matrix3d::Identity();
  for (std::size_t t = 0; t < states.size(); ++t) {
    if (information[t].trace() > 0) {
      middle = states[t].rotation;
      break;
    }
  }
  for (Eigen::Index t = 0; t < n; ++t) {
    const FrameState& state = states[static_cast<std::size_t>(t)];
    seen.row(t).head<3>() = log_rotation(state.rotation * middle.transpose()).transpose();
    seen.row(t).tail<3>() = state.translation.transpose();
  }
  // Accelerations of a head at rest, rad/s^2 and m/s^2; what is much more than that is let through. Depth is seen
  // worst.
  const double dt2 = 1 / (fps * fps);
  Vector6 usual;
  usual << 1.0, 1.0, 1.0, 0.1, 0.1, 0.04;
  usual *= dt2;
  const Vector6 strength = 0.2 * smoothness * usual.cwiseAbs2().cwiseInverse();
  const Eigen::MatrixXd smoothed = smooth_poses(seen, information, strength, 1.2 * usual);
  for (Eigen::Index t = 0; t < n; ++t) {
    FrameState& state = states[static_cast<std::size_t>(t)];
    state.rotation = exp_rotation(smoothed.row(t).head<3>().transpose()) * middle;
    state.translation = smoothed.row(t).tail<3>().transpose();
  }
}

void smooth_weights(std::vector<FrameState>& states, const Stretch& stretch, double smoothness, double fps) {
  const auto n = static_cast<Eigen::Index>(states.size());
  constexpr Eigen::Index kColumns = kArkitCount + 4;
  Eigen::MatrixXd seen(n, kColumns), information(n, kColumns);
  Eigen::VectorXd strength(kColumns), sudden(kColumns);
  const double rate = fps / 25;
  for (Eigen::Index c = 0; c < kColumns; ++c) {
    const bool is_gaze = c >= kArkitCount;
    strength[c] = smoothness * rate * rate * (is_gaze ? 1 : evenness(kArkitNames[static_cast<std::size_t>(c)]));
    sudden[c] = 0.05;
  }
  for (Eigen::Index t = 0; t < n; ++t) {
    const FrameState& state = states[static_cast<std::size_t>(t)];
    seen.row(t).head<kArkitCount>() = state.weights.transpose();
    for (Eigen::Index k = 0; k < 4; ++k) {
      seen(t, kArkitCount + k) = state.gaze[static_cast<std::size_t>(k / 2)][static_cast<std::size_t>(k % 2)];
    }
    information.row(t).setConstant(stretch.frames[static_cast<std::size_t>(t)].weight);
    // Behind a lid there is no iris to see.
    for (Eigen::Index side = 0; side < 2; ++side) {
      const double blink = state.weights[side == 0 ? 0 : 7];
      information.row(t).segment<2>(kArkitCount + 2 * side) *= blink > 0.5 ? 0.01 : 1.0;
    }
  }
  const Eigen::MatrixXd smoothed = smooth_columns(seen, information, strength, sudden);
  for (Eigen::Index t = 0; t < n; ++t) {
    FrameState& state = states[static_cast<std::size_t>(t)];
    state.weights = smoothed.row(t).head<kArkitCount>().transpose().cwiseMax(0).cwiseMin(1);
    for (Eigen::Index k = 0; k < 4; ++k) {
      state.gaze[static_cast<std::size_t>(k / 2)][static_cast<std::size_t>(k % 2)] = smoothed(t, kArkitCount + k);
    }
    shut_lids(state);
    lids_follow_gaze(state);
  }
}

}  // namespace mien::fit
