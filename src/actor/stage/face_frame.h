// Places on the face, named by MediaPipe landmarks, in the template's head space; and curves drawn through them.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <vector>

#include "mien/geometry/nearest.h"
#include "mien/head/head_model.h"

namespace mien::stage {

// A curve on the surface: points about 1.5 mm apart, with the arc length of each, metres.
struct Curve {
  std::vector<Vec3> points;
  std::vector<float> arc;
  float length() const { return arc.empty() ? 0 : arc.back(); }
};

struct CurveHit {
  float distance;  // metres
  float along;     // [0,1]
};

class FaceFrame {
 public:
  // `model`: the template without identity, so that all people share the same maps. Needs the 478 landmarks.
  explicit FaceFrame(const HeadModel& model);

  bool usable() const { return !landmarks_.empty(); }
  const Vec3& at(int landmark) const { return landmarks_[landmark]; }
  // Through the given points, smoothed (Catmull-Rom) and laid onto the skin.
  Curve curve(std::span<const Vec3> points) const;
  Curve curve(std::span<const int> landmarks) const;
  Vec3 on_skin(const Vec3& point) const;
  static CurveHit nearest(const Curve& curve, const Vec3& point);

 private:
  std::vector<Vec3> landmarks_;
  std::unique_ptr<NearestTriangle> skin_;
};

// Signed distance in the frontal plane (x, y) to a closed polygon, metres, negative inside.
float polygon_distance(const std::vector<Vec2>& polygon, const Vec2& point);

}  // namespace mien::stage
