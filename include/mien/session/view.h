// Cameras by name: still views and paths round the head.
#pragma once

#include <string>

#include "mien/geometry/camera.h"

namespace mien {

// How far from the front an avatar can be looked at: what its capture saw. Radians.
struct ViewLimits {
  float yaw = 1.5f;
  float pitch = 0.35f;
};

// A camera that may move with time. Built by parse_view(); cheap to copy.
struct View {
  enum class Path { kStill, kOrbit, kSway };
  Path path = Path::kStill;
  float yaw = 0;      // radians about y; positive = the camera goes to the person's left (+x)
  float pitch = 0;    // radians, positive = from above
  float zoom = 1;     // > 1 = nearer picture
  double period = 8;  // seconds of one orbit or sway

  // `front` is the frontal camera and `focus` the point it looks at; the picture is scaled to width x height.
  Camera at(double seconds, const Camera& front, const Vec3& focus, int width, int height) const;
};

// "front", "left", "right" (profiles), "three-quarter", "three-quarter-right", "orbit", "sway", or angles in degrees
// "YAW[,PITCH[,ZOOM]]" such as "30,10". Throws kBadArgument, listing the names, for anything else or beyond the limits.
View parse_view(const std::string& text, const ViewLimits& limits = {});

}  // namespace mien
