#include "mien/gaussian_avatar/initialise.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "first_gaussians.h"
#include "gaussian_avatar/completion.h"
#include "mien/base/error.h"
#include "mien/base/parallel.h"
#include "mien/base/random.h"
#include "visual_hull.h"

namespace mien {

bool is_rigid_region(HeadRegion region) {
  return region == HeadRegion::kScalp || region == HeadRegion::kEars || region == HeadRegion::kNeck ||
         region == HeadRegion::kShoulders;
}

namespace {

constexpr float kVoxel = 0.004f;
constexpr int kHairDepth = 5;  // voxels below the hull's surface that are filled: what lies deeper is never seen

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

// The canonical moment decides alone what it shows; the others pool.
void paint_all(GaussianAvatar& avatar, const std::vector<CanonicalMoment>& moments, const std::vector<Vec3>& normals) {
  Painting painting(avatar.gaussians.count());
  std::vector<bool> wanted(painting.weight.size(), true);
  for (std::size_t m = 0; m < moments.size(); ++m) {
    paint(avatar, moments[m], normals, wanted, painting);
    for (std::size_t i = 0; m == 0 && i < wanted.size(); ++i) wanted[i] = !painting.knows(i);
  }
  take_colours(avatar, painting);
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
