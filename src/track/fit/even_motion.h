// The states of a stretch made even over time, as far as what was seen allows.
#pragma once

#include <Eigen/Core>
#include <vector>

#include "track/fit/frame_fit.h"

namespace mien::fit {

using Matrix6 = Eigen::Matrix<double, 6, 6>;

// Information about the pose, the first six unknowns of `h`, when nothing is known of the others (Schur complement).
Matrix6 pose_information(const Eigen::MatrixXd& h);

// Rotations and translations, jointly, by how well each frame saw them.
void smooth_pose(std::vector<FrameState>& states, const std::vector<Matrix6>& information, double smoothness,
                 double fps);

// Weights and gaze. Lids that all but meet are shut, and the weights that follow the gaze do so again.
void smooth_weights(std::vector<FrameState>& states, const Stretch& stretch, double smoothness, double fps);

}  // namespace mien::fit
