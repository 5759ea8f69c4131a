// How a lens shows points of camera space (frame_fit.h).
#pragma once

#include <Eigen/Core>

namespace mien::fit {

struct Lens {
  double focal = 1000, cx = 256, cy = 256;  // pixels
};

inline Eigen::Vector2d project(const Lens& lens, const Eigen::Vector3d& c) {
  return {lens.cx - lens.focal * c.x() / c.z(), lens.cy + lens.focal * c.y() / c.z()};
}

// Derivative of project() by c.
inline Eigen::Matrix<double, 2, 3> screen_derivative(const Lens& lens, const Eigen::Vector3d& c) {
  const double s = lens.focal / -c.z();
  Eigen::Matrix<double, 2, 3> d;
  d << s, 0, s * c.x() / -c.z(), 0, -s, -s * c.y() / -c.z();
  return d;
}

inline Eigen::Matrix3d cross_matrix(const Eigen::Vector3d& v) {
  Eigen::Matrix3d m;
  m << 0, -v.z(), v.y(), v.z(), 0, -v.x(), -v.y(), v.x(), 0;
  return m;
}

}  // namespace mien::fit
