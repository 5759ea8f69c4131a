#include "gaussian_avatar/completion.h"

#include <cmath>
#include <limits>

#include "mien/gaussian_avatar/initialise.h"

namespace mien {

std::vector<int> facial_vertices(const HeadModel& head) {
  std::vector<int> out;
  for (int v = 0; v < head.vertex_count(); ++v) {
    switch (head.region[v]) {
      case HeadRegion::kFace:
      case HeadRegion::kForehead:
      case HeadRegion::kNose:
        out.push_back(v);
        break;
      default:
        break;
    }
  }
  return out;
}

void follow_face(const Vec3& point, const std::vector<Vec3>& vertices, const std::vector<int>& facial, float fade,
                 GaussianAnchor& anchor) {
  constexpr float kLeast = 0.02f;
  float best = std::numeric_limits<float>::max();
  int nearest = -1;
  for (const int v : facial) {
    const float d = (vertices[v] - point).squaredNorm();
    if (d < best) {
      best = d;
      nearest = v;
    }
  }
  if (nearest < 0) return;
  const float share = std::exp(-fade * 1000 * std::sqrt(best));
  if (share < kLeast) return;
  // Anchors list their vertices from near to far, so the last is the weakest.
  float kept = 0;
  for (int k = 0; k + 1 < kAnchorCount; ++k) kept += anchor.weight[k];
  for (int k = 0; k + 1 < kAnchorCount; ++k) anchor.weight[k] *= (1 - share) / kept;
  anchor.vertex[kAnchorCount - 1] = nearest;
  anchor.weight[kAnchorCount - 1] = share;
}

}  // namespace mien
