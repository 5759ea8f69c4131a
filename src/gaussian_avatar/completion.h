// Head completion: hair and clothing follow the face near it, and less the farther off (EmoTalk3D, arXiv 2408.00297,
// section 4.3: the motion of the nearest facial point times exp(-0.1 d), d in millimetres).
#pragma once

#include <vector>

#include "mien/gaussian_avatar/gaussian_avatar.h"

namespace mien {

// What an expression moves and hair may lie on: the skin of the face. Ascending.
std::vector<int> facial_vertices(const HeadModel& head);

// Hands a share of the anchor, exp(-fade d), to the facial vertex nearest to `point`, in place of the anchor's weakest
// vertex. `vertices` [V] are posed as the point is; `fade` is per millimetre. Shares under 2 % are not worth a vertex:
// the anchor stays as it is.
void follow_face(const Vec3& point, const std::vector<Vec3>& vertices, const std::vector<int>& facial, float fade,
                 GaussianAnchor& anchor);

}  // namespace mien
