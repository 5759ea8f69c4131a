#include "head/makehuman/contacts.h"

#include <algorithm>
#include <cmath>

namespace mien::makehuman {
namespace {

// Positions of the left half of the contact ring that meet: upper with lower. The rest of the upper ones lie between.
constexpr std::array<std::array<int, 2>, 7> kLipPairs = {
    {{0, 19}, {2, 18}, {4, 17}, {6, 16}, {8, 15}, {10, 14}, {11, 13}}};
// Of the lids, from the inner corner outwards.
constexpr std::array<std::array<int, 2>, 12> kLidPairs = {
    {{23, 21}, {24, 20}, {25, 19}, {26, 18}, {27, 17}, {0, 16}, {1, 15}, {2, 14}, {3, 13}, {4, 11}, {5, 10}, {6, 8}}};

int mirror_position(int p) {
  return (kMouthRing - p) % kMouthRing;
}

// Spreads corrections given on one ring to the rings around, and applies them.
template <typename Rings>
void spread(const Rings& rings, int contact, const std::vector<Vec3>& correction, float inner, float outer,
            std::vector<Vec3>& positions) {
  for (int r = 0; r < static_cast<int>(rings.size()); ++r) {
    const float share = r <= contact ? std::pow(inner, static_cast<float>(contact - r))
                                     : std::pow(outer, static_cast<float>(r - contact));
    for (std::size_t p = 0; p < correction.size(); ++p) positions[rings[r][p]] += share * correction[p];
  }
}

}  // namespace

std::vector<std::array<int, 2>> lip_pairs(const FaceMap& map) {
  const auto& ring = map.mouth[kMouthContact];
  std::vector<std::array<int, 2>> pairs;
  for (std::size_t i = kLipPairs.size(); i-- > 1;) {
    pairs.push_back({ring[mirror_position(kLipPairs[i][0])], ring[mirror_position(kLipPairs[i][1])]});
  }
  for (const auto& [upper, lower] : kLipPairs) pairs.push_back({ring[upper], ring[lower]});
  return pairs;
}

std::vector<std::array<int, 2>> lid_pairs(const FaceMap& map, int side) {
  const auto& ring = map.eyes[side].rings[kLidContact];
  std::vector<std::array<int, 2>> pairs;
  for (const auto& [upper, lower] : kLidPairs) pairs.push_back({ring[upper], ring[lower]});
  return pairs;
}

void seal_lips(const FaceMap& map, std::vector<Vec3>& positions, const SealOptions& options) {
  const auto& ring = map.mouth[kMouthContact];
  std::vector<Vec3> correction(kMouthRing, Vec3::Zero());
  for (const bool left : {true, false}) {
    const auto at = [&](int p) { return left ? p : mirror_position(p); };
    Vec3 previous = Vec3::Zero();
    for (std::size_t i = 0; i < kLipPairs.size(); ++i) {
      const int upper = at(kLipPairs[i][0]), lower = at(kLipPairs[i][1]);
      const Vec3 gap = positions[ring[lower]] - positions[ring[upper]];
      correction[upper] = options.upper_share * gap;
      correction[lower] = (options.upper_share - 1) * gap;
      const Vec3 meeting = positions[ring[upper]] + correction[upper];
      if (i > 0 &&
          kLipPairs[i][0] - kLipPairs[i - 1][0] == 2) {  // an upper vertex without partner lies on the line between
        const int between = at(kLipPairs[i][0] - 1);
        correction[between] = 0.5f * (previous + meeting) - positions[ring[between]];
      }
      previous = meeting;
    }
  }
  spread(map.mouth, kMouthContact, correction, options.inner_reach, options.outer_reach, positions);
}

void close_lids(const FaceMap& map, int side, float share, std::vector<Vec3>& positions) {
  const EyeMap& eye = map.eyes[side];
  const auto& ring = eye.rings[kLidContact];
  std::vector<Vec3> correction(kLidRing, Vec3::Zero());
  std::vector<bool> met(kLidRing, false);
  const auto meeting = [&](const Vec3& upper, const Vec3& lower) {
    Vec3 direction = (1 - share) * upper + share * lower - eye.centre;
    direction.normalize();
    constexpr float kLidOnEye = 0.0004f;  // metres between lid margin and eye
    const float between = ((1 - share) * upper + share * lower - eye.centre).norm();
    return Vec3(eye.centre + std::max(eye.radius_at(direction) + kLidOnEye, between) * direction);
  };
  for (const auto& [upper, lower] : kLidPairs) {
    const Vec3 line = meeting(positions[ring[upper]], positions[ring[lower]]);
    correction[upper] = line - positions[ring[upper]];
    correction[lower] = line - positions[ring[lower]];
    met[upper] = met[lower] = true;
  }
  // Lower vertices without partner lie on the line between their neighbours; so do those beside the corners.
  for (int p = 0; p < kLidRing; ++p) {
    if (met[p] || p == kLidInner || p == kLidOuter) continue;
    const int before = (p + kLidRing - 1) % kLidRing, after = (p + 1) % kLidRing;
    const Vec3 a = positions[ring[before]] + correction[before], b = positions[ring[after]] + correction[after];
    correction[p] = 0.5f * (a + b) - positions[ring[p]];
  }
  spread(eye.rings, kLidContact, correction, 0.8f, 0.8f, positions);
}

void clear_eyeball(const FaceMap& map, int side, float clearance, std::vector<Vec3>& positions) {
  const EyeMap& eye = map.eyes[side];
  for (int r = kLidContact; r < kLidRings; ++r) {
    for (const int v : eye.rings[r]) {
      const Vec3 from = positions[v] - eye.centre;
      const float wanted = eye.radius_at(from) + clearance;
      const float now = from.norm();
      if (now < wanted) positions[v] += (wanted / now - 1) * from;
    }
  }
  // The inner edge of the lids lies below the eye's surface, so that no gap shows between lid and eye.
  constexpr float kTucked = 0.0010f;
  for (const int v : eye.rings[0]) {
    const Vec3 from = positions[v] - eye.centre;
    const float wanted = eye.radius_at(from) - kTucked;
    const float now = from.norm();
    if (now > wanted) positions[v] += (wanted / now - 1) * from;
  }
}

}  // namespace mien::makehuman
