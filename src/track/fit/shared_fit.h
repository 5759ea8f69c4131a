// What all frames share: one identity, and a focal length a video. A bundle over some frames of every video; pose and
// expression of each frame are eliminated (Schur complement).
#pragma once

#include <vector>

#include "track/fit/frame_fit.h"

namespace mien::fit {

// A frame that takes part in the bundle.
struct KeyFrame {
  int video = 0, stretch = 0, frame = 0;
  const FaceSighting* sighting = nullptr;
  Observation seen;
  FrameState state;
};

struct SharedState {
  Eigen::VectorXd identity;  // [I]
  std::vector<Lens> lenses;  // a video each
  std::vector<bool> focal_given;
};

struct SharedFitOptions {
  int rounds = 6;
  double identity_prior = 1;
  double expression_prior = 1;
};

// Applies identity weights to landmarks (linear; blinks are not made to meet again).
Person person_of(const LandmarkModel& model, const Eigen::VectorXd& identity);

// How far each identity mode usually strays from 0 [I].
Eigen::VectorXd identity_deviation(const HeadModel& model);

// `offsets` [3N] are added to the neutral landmarks.
void fit_shared(const LandmarkModel& model, const Eigen::VectorXd& deviation, const Eigen::VectorXd& offsets,
                const ExpressionPrior& prior, const SharedFitOptions& options, std::vector<KeyFrame>& frames,
                SharedState& shared);

}  // namespace mien::fit
