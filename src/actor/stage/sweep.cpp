// Hair out of the eyes: some styles of the wardrobe were made with a fringe over one eye.
#include <algorithm>
#include <cmath>

#include "actor/stage/colour.h"
#include "actor/stage/scene.h"

namespace mien::stage {
namespace {

// Angles about the head's vertical axis, radians from straight ahead, the person's left positive.
constexpr float kEye = 0.52f;     // the outer corner of an eye
constexpr float kClear = 0.70f;   // swept hair stays beyond
constexpr float kBehind = 1.75f;  // what lies further back is left alone
// Heights relative to the eyes, metres: nothing is swept above the first, everything below the second.
constexpr float kForehead = 0.055f, kBrow = 0.014f;
constexpr float kAxisDepth = 0.09f;  // of the axis behind the eyes, metres
constexpr int kFewVertices = 3;      // in front of the eyes that do no harm

}  // namespace

void sweep_hair(const HeadModel& head, HeadStyle& style) {
  const Vec3 eyes =
      0.5f * (head.joints[static_cast<int>(HeadJoint::kEyeLeft)] + head.joints[static_cast<int>(HeadJoint::kEyeRight)]);
  const float axis = eyes.z() - kAxisDepth;
  struct Place {
    Vec3 p;
    float angle, radius;
  };
  std::vector<Place> places;
  std::vector<float> band;  // angles at eye level
  int covering = 0;
  for (const StyleBinding& b : style.binding) {
    Vec3 p = b.offset;
    for (int k = 0; k < 3; ++k) p += b.weights[k] * head.mesh.positions[b.vertices[k]];
    const float angle = std::atan2(p.x(), p.z() - axis);
    places.push_back({p, angle, std::hypot(p.x(), p.z() - axis)});
    const float above = p.y() - eyes.y();
    if (above > -0.03f && above < 0.03f && std::abs(angle) < kBehind) band.push_back(angle);
    covering += std::abs(above) < 0.015f && std::abs(angle) < kEye ? 1 : 0;
  }
  if (covering <= kFewVertices) return;
  // Hair parts where there is least of it: in the middle of the widest gap.
  band.push_back(-kBehind);
  band.push_back(kBehind);
  std::sort(band.begin(), band.end());
  float parting = 0, widest = 0;
  for (std::size_t i = 1; i < band.size(); ++i) {
    if (band[i] - band[i - 1] <= widest) continue;
    widest = band[i] - band[i - 1];
    parting = 0.5f * (band[i] + band[i - 1]);
  }
  for (std::size_t i = 0; i < places.size(); ++i) {
    const Place& place = places[i];
    const float strength = smoothstep(kForehead, kBrow, place.p.y() - eyes.y());
    if (strength == 0 || std::abs(place.angle) >= kBehind) continue;
    const float side = place.angle > parting ? 1.0f : -1.0f;
    const float share = (kBehind - side * place.angle) / (kBehind - side * parting);  // 0 at the back, 1 at the parting
    const float swept = side * (kBehind - share * (kBehind - kClear));
    const float angle = mix(place.angle, swept, strength);
    const Vec3 moved(place.radius * std::sin(angle), place.p.y(), axis + place.radius * std::cos(angle));
    style.binding[i].offset += moved - place.p;
  }
}

}  // namespace mien::stage
