#include "track/fit/frame_fit.h"

#include <Eigen/Cholesky>
#include <Eigen/SVD>
#include <algorithm>
#include <cmath>

namespace mien::fit {

FrameState first_guess(const Person& person, const Observation& seen, const Lens& lens) {
  Eigen::Vector3d mean = Eigen::Vector3d::Zero();
  Eigen::Vector2d seen_mean = Eigen::Vector2d::Zero();
  for (int i = 0; i < kMeshPoints; ++i) {
    mean += person.points.segment<3>(3 * i);
    seen_mean += seen.pixels.segment<2>(2 * i);
  }
  mean /= kMeshPoints;
  seen_mean /= kMeshPoints;
  Eigen::Matrix3d square = Eigen::Matrix3d::Zero();
  Eigen::Matrix<double, 2, 3> product = Eigen::Matrix<double, 2, 3>::Zero();
  for (int i = 0; i < kMeshPoints; ++i) {
    const Eigen::Vector3d p = person.points.segment<3>(3 * i) - mean;
    Eigen::Vector2d q = seen.pixels.segment<2>(2 * i) - seen_mean;
    q.y() = -q.y();
    square += p * p.transpose();
    product += q * p.transpose();
  }
  const Eigen::Matrix<double, 2, 3> affine = product * square.inverse();
  const double scale = 0.5 * (affine.row(0).norm() + affine.row(1).norm());
  Eigen::Matrix3d axes;
  axes.row(0) = affine.row(0).normalized();
  axes.row(1) = affine.row(1).normalized();
  axes.row(2) = axes.row(0).cross(axes.row(1));
  const Eigen::JacobiSVD<Eigen::Matrix3d> svd(axes, Eigen::ComputeFullU | Eigen::ComputeFullV);
  FrameState state;
  state.rotation = svd.matrixU() * svd.matrixV().transpose();
  const double depth = lens.focal / std::max(scale, 1e-6);
  const Eigen::Vector3d centre((seen_mean.x() - lens.cx) * depth / lens.focal,
                               -(seen_mean.y() - lens.cy) * depth / lens.focal, -depth);
  state.translation = centre - state.rotation * mean;
  return state;
}

void fit_frame(const Person& person, const Observation& seen, const Lens& lens, const ExpressionPrior& prior,
               const FrameFitOptions& options, FrameState& state) {
  std::vector<int> free;
  if (options.free_weights) free = prior.free;
  const auto count = static_cast<Eigen::Index>(free.size());
  const Eigen::Index n = 6 + count;
  double damping = 1e-4;
  Linearisation now, trial;
  linearise(person, seen, lens, free, state, now);
  double cost = now.cost + options.expression_prior * prior.cost(state.weights);
  Eigen::MatrixXd h(n, n);
  for (int iteration = 0; iteration < options.iterations; ++iteration) {
    h.setZero();
    h.selfadjointView<Eigen::Lower>().rankUpdate(now.jacobian.transpose());
    h.triangularView<Eigen::StrictlyUpper>() = h.transpose();
    Eigen::VectorXd b = -(now.jacobian.transpose() * now.residual);
    Eigen::VectorXd low = Eigen::VectorXd::Constant(n, -1e6), high = Eigen::VectorXd::Constant(n, 1e6);
    prior.add_to(options.expression_prior, state.weights, free, 6, h, b);
    for (Eigen::Index k = 0; k < count; ++k) {
      const double w = state.weights[free[static_cast<std::size_t>(k)]];
      low[6 + k] = -w;
      high[6 + k] = 1 - w;
    }
    if (!options.free_pose) {
      h.topRows<6>().setZero();
      h.leftCols<6>().setZero();
      h.topLeftCorner<6, 6>().setIdentity();
      b.head<6>().setZero();
    }
    bool better = false;
    for (int attempt = 0; attempt < 6 && !better; ++attempt) {
      Eigen::MatrixXd damped = h;
      damped.diagonal() *= 1 + damping;
      const Eigen::VectorXd step = solve_box(damped, b, low, high);
      FrameState next = state;
      next.rotation = exp_rotation(step.head<3>()) * state.rotation;
      next.translation += step.segment<3>(3);
      for (Eigen::Index k = 0; k < count; ++k) {
        double& w = next.weights[free[static_cast<std::size_t>(k)]];
        w = std::clamp(w + step[6 + k], 0.0, 1.0);
      }
      if (next.translation.z() > -0.05) {  // through the lens
        damping *= 10;
        continue;
      }
      linearise(person, seen, lens, free, next, trial);
      const double next_cost = trial.cost + options.expression_prior * prior.cost(next.weights);
      better = next_cost < cost;
      if (better) {
        const double gain = cost - next_cost;
        state = next;
        std::swap(now, trial);
        cost = next_cost;
        damping = std::max(1e-7, 0.2 * damping);
        if (gain < 1e-4 * cost) return;
      } else {
        damping *= 10;
      }
    }
    if (!better) return;
  }
}

}  // namespace mien::fit
