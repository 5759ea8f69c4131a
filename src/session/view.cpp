#include "mien/session/view.h"

#include <cmath>
#include <cstdio>

#include "mien/base/error.h"

namespace mien {
namespace {

constexpr float kPi = 3.14159265358979f;
constexpr float kDegree = kPi / 180;

struct NamedView {
  const char* name;
  View view;
};
const NamedView kViews[] = {{"front", {}},
                            {"left", {View::Path::kStill, kPi / 2}},
                            {"right", {View::Path::kStill, -kPi / 2}},
                            {"three-quarter", {View::Path::kStill, 35 * kDegree}},
                            {"three-quarter-right", {View::Path::kStill, -35 * kDegree}},
                            {"orbit", {View::Path::kOrbit, 70 * kDegree, 4 * kDegree, 1, 10}},
                            {"sway", {View::Path::kSway, 12 * kDegree, 2 * kDegree, 1, 7}}};

}  // namespace

Camera View::at(double seconds, const Camera& front, const Vec3& focus, int width, int height) const {
  float turn = yaw, lift = pitch;
  if (path != Path::kStill) {
    // Starts at the front, eases at the ends of the swing.
    const auto phase = static_cast<float>(2 * kPi * std::fmod(seconds, period) / period);
    turn = yaw * std::sin(phase);
    lift = pitch * (1 - std::cos(phase)) / 2;
  }
  // The rig turns as a whole: the offset of eye from focus and the picture's axes by the same rotation.
  const Vec3 eye = front.centre();
  const Mat3 rotation =
      (Eigen::AngleAxisf(turn, Vec3::UnitY()) * Eigen::AngleAxisf(-lift, Vec3::UnitX())).toRotationMatrix();
  const Vec3 new_eye = focus + rotation * (eye - focus);
  const Mat3 axes = front.world_to_camera.topLeftCorner<3, 3>() * rotation.transpose();
  Camera camera = front;
  camera.world_to_camera.topLeftCorner<3, 3>() = axes;
  camera.world_to_camera.topRightCorner<3, 1>() = -axes * new_eye;
  // The picture keeps its height; other aspect ratios show more or less to the sides.
  const float scale = static_cast<float>(height) / static_cast<float>(front.height);
  camera.fx = front.fx * scale * zoom;
  camera.fy = front.fy * scale * zoom;
  camera.cx = 0.5f * static_cast<float>(width) + (front.cx - 0.5f * static_cast<float>(front.width)) * scale * zoom;
  camera.cy = 0.5f * static_cast<float>(height) + (front.cy - 0.5f * static_cast<float>(front.height)) * scale * zoom;
  camera.width = width;
  camera.height = height;
  return camera;
}

View parse_view(const std::string& text, const ViewLimits& limits) {
  std::string names;
  for (const NamedView& named : kViews) {
    if (text == named.name) return named.view;
    names += std::string(names.empty() ? "" : ", ") + named.name;
  }
  float yaw = 0, pitch = 0, zoom = 1;
  int used = 0;
  const char* rest = text.c_str();
  const bool parsed = (std::sscanf(rest, "%f%n", &yaw, &used) == 1 && rest[used] == '\0') ||
                      (std::sscanf(rest, "%f,%f%n", &yaw, &pitch, &used) == 2 && rest[used] == '\0') ||
                      (std::sscanf(rest, "%f,%f,%f%n", &yaw, &pitch, &zoom, &used) == 3 && rest[used] == '\0');
  const bool sound = parsed && std::isfinite(yaw) && std::abs(yaw * kDegree) <= limits.yaw + 0.1f &&
                     std::abs(pitch * kDegree) <= limits.pitch + 0.01f && zoom >= 0.25f && zoom <= 8;
  if (!sound) {
    throw Error(
        ErrorCode::kBadArgument, fmt::format("camera \"{}\" is unknown or out of range", text),
        fmt::format("use {}, or degrees YAW,PITCH,ZOOM with yaw within {:.0f}, pitch within {:.0f}, zoom 0.25 to 8",
                    names, limits.yaw / kDegree, limits.pitch / kDegree));
  }
  View view;
  view.yaw = yaw * kDegree;
  view.pitch = pitch * kDegree;
  view.zoom = zoom;
  return view;
}

}  // namespace mien
