#include "first_gaussians.h"

#include <algorithm>
#include <limits>

namespace mien {
namespace {

// Square millimetres a Gaussian, relative to each other: lips, lids, eyes and teeth carry the speech.
float footprint(HeadRegion region) {
  switch (region) {
    case HeadRegion::kTeeth:
      return 0.45f;
    case HeadRegion::kUpperLip:
    case HeadRegion::kLowerLip:
      return 0.5f;
    case HeadRegion::kUpperLidLeft:
    case HeadRegion::kLowerLidLeft:
    case HeadRegion::kUpperLidRight:
    case HeadRegion::kLowerLidRight:
    case HeadRegion::kEyes:
      return 0.6f;
    case HeadRegion::kBrows:
    case HeadRegion::kLashes:
      return 1.0f;
    case HeadRegion::kTongue:
      return 1.2f;
    case HeadRegion::kMouthInside:
      return 1.6f;
    case HeadRegion::kNose:
      return 2.2f;
    case HeadRegion::kFace:
      return 2.9f;
    case HeadRegion::kForehead:
      return 4;
    case HeadRegion::kEars:
      return 5;
    case HeadRegion::kNeck:
      return 7;
    case HeadRegion::kScalp:
      return 20;
    case HeadRegion::kShoulders:
      return 36;
  }
  return 4;
}

bool is_inner(HeadRegion region) {
  return region == HeadRegion::kTeeth || region == HeadRegion::kTongue || region == HeadRegion::kMouthInside;
}

// How well the faces of the mouth and the eyes can be seen at all, [0,1]: front teeth well, back teeth and backs of
// things hardly; 1 for the rest.
class Exposure {
 public:
  explicit Exposure(const HeadModel& head) {
    for (int v = 0; v < head.vertex_count(); ++v) {
      if (head.region[v] == HeadRegion::kTeeth) front_ = std::max(front_, head.mesh.positions[v].z());
    }
  }
  float operator()(HeadRegion region, const Vec3& centre, const Vec3& normal) const {
    constexpr float kDepth = 0.018f;  // metres behind the foremost teeth where 1/e is left
    constexpr float kLeast = 0.05f;
    if (region == HeadRegion::kEyes) return std::max(kLeast, normal.z());
    if (!is_inner(region)) return 1;
    const float depth = std::exp(-std::max(0.0f, front_ - centre.z()) / kDepth);
    // Teeth that stand to the side turn outwards: their normals count as much as those in front.
    const float out = normal.z() + std::abs(normal.x());
    return std::max(kLeast, depth * std::clamp(0.35f + out, 0.0f, 1.0f));
  }

