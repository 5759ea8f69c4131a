// The lines of MakeHuman's face that expressions work on: the rings around mouth and eyes, the jaw, the eyeballs.
#pragma once

#include <array>
#include <vector>

#include "head/makehuman/assembly.h"
#include "head/makehuman/rings.h"

namespace mien::makehuman {

struct EyeMap {
  std::array<std::array<int, kLidRing>, kLidRings> rings{};
  std::vector<int> eyeball;  // vertices
  Vec3 centre = Vec3::Zero();
  float radius = 0;                              // of the white
  std::vector<float> profile;                    // largest radius by angle from the optical axis, kProfileStep each
  static constexpr float kProfileStep = 0.04f;   // radians
  float radius_at(const Vec3& direction) const;  // of the eye's surface in that direction from the centre
};

struct FaceMap {
  std::vector<int> from_body;  // [body vertices] ours, or -1
  std::array<std::array<int, kMouthRing>, kMouthRings> mouth{};
  std::array<EyeMap, 2> eyes;    // left, right
  std::vector<float> jaw_share;  // [V] how far a vertex follows the jaw bone
  std::vector<int> jaw_rigid;    // vertices that are bone: lower teeth and gums
  std::vector<int> tongue;
  std::vector<float> lip_depth;  // [V] 1 on the outer skin, falling over the inner lip rings to 0 inside the mouth
  std::vector<std::vector<int>> neighbours;  // [V] over skin edges only
};

FaceMap map_face(const Source& source, const Assembly& assembly, const std::vector<Vec3>& rest);

}  // namespace mien::makehuman
