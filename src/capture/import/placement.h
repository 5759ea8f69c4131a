// Where the head comes to lie: a similarity from the source's world to the capture's.
#pragma once

#include "capture/import/layout.h"

namespace mien::import {

// x in the source's world to scale * rotation * (x - origin) in the capture's.
struct Placement {
  double scale = 1;
  Eigen::Matrix3d rotation = Eigen::Matrix3d::Identity();
  Eigen::Vector3d origin = Eigen::Vector3d::Zero();

  Mat4 camera(const Mat4d& world_to_camera) const;  // of the capture's world
  Vec3 point(const Vec3& p) const;
};

// As ImportOptions says. Throws kBadArgument for options that contradict each other or the cameras (all in one place
// and no scale).
Placement choose_placement(const Source& source, const ImportOptions& options);

}  // namespace mien::import
