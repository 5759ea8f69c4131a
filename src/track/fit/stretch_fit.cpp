#include "track/fit/stretch_fit.h"

#include <Eigen/Cholesky>
#include <Eigen/Geometry>
#include <algorithm>
#include <cmath>

#include "mien/base/parallel.h"
#include "track/fit/even_motion.h"

namespace mien::fit {
namespace {

constexpr std::int64_t kChunk = 64;  // frames that one thread does one after the other

// Body of pass 1 and 2: frames of a stretch in chunks, each chunk from its first frame on.
template <typename Body>
void for_chunks(std::size_t frames, const Body& body) {
  const auto n = static_cast<std::int64_t>(frames);
  parallel_for((n + kChunk - 1) / kChunk, 1, [&](std::int64_t c) {
    body(static_cast<std::size_t>(c * kChunk), static_cast<std::size_t>(std::min(n, (c + 1) * kChunk)));
  });
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
      Eigen::MatrixXd h = at.jacobian.transpose() * at.jacobian;
      Eigen::VectorXd unused = Eigen::VectorXd::Zero(h.cols());
      prior.add_to(1, Eigen::Matrix<double, kArkitCount, 1>::Zero(), prior.free, 6, h, unused);
      information[t] = double{sighting.weight} * 0.05 * pose_information(h);
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
