// ARKit's expressions out of what FLAME can do.
#pragma once

#include <vector>

#include "head/outside/overlay.h"
#include "mien/head/outside_builders.h"

namespace mien::outside {

struct FlameMovements {
  std::vector<std::vector<Vec3>> expressions;  // [E][V] metres for a weight of 1 (a standard deviation)
  Vec3 jaw_joint = Vec3::Zero();               // placed as the mesh
  std::vector<float> jaw_share;                // [V]
  std::vector<float> jaw_corrections;          // [V * 3 * 9] by the entries of the jaw's rotation less 1; may be empty
};

// Displacements when the jaw turns by this rotation vector.
std::vector<Vec3> turn_jaw(const FlameMovements& movements, const std::vector<Vec3>& rest, const Vec3& rotation);

// Fills the expressions of out.model (mesh and contours set). Each is the nearest, by regularised least squares, that
// expressions and jaw come to the default head's, laid over; where they explain less than half of it, the laid-over one
// is taken and named in out.carried. Blinks are closed on the lid contours. What needs parts that FLAME lacks is
// missing.
void make_arkit_expressions(const FlameMovements& movements, const HeadModel& reference, const Overlay& overlay,
                            OutsideHead& out);

}  // namespace mien::outside
