// Closed rings of vertices around mouth and eyes, traced on MakeHuman's body mesh.
#pragma once

#include <array>
#include <vector>

#include "head/makehuman/source.h"

namespace mien::makehuman {

// The mouth is a tube of closed rings of 38 vertices each: from the inside of the cavity, over the line where the lips
// meet (kMouthContact), to the skin around the lips. Position 0 is the middle of the upper lip, 12 the person's left
// corner, 19 the middle of the lower lip, 26 the right corner; equal positions of neighbouring rings are neighbours.
constexpr int kMouthRings = 12;
constexpr int kMouthContact = 3;
constexpr int kMouthVermilion = 9;  // the red of the lips ends here
constexpr int kMouthRing = 38;
constexpr int kMouthLowerMiddle = 19;

// The eye likewise: from just inside the socket, over the lid margin (kLidContact), to the fold and the rim. Position 0
// is the middle of the upper lid, kLidOuter and kLidInner are the corners.
constexpr int kLidRings = 9;
constexpr int kLidContact = 1;
constexpr int kLidRing = 28;
constexpr int kLidOuter = 7;
constexpr int kLidInner = 22;
constexpr int kLidLowerMiddle = 15;

// MakeHuman's vertex numbers.
struct FaceRings {
  std::array<std::array<int, kMouthRing>, kMouthRings> mouth{};
  std::array<std::array<std::array<int, kLidRing>, kLidRings>, 2> lids{};  // left, right
  std::vector<int> sockets;  // vertices deeper in the eye sockets than the first lid ring, ascending
};
FaceRings trace_face_rings(const Source& source);

}  // namespace mien::makehuman