 private:
  float front_ = -1;
};

}  // namespace

void add_surface(GaussianAvatar& avatar, const InitialiseOptions& options, std::vector<Vec3>& normals) {
  const HeadModel& head = avatar.head;
  std::vector<double> cumulative(head.mesh.faces.size());
  std::vector<float> face_density(head.mesh.faces.size());
  double total = 0;
  const Exposure exposure(head);
  for (std::size_t f = 0; f < head.mesh.faces.size(); ++f) {
    const Index3& t = head.mesh.faces[f];
    const auto& p = head.mesh.positions;
    const Vec3 area = 0.5f * (p[t[1]] - p[t[0]]).cross(p[t[2]] - p[t[0]]);
    const Vec3 centre = (p[t[0]] + p[t[1]] + p[t[2]]) / 3;
    const float seen = exposure(head.region[t[0]], centre, area.normalized());
    for (int k = 0; k < 3; ++k) face_density[f] += seen / footprint(head.region[t[k]]) / 3;
    total += area.norm() * face_density[f];
    cumulative[f] = total;
  }
  Builder builder(avatar);
  // Systematic sampling along the surface, low-discrepancy (R2 sequence, Roberts 2018) inside the triangles.
  for (int i = 0; i < options.surface_count; ++i) {
    const double at = (i + 0.5) / options.surface_count * total;
    const auto f =
        static_cast<std::size_t>(std::lower_bound(cumulative.begin(), cumulative.end(), at) - cumulative.begin());
    const Index3& t = head.mesh.faces[f];
    const Vec3 &a = head.mesh.positions[t[0]], &b = head.mesh.positions[t[1]], &c = head.mesh.positions[t[2]];
    double ignored = 0;
    auto u = static_cast<float>(std::modf(0.5 + 0.7548776662466927 * (i + 1), &ignored));
    auto v = static_cast<float>(std::modf(0.5 + 0.5698402909980532 * (i + 1), &ignored));
    if (u + v > 1) {
      u = 1 - u;
      v = 1 - v;
    }
    const Vec3 normal = (b - a).cross(c - a).normalized();
    const Vec3 tangent = (b - a).normalized();
    Mat3 frame;
    frame << tangent, normal.cross(tangent), normal;
    const auto spacing = static_cast<float>(std::sqrt(total / options.surface_count / face_density[f]));
    GaussianAnchor anchor;
    anchor.vertex = {t[0], t[1], t[2], t[0]};
    anchor.weight = {1 - u - v, u, v, 0};
    // What shows through a half-open mouth is the dark behind it: teeth start opaque.
    const float opacity = is_inner(head.region[t[0]]) ? 0.95f : 0.8f;
    builder.add((1 - u - v) * a + u * b + v * c, Quat(frame), Vec3(0.6f, 0.6f, 0.15f) * spacing, opacity, anchor);
    normals.push_back(normal);
  }
}

std::vector<int> anchor_vertices(const HeadModel& head, int count) {
  std::vector<int> candidates;
  for (int v = 0; v < head.vertex_count(); ++v) {
    if (is_rigid_region(head.region[v])) candidates.push_back(v);
  }
  std::vector<int> chosen;
  if (candidates.empty()) return chosen;
  std::vector<float> distance(candidates.size(), std::numeric_limits<float>::max());
  std::size_t next = 0;
  while (static_cast<int>(chosen.size()) < count && distance[next] > 0) {
    chosen.push_back(candidates[next]);
    const Vec3& at = head.mesh.positions[candidates[next]];
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      distance[i] = std::min(distance[i], (head.mesh.positions[candidates[i]] - at).squaredNorm());
    }
    next = static_cast<std::size_t>(std::max_element(distance.begin(), distance.end()) - distance.begin());
  }
  return chosen;
}

GaussianAnchor near_anchor(const Vec3& point, const std::vector<Vec3>& vertices, const std::vector<int>& candidates) {
  std::vector<std::pair<float, int>> nearest;
  for (const int v : candidates) nearest.emplace_back((vertices[v] - point).squaredNorm(), v);
  const auto kept = std::min<std::size_t>(kAnchorCount, nearest.size());
  std::partial_sort(nearest.begin(), nearest.begin() + static_cast<std::ptrdiff_t>(kept), nearest.end());
  GaussianAnchor anchor;
  float sum = 0;
  for (std::size_t k = 0; k < kept; ++k) {
    anchor.vertex[k] = nearest[k].second;
    anchor.weight[k] = 1.0f / (nearest[k].first + 1e-6f);
    sum += anchor.weight[k];
  }
  for (float& w : anchor.weight) w /= sum;
  return anchor;
}

Vec3 undo_motion(const Vec3& posed, const GaussianAnchor& anchor, const SurfaceFrames& frames) {
  Mat3 blended = Mat3::Zero();
  Vec3 offset = Vec3::Zero();
  for (int k = 0; k < kAnchorCount; ++k) {
    const int v = anchor.vertex[k];
    blended += anchor.weight[k] * frames.deformation()[v];
    offset += anchor.weight[k] * (frames.vertices()[v] - frames.deformation()[v] * frames.canonical()[v]);
  }
  return blended.inverse() * (posed - offset);
}

}  // namespace mien
