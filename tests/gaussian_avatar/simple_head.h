// A head of one sphere, for tests: every region and part that code asks for, without any asset.
#pragma once

#include <cmath>

#include "mien/head/head_motion.h"

namespace mien {

// A sphere of radius 0.1 m whose first expression makes it 10 % larger (the others do nothing). The lower quarter does
// not follow the neck.
inline HeadModel simple_head(int rings = 16, int segments = 24) {
  HeadModel head;
  head.id = "sphere";
  constexpr float kPi = 3.14159265f;
  for (int r = 0; r <= rings; ++r) {
    for (int s = 0; s < segments; ++s) {
      const float polar = kPi * (static_cast<float>(r) + 0.01f) / (static_cast<float>(rings) + 0.02f);
      const float around = 2 * kPi * static_cast<float>(s) / static_cast<float>(segments);
      head.mesh.positions.emplace_back(0.1f * std::sin(polar) * std::sin(around), 0.1f * std::cos(polar),
                                       0.1f * std::sin(polar) * std::cos(around));
    }
  }
  for (int r = 0; r < rings; ++r) {
    for (int s = 0; s < segments; ++s) {
      const int a = r * segments + s, b = r * segments + (s + 1) % segments;
      head.mesh.faces.emplace_back(a, a + segments, b);
      head.mesh.faces.emplace_back(b, a + segments, b + segments);
    }
  }
  head.face_part.assign(head.mesh.faces.size(), HeadPart::kSkin);
  for (const Vec3& p : head.mesh.positions) {
    head.region.push_back(p.z() > 0.02f    ? HeadRegion::kFace
                          : p.y() < -0.05f ? HeadRegion::kShoulders
                                           : HeadRegion::kScalp);
    const float follow = p.y() < -0.05f ? 0.0f : 1.0f;
    head.skin_weights.push_back({follow, follow});
  }
  head.expression_names.assign(kArkitNames.begin(), kArkitNames.end());
  head.expression.assign(head.mesh.positions.size() * kArkitCount, Vec3::Zero());
  for (std::size_t v = 0; v < head.mesh.positions.size(); ++v) head.expression[v] = 0.1f * head.mesh.positions[v];
  head.joints.fill(Vec3(0, -0.05f, 0));
  return head;
}

}  // namespace mien
