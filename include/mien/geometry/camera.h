// Pinhole camera, OpenCV convention: x right, y down, z forward; pixel centres at +0.5.
#pragma once

#include <array>

#include "mien/geometry/types.h"

namespace mien {

struct Camera {
  int width = 512;
  int height = 512;
  float fx = 1000, fy = 1000;            // focal length, pixels
  float cx = 256, cy = 256;              // principal point, pixels
  std::array<float, 5> distortion = {};  // OpenCV k1 k2 p1 p2 k3; zero for rendered images
  Mat4 world_to_camera = Mat4::Identity();

  Vec3 centre() const;                      // camera position in the world, metres
  Vec3 to_camera(const Vec3& world) const;  // world point in camera coordinates, metres
  Vec2 project(const Vec3& world) const;    // pixel position (no distortion); meaningless for z <= 0
};

// A camera at `eye` looking at `target`, world y up in the picture. `fov_y` is the vertical opening in radians.
// `eye` must differ from `target`, and the view must not be vertical.
Camera look_at(const Vec3& eye, const Vec3& target, float fov_y, int width, int height);

}  // namespace mien
