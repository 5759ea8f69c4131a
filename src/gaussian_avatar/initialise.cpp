#include "mien/gaussian_avatar/initialise.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "mien/base/error.h"
#include "mien/base/parallel.h"
#include "mien/base/random.h"
#include "visual_hull.h"

namespace mien {
namespace {

constexpr float kShDc = 0.28209479177387814f;  // Y_0^0
constexpr float kVoxel = 0.004f;
constexpr int kHairDepth = 5;  // voxels below the hull's surface that are filled: what lies deeper is never seen

// How densely a region is covered, relative to the neck. Lips, lids and eyes carry the speech.
float density(HeadRegion region) {
  switch (region) {
    case HeadRegion::kUpperLip:
    case HeadRegion::kLowerLip:
    case HeadRegion::kUpperLidLeft:
    case HeadRegion::kLowerLidLeft:
    case HeadRegion::kUpperLidRight:
    case HeadRegion::kLowerLidRight:
    case HeadRegion::kEyes:
      return 10;
    case HeadRegion::kTeeth:
    case HeadRegion::kTongue:
    case HeadRegion::kBrows:
    case HeadRegion::kLashes:
    case HeadRegion::kNose:
      return 5;
    case HeadRegion::kFace:
    case HeadRegion::kForehead:
      return 4;
    case HeadRegion::kMouthInside:
    case HeadRegion::kEars:
      return 2.5f;
    case HeadRegion::kScalp:
      return 1.5f;
    case HeadRegion::kNeck:
      return 1.5f;
    case HeadRegion::kShoulders:
      return 0.8f;
  }
  return 1;
}

bool is_rigid(HeadRegion region) {
  return region == HeadRegion::kScalp || region == HeadRegion::kEars || region == HeadRegion::kNeck ||
         region == HeadRegion::kShoulders;
}

// Appends Gaussians one by one.
class Builder {
 public:
  explicit Builder(GaussianAvatar& avatar) : avatar_(avatar) {}
  void add(const Vec3& mean, const Quat& rotation, const Vec3& scale, float opacity, const GaussianAnchor& anchor) {
    Gaussians& g = avatar_.gaussians;
    for (int k = 0; k < 3; ++k) g.means.push_back(mean[k]);
    for (const float q : {rotation.w(), rotation.x(), rotation.y(), rotation.z()}) g.quats.push_back(q);
    for (int k = 0; k < 3; ++k) g.log_scales.push_back(std::log(scale[k]));
    g.opacity_logits.push_back(std::log(opacity / (1 - opacity)));
    g.sh.resize(g.sh.size() + kShCoefficients * 3, 0.0f);
    avatar_.anchors.push_back(anchor);
  }

