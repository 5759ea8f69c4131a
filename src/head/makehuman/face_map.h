// The lines of MakeHuman's face that expressions work on: the rings around mouth and eyes, the jaw, the eyeballs.
#pragma once

#include <array>
#include <vector>

#include "head/makehuman/assembly.h"

namespace mien::makehuman {

// The mouth is a tube of closed rings of 38 vertices each: from the inside of the cavity, over the line where the lips
// meet (kMouthContact), to the skin around the lips. Position 0 is the middle of the upper lip, 12 the person's left
// corner, 19 the middle of the lower lip, 26 the right corner; equal positions of neighbouring rings are neighbours.
constexpr int kMouthRings = 12;
constexpr int kMouthContact = 3;
constexpr int kMouthRing = 38;
constexpr int kMouthLowerMiddle = 19;
// Lip borders: the vermilion ends at ring 7.
constexpr int kMouthVermilion = 7;

// The eye likewise: from inside the socket, over the lid margin (kLidContact), to the fold and the rim. Position 0 is
// the middle of the upper lid, kLidOuter and kLidInner are the corners.
constexpr int kLidRings = 10;
constexpr int kLidContact = 2;
constexpr int kLidRing = 28;
constexpr int kLidOuter = 7;
constexpr int kLidInner = 22;
constexpr int kLidLowerMiddle = 15;

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
  std::array<std::array<int, kMouthRing>, kMouthRings> mouth{};
  std::array<EyeMap, 2> eyes;    // left, right
  std::vector<float> jaw_share;  // [V] how far a vertex follows the jaw bone
  std::vector<int> jaw_rigid;    // vertices that are bone: lower teeth and gums
  std::vector<int> tongue;
  std::vector<std::vector<int>> neighbours;  // [V] over skin edges only
};

FaceMap map_face(const Source& source, const Assembly& assembly, const std::vector<Vec3>& rest);

}  // namespace mien::makehuman
