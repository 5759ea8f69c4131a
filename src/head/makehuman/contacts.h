// Contact: lips that meet, lids that close, skin that stays off the eyeball.
#pragma once

#include <vector>

#include "head/makehuman/face_map.h"

namespace mien::makehuman {

// Pairs {upper, lower} of the inner lip line, right corner to left, and of the lid margin, inner corner to outer.
std::vector<std::array<int, 2>> lip_pairs(const FaceMap& map);
std::vector<std::array<int, 2>> lid_pairs(const FaceMap& map, int side);

struct SealOptions {
  float upper_share = 0.5f;  // how much of the way the upper lip goes; the lower lip goes the rest
  float inner_reach = 0.6f;  // share of a correction that the next ring inwards takes, and so on
  float outer_reach = 0.8f;  // and outwards
};
// Moves the lips of `positions` so that the inner lip lines coincide; the rings around follow less and less.
void seal_lips(const FaceMap& map, std::vector<Vec3>& positions, const SealOptions& options = {});

// Moves the lids so that their margins meet on the line `share` of the way down from the upper lid to the lower one
// (rest positions), on the eyeball's surface. 1 leaves the lower lid where it is.
void close_lids(const FaceMap& map, int side, float share, std::vector<Vec3>& positions);
// Pushes lid skin out of the eyeball to at least `clearance` metres above its surface.
void clear_eyeball(const FaceMap& map, int side, float clearance, std::vector<Vec3>& positions);

}  // namespace mien::makehuman
