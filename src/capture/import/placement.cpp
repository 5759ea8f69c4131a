#include "capture/import/placement.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

#include "mien/base/error.h"

namespace mien::import {
namespace {

using Eigen::Matrix3d;
using Eigen::Vector3d;

Vector3d centre_of(const Mat4d& to_camera) {
  return -to_camera.topLeftCorner<3, 3>().transpose() * to_camera.topRightCorner<3, 1>();
}

// The point nearest to all optical axes: sum (I - d d^T) (x - c) = 0.
Vector3d focus_of(const Source& source) {
  Matrix3d left = Matrix3d::Zero();
  Vector3d right = Vector3d::Zero();
  for (const Picture& p : source.pictures) {
    const Vector3d axis = p.world_to_camera.row(2).head<3>();
    const Matrix3d across = Matrix3d::Identity() - axis * axis.transpose();
    left += across;
    right += across * centre_of(p.world_to_camera);
  }
  const Eigen::SelfAdjointEigenSolver<Matrix3d> solver(left);
  if (solver.eigenvalues()[0] < 1e-6 * static_cast<double>(source.pictures.size())) {
    throw Error(ErrorCode::kBadArgument, "all cameras look in parallel: where they look at cannot be told",
                "place the head yourself with --place keep, after moving it to the origin in your own tool");
  }
  return left.ldlt().solve(right);
}

}  // namespace

Mat4 Placement::camera(const Mat4d& world_to_camera) const {
  const Matrix3d turn = world_to_camera.topLeftCorner<3, 3>();
  const Vector3d shift = world_to_camera.topRightCorner<3, 1>();
  Mat4d out = Mat4d::Identity();
  out.topLeftCorner<3, 3>() = turn * rotation.transpose();
  out.topRightCorner<3, 1>() = scale * (shift + turn * origin);
  return out.cast<float>();
}

Vec3 Placement::point(const Vec3& p) const {
  return (scale * (rotation * (p.cast<double>() - origin))).cast<float>();
}

Placement choose_placement(const Source& source, const ImportOptions& options) {
  Placement out;
  if (options.scale < 0 || !std::isfinite(options.scale) || !(options.distance > 0)) {
    throw Error(ErrorCode::kBadArgument, fmt::format("scale {}, distance {}", options.scale, options.distance),
                "give metres above 0");
  }
  if (options.scale > 0) out.scale = options.scale;
  const bool keep = options.place == "keep" || (options.place == "auto" && source.placed);
  if (keep && !options.up && !options.front) return out;
  if (!keep && options.place != "centre" && options.place != "auto") {
    throw Error(ErrorCode::kBadArgument, fmt::format("place \"{}\"", options.place), "use auto, keep or centre");
  }
  Vector3d up = Vector3d::Zero(), mean = Vector3d::Zero();
  for (const Picture& p : source.pictures) up -= p.world_to_camera.row(1).head<3>().transpose();
  if (!keep) out.origin = focus_of(source);
  std::vector<double> distances;
  for (const Picture& p : source.pictures) {
    const Vector3d from = centre_of(p.world_to_camera) - out.origin;
    distances.push_back(from.norm());
    mean += from.normalized();
  }
  if (options.up) up = options.up->cast<double>();
  Vector3d front = options.front ? options.front->cast<double>() : mean;
  up.normalize();
  front -= front.dot(up) * up;
  if (!(up.norm() > 0.5) || !(front.norm() > 1e-6)) {
    throw Error(ErrorCode::kBadArgument, "the head's upward or forward direction cannot be told from the cameras",
                "give --up and --front as X,Y,Z in the source's world");
  }
  front.normalize();
  out.rotation.row(0) = up.cross(front);
  out.rotation.row(1) = up;
  out.rotation.row(2) = front;
  if (!keep && options.scale == 0) {
    std::nth_element(distances.begin(), distances.begin() + static_cast<std::ptrdiff_t>(distances.size() / 2),
                     distances.end());
    const double median = distances[distances.size() / 2];
    if (!(median > 1e-9)) {
      throw Error(ErrorCode::kBadArgument, "the cameras stand in the point they look at", "give --scale");
    }
    out.scale = options.distance / median;
  }
  return out;
}

}  // namespace mien::import
