#include "head/smooth_warp.h"

#include <cmath>

namespace mien {

SmoothWarp::SmoothWarp(std::span<const Vec3> from, std::span<const Vec3> to, double smoothing) {
  const auto n = static_cast<Eigen::Index>(from.size());
  Eigen::Matrix3Xd start(3, n), end(3, n);
  for (Eigen::Index i = 0; i < n; ++i) {
    start.col(i) = from[static_cast<std::size_t>(i)].cast<double>();
    end.col(i) = to[static_cast<std::size_t>(i)].cast<double>();
  }
  similarity_ = Eigen::umeyama(start, end, true);
  centres_.resize(3, n);
  for (Eigen::Index i = 0; i < n; ++i) centres_.col(i) = moved(start.col(i));
  Eigen::MatrixXd kernel(n, n), residual(n, 3);
  for (Eigen::Index i = 0; i < n; ++i) {
    residual.row(i) = (end.col(i) - centres_.col(i)).transpose();
    for (Eigen::Index j = 0; j < n; ++j) kernel(i, j) = -(centres_.col(i) - centres_.col(j)).norm();
    kernel(i, i) = smoothing;
  }
  // Weights that sum to 0 leave far points where the similarity puts them.
  Eigen::MatrixXd system = Eigen::MatrixXd::Zero(n + 1, n + 1), right = Eigen::MatrixXd::Zero(n + 1, 3);
  system.topLeftCorner(n, n) = kernel;
  system.col(n).head(n).setOnes();
  system.row(n).head(n).setOnes();
  right.topRows(n) = residual;
  weights_ = system.fullPivLu().solve(right);
}

Vec3 SmoothWarp::operator()(const Vec3& point) const {
  const Eigen::Vector3d start = moved(point.cast<double>());
  const Eigen::Index n = centres_.cols();
  Eigen::Vector3d shift = weights_.row(n).transpose();
  for (Eigen::Index j = 0; j < n; ++j) shift -= (start - centres_.col(j)).norm() * weights_.row(j).transpose();
  return (start + shift).cast<float>();
}

}  // namespace mien
