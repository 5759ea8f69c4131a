// A smooth map of space given by pairs of points: a similarity and, on top, a spline for what is left.
#pragma once

#include <Eigen/Dense>
#include <span>

#include "mien/geometry/types.h"

namespace mien {

// Similarity (Umeyama 1991), then a biharmonic spline (kernel r) on what is left, slightly smoothed. Far from the
// points the similarity remains.
class SmoothWarp {
 public:
  // At least 4 pairs, not all in one plane. `smoothing` in metres: how little single points are believed.
  SmoothWarp(std::span<const Vec3> from, std::span<const Vec3> to, double smoothing = 0.002);
  Vec3 operator()(const Vec3& point) const;
  Eigen::Matrix3d rotation() const { return similarity_.topLeftCorner<3, 3>() / scale(); }
  double scale() const { return std::cbrt(similarity_.topLeftCorner<3, 3>().determinant()); }

 private:
  Eigen::Vector3d moved(const Eigen::Vector3d& p) const { return (similarity_ * p.homogeneous()).head<3>(); }
  Eigen::Matrix4d similarity_;
  Eigen::Matrix3Xd centres_;  // moved
  Eigen::MatrixXd weights_;   // [n + 1, 3]: the last row is a shift
};

}  // namespace mien
