#include "mien/geometry/camera.h"

#include <cmath>

namespace mien {

Vec3 Camera::centre() const {
  const Mat3 rotation = world_to_camera.topLeftCorner<3, 3>();
  return -rotation.transpose() * world_to_camera.topRightCorner<3, 1>();
}

Vec3 Camera::to_camera(const Vec3& world) const {
  return world_to_camera.topLeftCorner<3, 3>() * world + world_to_camera.topRightCorner<3, 1>();
}

Vec2 Camera::project(const Vec3& world) const {
  const Vec3 p = to_camera(world);
  return {fx * p.x() / p.z() + cx, fy * p.y() / p.z() + cy};
}

Camera look_at(const Vec3& eye, const Vec3& target, float fov_y, int width, int height) {
  Camera camera;
  camera.width = width;
  camera.height = height;
  camera.fy = camera.fx = 0.5f * static_cast<float>(height) / std::tan(0.5f * fov_y);
  camera.cx = 0.5f * static_cast<float>(width);
  camera.cy = 0.5f * static_cast<float>(height);
  const Vec3 forward = (target - eye).normalized();
  const Vec3 right = forward.cross(Vec3::UnitY()).normalized();
  const Vec3 down = forward.cross(right);
  camera.world_to_camera.setIdentity();
  camera.world_to_camera.row(0).head<3>() = right;
  camera.world_to_camera.row(1).head<3>() = down;
  camera.world_to_camera.row(2).head<3>() = forward;
  camera.world_to_camera.topRightCorner<3, 1>() = -(camera.world_to_camera.topLeftCorner<3, 3>() * eye);
  return camera;
}

}  // namespace mien
