// Even motion over time.
#pragma once

#include <Eigen/Core>
#include <vector>

namespace mien::fit {

// Minimises sum information_t |x_t - seen_t|^2 + sum strength robust(x_{t-1} - 2 x_t + x_{t+1})^2 (Whittaker 1923), all
// columns [D] with the information [T, D] of their own. Accelerations beyond `sudden` (of each column) are let through:
// iteratively reweighted. Frames of information 0 are filled in evenly.
Eigen::MatrixXd smooth_columns(const Eigen::MatrixXd& seen, const Eigen::MatrixXd& information,
                               const Eigen::VectorXd& strength, const Eigen::VectorXd& sudden);

// The same for six unknowns that are seen together: information a 6 x 6 matrix each frame.
Eigen::MatrixXd smooth_poses(const Eigen::MatrixXd& seen, const std::vector<Eigen::Matrix<double, 6, 6>>& information,
                             const Eigen::Matrix<double, 6, 1>& strength, const Eigen::Matrix<double, 6, 1>& sudden);

}  // namespace mien::fit
