#include "mien/gaussian_avatar/initialise.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "gaussian_avatar/completion.h"
#include "mien/base/error.h"
#include "mien/base/parallel.h"
#include "mien/base/random.h"
#include "mien/geometry/raster.h"
#include "visual_hull.h"

namespace mien {

bool is_rigid_region(HeadRegion region) {
  return region == HeadRegion::kScalp || region == HeadRegion::kEars || region == HeadRegion::kNeck ||
         region == HeadRegion::kShoulders;
}

namespace {

constexpr float kShDc = 0.28209479177387814f;  // Y_0^0
constexpr float kVoxel = 0.004f;
constexpr int kHairDepth = 5;  // voxels below the hull's surface that are filled: what lies deeper is never seen

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

// About `count` vertices of the rigid parts, far from each other (farthest-point sampling).
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
    if (is_rigid_region(r) || r == HeadRegion::kFace || r == HeadRegion::kForehead || r == HeadRegion::kNose)
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
        if (!is_rigid_region(r) && r != HeadRegion::kForehead) continue;
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
  const std::vector<int> facial = facial_vertices(head);
  Random random(options.seed, 17);
  Builder builder(avatar);
  for (int i = 0; i < count; ++i) {
    const auto pick = static_cast<std::size_t>((i + random.uniform()) / static_cast<float>(count) *
                                               static_cast<float>(candidates.size()));
    const Candidate& c = candidates[std::min(pick, candidates.size() - 1)];
    const Vec3 jitter(random.uniform(-0.5f, 0.5f), random.uniform(-0.5f, 0.5f), random.uniform(-0.5f, 0.5f));
    const Vec3 posed = c.position + kVoxel * jitter;
    GaussianAnchor anchor = near_anchor(posed, vertices, anchors);
    follow_face(posed, vertices, facial, options.face_fade, anchor);
    builder.add(undo_motion(posed, anchor, frames), Quat::Identity(), Vec3::Constant(0.5f * spacing), 0.3f, anchor);
    normals.push_back(c.normal);
  }
}

// What the pictures say about the colour of each Gaussian.
struct Painting {
  std::vector<Vec3> sum;
  std::vector<float> weight;
};

// Adds the views of one moment: of those that face a Gaussian and see it past the head's own surface.
void paint(const GaussianAvatar& avatar, const CanonicalMoment& moment, const std::vector<Vec3>& normals,
           const std::vector<bool>& wanted, Painting& painting) {
  constexpr float kBehind = 0.003f;  // metres behind the first surface that still count as seen
  SurfaceFrames frames(avatar.head);
  frames.update(moment.frame);
  std::vector<float> means, deformation;
  deform_gaussians(avatar, frames, means, deformation);
  for (const CanonicalView& view : moment.views) {
    RasterBuffer surface;
    rasterise(frames.vertices(), avatar.head.mesh.faces, view.camera, RasterOptions{1, false, false}, surface);
    const Vec3 eye = view.camera.centre();
    parallel_for(avatar.gaussians.count(), 1024, [&](std::int64_t i) {
      if (!wanted[i]) return;
      const Vec3 mean = Eigen::Map<const Vec3>(&means[i * 3]);
      const Mat3 turn = Eigen::Map<const Eigen::Matrix<float, 3, 3, Eigen::RowMajor>>(&deformation[i * 9]);
      const float facing = (turn * normals[i]).normalized().dot((eye - mean).normalized());
      const float depth = view.camera.to_camera(mean).z();
      const Vec2 at = view.camera.project(mean);
      const int x = static_cast<int>(at.x()), y = static_cast<int>(at.y());
      if (facing <= 0.05f || x < 0 || y < 0 || x >= view.rgb.width || y >= view.rgb.height) return;
      const float matte = *view.matte.at(x, y);
      if (matte < 0.5f || depth > surface.depth[surface.index(x, y)] + kBehind) return;
      const float weight = std::pow(facing, 4.0f) * matte;
      painting.sum[i] += weight * Vec3(view.rgb.at(x, y)[0], view.rgb.at(x, y)[1], view.rgb.at(x, y)[2]) / matte;
      painting.weight[i] += weight;
    });
  }
}

// Degree-0 SH from the canonical moment; what it does not show from the other moments; the rest gets its region's mean.
void paint_all(GaussianAvatar& avatar, const std::vector<CanonicalMoment>& moments, const std::vector<Vec3>& normals) {
  const auto n = static_cast<std::size_t>(avatar.gaussians.count());
  Painting painting{std::vector<Vec3>(n, Vec3::Zero()), std::vector<float>(n, 0)};
  std::vector<bool> wanted(n, true);
  for (std::size_t m = 0; m < moments.size(); ++m) {
    paint(avatar, moments[m], normals, wanted, painting);
    // The canonical moment decides alone what it shows; the others pool.
    for (std::size_t i = 0; m == 0 && i < n; ++i) wanted[i] = painting.weight[i] < 1e-5f;
  }
  const auto region = [&](std::size_t i) {
    return static_cast<std::size_t>(avatar.head.region[static_cast<std::size_t>(avatar.anchors[i].vertex[0])]);
  };
  std::array<Vec3, kHeadRegionCount> mean;
  std::array<float, kHeadRegionCount> seen{};
  mean.fill(Vec3::Zero());
  for (std::size_t i = 0; i < n; ++i) {
    mean[region(i)] += painting.sum[i];
    seen[region(i)] += painting.weight[i];
  }
  for (std::size_t i = 0; i < n; ++i) {
    Vec3 colour = Vec3::Constant(0.3f);
    if (painting.weight[i] >= 1e-5f) {
      colour = painting.sum[i] / painting.weight[i];
    } else if (seen[region(i)] > 0) {
      colour = mean[region(i)] / seen[region(i)];
    }
    for (int c = 0; c < 3; ++c) avatar.gaussians.sh[i * kShCoefficients * 3 + c] = (colour[c] - 0.5f) / kShDc;
  }
}

// Modes for the Gaussians whose look changes with the expression: those on the face and in the mouth.
void add_modes(GaussianAvatar& avatar) {
  avatar.modes = face_colour_modes(avatar.head);
  avatar.modes.gaussian = facial_gaussians(avatar);
  avatar.modes.colour.assign(avatar.modes.gaussian.size() * avatar.modes.names.size() * 3, 0.0f);
}

}  // namespace

std::vector<std::int32_t> facial_gaussians(const GaussianAvatar& avatar) {
  std::vector<std::int32_t> out;
  for (int i = 0; i < avatar.gaussians.count(); ++i) {
    const GaussianAnchor& anchor = avatar.anchors[i];
    const HeadRegion r = avatar.head.region[anchor.vertex[0]];
    if (anchor.weight[3] == 0 && !is_rigid_region(r)) out.push_back(i);
  }
  return out;
}

GaussianAvatar initialise_avatar(const HeadModel& head, const MotionFrame& frame,
                                 const std::vector<CanonicalView>& views, const InitialiseOptions& options,
                                 const std::vector<CanonicalMoment>& more) {
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
  std::vector<CanonicalMoment> moments = {{frame, views}};
  moments.insert(moments.end(), more.begin(), more.end());
  paint_all(avatar, moments, normals);
  if (options.colour_modes) add_modes(avatar);
  return avatar;
}

}  // namespace mien
