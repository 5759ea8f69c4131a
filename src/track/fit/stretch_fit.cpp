#include "track/fit/stretch_fit.h"

#include <Eigen/Cholesky>
#include <Eigen/Geometry>
#include <algorithm>
#include <cmath>

#include "mien/base/parallel.h"
#include "track/fit/smoothing.h"

namespace mien::fit {
namespace {

using Matrix6 = Eigen::Matrix<double, 6, 6>;
using Vector6 = Eigen::Matrix<double, 6, 1>;
constexpr std::int64_t kChunk = 64;  // frames that one thread does one after the other

// Information about the pose when nothing is known of the weights (Schur complement), pose first.
Matrix6 pose_information(const Linearisation& at, const ExpressionPrior& prior) {
  Eigen::MatrixXd h = at.jacobian.transpose() * at.jacobian;
  const Eigen::Index n = h.cols() - 6;
  Eigen::VectorXd unused = Eigen::VectorXd::Zero(h.cols());
  prior.add_to(1, Eigen::Matrix<double, kArkitCount, 1>::Zero(), prior.free, 6, h, unused);
  const Eigen::MatrixXd ll = h.bottomRightCorner(n, n), lp = h.bottomLeftCorner(n, 6);
  return h.topLeftCorner<6, 6>() - lp.transpose() * ll.llt().solve(lp);
}

// Body of pass 1 and 2: frames of a stretch in chunks, each chunk from its first frame on.
template <typename Body>
void for_chunks(std::size_t frames, const Body& body) {
  const auto n = static_cast<std::int64_t>(frames);
  parallel_for((n + kChunk - 1) / kChunk, 1, [&](std::int64_t c) {
    body(static_cast<std::size_t>(c * kChunk), static_cast<std::size_t>(std::min(n, (c + 1) * kChunk)));
  });
}

// Smooth rotations and translations, jointly, as they were seen.
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

}  // namespace

std::vector<FrameState> fit_stretch(const Person& person, const Stretch& stretch, const Lens& lens,
                                    const ExpressionPrior& prior, const Eigen::VectorXd& landmark_weights,
                                    const StretchFitOptions& options) {
  const std::size_t n = stretch.frames.size();
  std::vector<FrameState> states(n);
  std::vector<Matrix6> information(n, Matrix6::Zero());
  FrameFitOptions frame_options;
  frame_options.expression_prior = options.expression_prior;
  frame_options.iterations = 6;
  for_chunks(n, [&](std::size_t begin, std::size_t end) {
    bool started = false;
    FrameState state;
    for (std::size_t t = begin; t < end; ++t) {
      const FaceSighting& sighting = stretch.frames[t];
      if (sighting.weight <= 0) continue;
      const Observation seen = observe(sighting, landmark_weights);
      if (!started) {
        state = first_guess(person, seen, lens);
        FrameFitOptions pose_only = frame_options;
        pose_only.free_weights = false;
        fit_frame(person, seen, lens, prior, pose_only, state);
      }
      started = true;
      fit_gaze(person, sighting, lens, state);
      lids_follow_gaze(state);
      fit_frame(person, seen, lens, prior, frame_options, state);
      states[t] = state;
      Linearisation at;
      linearise(person, seen, lens, prior.free, state, at);
      information[t] = double{sighting.weight} * 0.05 * pose_information(at, prior);
    }
  });
  if (std::none_of(stretch.frames.begin(), stretch.frames.end(), [](const FaceSighting& f) { return f.weight > 0; })) {
    return states;
  }
  // Frames that show nothing start from the last one that did, so that angles unroll.
  std::size_t last = 0;
  while (stretch.frames[last].weight <= 0) ++last;
  for (std::size_t t = 0; t < n; ++t) {
    if (stretch.frames[t].weight > 0)
      last = t;
    else
      states[t] = states[last];
  }
  smooth_pose(states, information, options.smoothness, options.fps);
  frame_options.free_pose = false;
  frame_options.iterations = 4;
  for_chunks(n, [&](std::size_t begin, std::size_t end) {
    for (std::size_t t = begin; t < end; ++t) {
      if (stretch.frames[t].weight <= 0) continue;
      fit_gaze(person, stretch.frames[t], lens, states[t]);
      lids_follow_gaze(states[t]);
      fit_frame(person, observe(stretch.frames[t], landmark_weights), lens, prior, frame_options, states[t]);
    }
  });
  smooth_weights(states, stretch, options.smoothness, options.fps);
  return states;
}

}  // namespace mien::fit
