#include "mien/actor/rig.h"

#include <cmath>

#include "mien/base/error.h"
#include "mien/base/random.h"

namespace mien {
namespace {

constexpr float kDegree = 0.01745329f;
// Between crown and shoulders, on the head's vertical axis.
const Vec3 kTarget(0, -0.035f, 0.015f);

Camera at_angles(float azimuth, float elevation, const RigOptions& o) {
  if (o.size < 16 || o.size > 8192 || !(o.distance > 0.5f) || !(o.frame > 0.05f)) {
    throw Error(ErrorCode::kBadArgument,
                fmt::format("camera rig: {} pixels, {} m away, frame of {} m", o.size, o.distance, o.frame),
                "size 16..8192, distance above 0.5 m, frame above 0.05 m");
  }
  const Vec3 direction(std::cos(elevation) * std::sin(azimuth), std::sin(elevation),
                       std::cos(elevation) * std::cos(azimuth));
  return look_at(kTarget + o.distance * direction, kTarget, 2 * std::atan(0.5f * o.frame / o.distance), o.size, o.size);
}

}  // namespace

std::vector<RigCamera> emotalk_rig(const RigOptions& options) {
  std::vector<RigCamera> rig;
  for (int degrees = 90; degrees >= -90; degrees -= 18) {
    const std::string id = degrees == 0 ? "F" : fmt::format("{}{:02}", degrees > 0 ? "L" : "R", std::abs(degrees));
    rig.push_back({id, at_angles(static_cast<float>(degrees) * kDegree, 0, options)});
  }
  return rig;
}

std::vector<RigCamera> dome_rig(const RigOptions& options) {
  constexpr std::array<std::array<float, 2>, 8> kAngles = {
      {{72, 24}, {36, 24}, {0, 24}, {-36, 24}, {-72, 24}, {45, -18}, {0, -18}, {-45, -18}}};
  std::vector<RigCamera> rig = emotalk_rig(options);
  for (const auto& [azimuth, elevation] : kAngles) {
    const std::string side = azimuth == 0 ? "F" : fmt::format("{}{:02}", azimuth > 0 ? "L" : "R", std::abs(azimuth));
    rig.push_back({(elevation > 0 ? "U" : "D") + side, at_angles(azimuth * kDegree, elevation * kDegree, options)});
  }
  return rig;
}

std::vector<RigCamera> extra_views(const RigOptions& options) {
  constexpr std::array<std::array<float, 2>, 6> kAngles = {{{-63, 4}, {-27, -6}, {-9, 8}, {9, -4}, {45, 6}, {81, 0}}};
  std::vector<RigCamera> rig;
  for (const auto& [azimuth, elevation] : kAngles) {
    rig.push_back({fmt::format("T{}", rig.size()), at_angles(azimuth * kDegree, elevation * kDegree, options)});
  }
  return rig;
}

std::vector<Camera> moving_camera(int frames, double fps, std::uint64_t seed, const RigOptions& options) {
  Random random(seed, 31);
  // A few slow sines of random phase: smooth, never the same.
  std::array<float, 6> phase{};
  for (float& p : phase) p = random.uniform(0, 6.2831853f);
  std::vector<Camera> cameras;
  for (int i = 0; i < frames; ++i) {
    const auto t = static_cast<float>(i / fps);
    const float azimuth = 14 * std::sin(0.55f * t + phase[0]) + 4 * std::sin(1.3f * t + phase[1]);
    const float elevation = 4 * std::sin(0.42f * t + phase[2]) + 1.2f * std::sin(1.1f * t + phase[3]);
    RigOptions o = options;
    o.distance *= 1 + 0.03f * std::sin(0.31f * t + phase[4]);
    cameras.push_back(at_angles(azimuth * kDegree, elevation * kDegree, o));
  }
  return cameras;
}

}  // namespace mien