 private:
  GaussianAvatar& avatar_;
};

void add_surface(GaussianAvatar& avatar, const InitialiseOptions& options, std::vector<Vec3>& normals) {
  const HeadModel& head = avatar.head;
  std::vector<double> cumulative(head.mesh.faces.size());
  std::vector<float> face_density(head.mesh.faces.size());
  double total = 0;
  for (std::size_t f = 0; f < head.mesh.faces.size(); ++f) {
    const Index3& t = head.mesh.faces[f];
    const auto& p = head.mesh.positions;
    face_density[f] = (density(head.region[t[0]]) + density(head.region[t[1]]) + density(head.region[t[2]])) / 3;
    total += 0.5 * (p[t[1]] - p[t[0]]).cross(p[t[2]] - p[t[0]]).norm() * face_density[f];
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
    builder.add((1 - u - v) * a + u * b + v * c, Quat(frame), Vec3(0.6f, 0.6f, 0.15f) * spacing, 0.8f, anchor);
    normals.push_back(normal);
  }
}

// About `count` vertices of the rigid parts, far from each other (farthest-point sampling).
std::vector<int> anchor_vertices(const HeadModel& head, int count) {
  std::vector<int> candidates;
  for (int v = 0; v < head.vertex_count(); ++v) {
    if (is_rigid(head.region[v])) candidates.push_back(v);
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

// The canonical mean of a Gaussian that is seen at `posed`: the inverse of the formula in gaussian_avatar.h.
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

void add_volume(GaussianAvatar& avatar, const SurfaceFrames& frames, const std::vector<CanonicalView>& views,
                const InitialiseOptions& options, std::vector<Vec3>& normals) {
  const HeadModel& head = avatar.head;
  const auto& vertices = frames.vertices();
  Vec3 low = vertices[0], high = vertices[0];
  for (const Vec3& v : vertices) {
    low = low.cwiseMin(v);
    high = high.cwiseMax(v);
  }
  const Vec3 reach = Vec3::Constant(options.hull_reach);
  const VoxelGrid grid = carve_visual_hull(low - reach, high + reach, kVoxel, views);
  const std::vector<Vec3> vertex_normal = vertex_normals(vertices, head.mesh.faces);
  std::vector<int> skin;
  for (int v = 0; v < head.vertex_count(); ++v) {
    const HeadRegion r = head.region[v];
    if (is_rigid(r) || r == HeadRegion::kFace || r == HeadRegion::kForehead || r == HeadRegion::kNose)
      skin.push_back(v);
  }
  struct Candidate {
    Vec3 position;
    Vec3 normal;
  };
  std::vector<std::vector<Candidate>> slices(grid.nz);
  parallel_for(grid.nz, 1, [&](std::int64_t z) {
    for (int y = 0; y < grid.ny; ++y) {
      for (int x = 0; x < grid.nx; ++x) {
        const int depth = grid.depth[(static_cast<std::size_t>(z) * grid.ny + y) * grid.nx + x];
        if (depth == 0 || depth > kHairDepth) continue;
        const Vec3 centre = grid.centre(x, y, static_cast<int>(z));
        float best = std::numeric_limits<float>::max();
        int nearest = -1;
        for (const int v : skin) {
          const float d = (vertices[v] - centre).squaredNorm();
          if (d < best) {
            best = d;
            nearest = v;
          }
        }
        // Over the face the hull is only slack: no camera saw into the hollows. Hair may reach on to the forehead.
        const HeadRegion r = nearest >= 0 ? head.region[nearest] : HeadRegion::kFace;
        if (!is_rigid(r) && r != HeadRegion::kForehead) continue;
        if (best > options.hull_reach * options.hull_reach) continue;
        if ((centre - vertices[nearest]).dot(vertex_normal[nearest]) < 0.001f) continue;
        slices[z].push_back({centre, (centre - vertices[nearest]).normalized()});
      }
    }
  });
  std::vector<Candidate> candidates;
  for (const auto& slice : slices) candidates.insert(candidates.end(), slice.begin(), slice.end());
  if (candidates.empty()) return;
  const int count = std::min<int>(options.volume_count, static_cast<int>(candidates.size()));
  const float spacing = kVoxel * std::cbrt(static_cast<float>(candidates.size()) / static_cast<float>(count));
  const std::vector<int> anchors = anchor_vertices(head, 200);
  Random random(options.seed, 17);
  Builder builder(avatar);
  for (int i = 0; i < count; ++i) {
    const auto pick = static_cast<std::size_t>((i + random.uniform()) / static_cast<float>(count) *
                                               static_cast<float>(candidates.size()));
    const Candidate& c = candidates[std::min(pick, candidates.size() - 1)];
    const Vec3 jitter(random.uniform(-0.5f, 0.5f), random.uniform(-0.5f, 0.5f), random.uniform(-0.5f, 0.5f));
    const Vec3 posed = c.position + kVoxel * jitter;
    const GaussianAnchor anchor = near_anchor(posed, vertices, anchors);
    builder.add(undo_motion(posed, anchor, frames), Quat::Identity(), Vec3::Constant(0.5f * spacing), 0.3f, anchor);
    normals.push_back(c.normal);
  }
}

// Mean colour over the views that face the Gaussian, as degree-0 SH.
void paint(GaussianAvatar& avatar, const SurfaceFrames& frames, const std::vector<CanonicalView>& views,
           const std::vector<Vec3>& normals) {
  std::vector<float> means, deformation;
  deform_gaussians(avatar, frames, means, deformation);
  parallel_for(avatar.gaussians.count(), 256, [&](std::int64_t i) {
    const Vec3 mean = Eigen::Map<const Vec3>(&means[i * 3]);
    const Mat3 turn = Eigen::Map<const Eigen::Matrix<float, 3, 3, Eigen::RowMajor>>(&deformation[i * 9]);
    const Vec3 normal = (turn * normals[i]).normalized();
    Vec3 sum = Vec3::Zero();
    float total = 1e-6f;
    for (const CanonicalView& view : views) {
      const Vec3 to_camera = (view.camera.centre() - mean).normalized();
      const float facing = std::max(0.0f, normal.dot(to_camera));
      const Vec2 at = view.camera.project(mean);
      const int x = static_cast<int>(at.x()), y = static_cast<int>(at.y());
      if (facing <= 0.05f || x < 0 || y < 0 || x >= view.rgb.width || y >= view.rgb.height) continue;
      const float matte = *view.matte.at(x, y);
      if (matte < 0.5f) continue;
      const float weight = std::pow(facing, 4.0f) * matte;
      sum += weight * Vec3(view.rgb.at(x, y)[0], view.rgb.at(x, y)[1], view.rgb.at(x, y)[2]) / matte;
      total += weight;
    }
    for (int c = 0; c < 3; ++c) {
      avatar.gaussians.sh[i * kShCoefficients * 3 + c] = ((total > 1e-5f ? sum[c] / total : 0.3f) - 0.5f) / kShDc;
    }
  });
}

}  // namespace

GaussianAvatar initialise_avatar(const HeadModel& head, const MotionFrame& frame,
                                 const std::vector<CanonicalView>& views, const InitialiseOptions& options) {
  if (views.empty()) {
    throw Error(ErrorCode::kBadArgument, "no view of the canonical moment", "the capture needs at least one camera");
  }
  GaussianAvatar avatar;
  avatar.head = head;
  SurfaceFrames frames(avatar.head);
  frames.update(frame);
  std::vector<Vec3> normals;
  add_surface(avatar, options, normals);
  add_volume(avatar, frames, views, options, normals);
  paint(avatar, frames, views, normals);
  return avatar;
}

}  // namespace mien
