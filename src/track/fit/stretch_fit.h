// All frames of a stretch: each on its own, then evenly over time.
#pragma once

#include <vector>

#include "track/fit/frame_fit.h"

namespace mien::fit {

struct StretchFitOptions {
  double expression_prior = 1;
  double smoothness = 1;
  double fps = 25;
};

// States [frames]; frames of weight 0 are filled in between their neighbours.
std::vector<FrameState> fit_stretch(const Person& person, const Stretch& stretch, const Lens& lens,
                                    const ExpressionPrior& prior, const Eigen::VectorXd& landmark_weights,
                                    const StretchFitOptions& options);

}  // namespace mien::fit
