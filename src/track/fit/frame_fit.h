// One frame: pose, expression and gaze of a known person seen by a known camera.
//
// Camera space here: the eye at the origin, x right, y up, looking along -z, so that axes agree with the head's when it
// faces the camera. A point c is seen at (cx - f c.x / c.z, cy + f c.y / c.z).
#pragma once

#include <Eigen/Core>
#include <array>
#include <vector>

#include "mien/track/sighting.h"
#include "track/fit/landmark_model.h"
#include "track/fit/lens.h"

namespace mien::fit {

// Everything that changes from frame to frame.
struct FrameState {
  Eigen::Matrix3d rotation = Eigen::Matrix3d::Identity();  // head space -> camera space
  Eigen::Vector3d translation = Eigen::Vector3d(0, 0, -1);
  Eigen::Matrix<double, kArkitCount, 1> weights = Eigen::Matrix<double, kArkitCount, 1>::Zero();
  std::array<std::array<double, 2>, 2> gaze = {};  // left, right: yaw, pitch (as HeadPose)
};

// A person's landmarks: the identity has been applied.
struct Person {
  Eigen::VectorXd points;      // [3N] neutral, metres
  Eigen::MatrixXd expression;  // [3N, 52]
  std::array<Eigen::Vector3d, 2> eye;
};

struct FrameFitOptions {
  int iterations = 8;
  double expression_prior = 1;
  bool free_pose = true;     // false: the pose stays as it is
  bool free_weights = true;  // false: only the pose
};

// What the weights of expressions cost: w' quadratic w + linear' w.
struct ExpressionPrior {
  Eigen::MatrixXd quadratic;  // [52, 52]
  Eigen::VectorXd linear;     // [52]
  std::vector<int> free;      // weights that landmarks can see; the others are set by rule
  double cost(const Eigen::Matrix<double, kArkitCount, 1>& w) const;
  // Adds half the second derivative to `h` and half the negative gradient to `b`, at the rows and columns of `columns`
  // from `first` on.
  void add_to(double scale, const Eigen::Matrix<double, kArkitCount, 1>& w, const std::vector<int>& columns,
              Eigen::Index first, Eigen::MatrixXd& h, Eigen::VectorXd& b) const;
};
// `habit` [52, 52]: mean products of weights in faces that talk and feel; which weights go together. May be empty.
ExpressionPrior expression_prior(const Eigen::MatrixXd& habit);

// Observed positions of one frame, [2N] x and y in pixels, and how far each is to be believed [N].
struct Observation {
  Eigen::VectorXd pixels;
  Eigen::VectorXd belief;
};
Observation observe(const FaceSighting& sighting, const Eigen::VectorXd& landmark_weights);

// Rough pose from all points with a face at rest: weak perspective (orthographic factorisation), then refined.
FrameState first_guess(const Person& person, const Observation& seen, const Lens& lens);

// Gauss-Newton with bounds [0,1] on weights, a robust loss and backtracking; starts from `state`.
void fit_frame(const Person& person, const Observation& seen, const Lens& lens, const ExpressionPrior& prior,
               const FrameFitOptions& options, FrameState& state);

// Gaze from the points of the irises, given the pose: both eyes tied softly. Then the weights that follow the gaze
// (eyeLook...) as the eyes say.
void fit_gaze(const Person& person, const FaceSighting& sighting, const Lens& lens, FrameState& state);
void lids_follow_gaze(FrameState& state);

// Projected landmarks [2N] in pixels; irises turned by the gaze.
Eigen::VectorXd project_landmarks(const Person& person, const Lens& lens, const FrameState& state);

// The linearisation that fit_frame() and the shared fit stand on. Residuals in millimetres at the head's distance: two
// rows a landmark, then two rows a pair (the slit between both). Columns: rotation (3, left-multiplied exponential),
// translation (3, metres), weights of `free`.
struct Linearisation {
  Eigen::VectorXd residual;                         // [2M] weighted
  Eigen::MatrixXd jacobian;                         // [2M, 6 + free] weighted
  std::vector<Eigen::Matrix<double, 2, 3>> screen;  // [468] derivative of a residual by the point in camera space
  Eigen::VectorXd row_weight;                       // [M] already in residual and jacobian, not in `screen`
  Eigen::VectorXd seen_from_eye;                    // [3 * 468] points in camera space
  double cost = 0;                                  // robust, without priors
};
void linearise(const Person& person, const Observation& seen, const Lens& lens, const std::vector<int>& free,
               const FrameState& state, Linearisation& out);
// Weighted columns for further unknowns that move the points in camera space by `motion` [3 * 468, S] a unit.
Eigen::MatrixXd further_columns(const Linearisation& at, const Eigen::MatrixXd& motion);

Eigen::Matrix3d exp_rotation(const Eigen::Vector3d& w);
Eigen::Vector3d log_rotation(const Eigen::Matrix3d& r);

// Minimises 1/2 x'Hx - b'x over low <= x <= high by an active set. H symmetric positive definite.
Eigen::VectorXd solve_box(const Eigen::MatrixXd& h, const Eigen::VectorXd& b, const Eigen::VectorXd& low,
                          const Eigen::VectorXd& high);

}  // namespace mien::fit
