// First Gaussians from videos by one camera at a time.
#include <algorithm>
#include <cmath>

#include "first_gaussians.h"
#include "gaussian_avatar/completion.h"
#include "mien/base/error.h"
#include "mien/base/parallel.h"
#include "mien/base/random.h"
#include "mien/geometry/nearest.h"

namespace mien {
namespace {

constexpr float kSpacing = 0.005f;     // metres between the points of the space round the head
constexpr float kReach = 0.13f;        // metres from the surface that hair and clothing may reach
constexpr float kFaceReach = 0.022f;   // and over the face: beard, glasses
constexpr float kNear = 0.035f;        // at this distance 1/e of the points are taken
constexpr float kNearBody = 0.015f;    // and over the body, which does not turn: its pictures say nothing of depth
constexpr float kInside = 0.3f;        // of the matte: hair is thin
constexpr float kMostOutside = 0.12f;  // of the moments that see a point, that may have it outside: poses are not exact
constexpr float kAbsent = -4;          // first residual of the logit where nothing is
constexpr int kAnchors = 200;

// Points round the head, canonical, as Gaussians without looks.
struct Cloud {
  GaussianAvatar avatar;  // head, means, anchors
  std::vector<float> distance;
  std::vector<Vec3> normal;
};

// The grid's points outside the surface, near it; far from it fewer.
Cloud make_cloud(const HeadModel& head, const InitialiseOptions& options) {
  const std::vector<Vec3>& vertices = head.mesh.positions;
  Vec3 low = vertices[0], high = vertices[0];
  for (const Vec3& v : vertices) {
    low = low.cwiseMin(v);
    high = high.cwiseMax(v);
  }
  const float reach = std::min(kReach, options.hull_reach);
  low -= Vec3::Constant(reach);
  high += Vec3::Constant(reach);
  const Eigen::Vector3i size = ((high - low) / kSpacing).array().ceil().cast<int>();
  const NearestTriangle nearest(head.mesh.positions, head.mesh.faces);
  struct Point {
    Vec3 at, normal;
    float distance;
  };
  std::vector<std::vector<Point>> slices(static_cast<std::size_t>(size.z()));
  parallel_for(size.z(), 1, [&](std::int64_t z) {
    Random random(options.seed * 131 + static_cast<std::uint64_t>(z), 19);
    for (int y = 0; y < size.y(); ++y) {
      for (int x = 0; x < size.x(); ++x) {
        const Vec3 jitter(random.uniform(), random.uniform(), random.uniform());
        const float luck = random.uniform();
        const Vec3 at =
            low + kSpacing * (Vec3(static_cast<float>(x), static_cast<float>(y), static_cast<float>(z)) + jitter);
        const NearestHit hit = nearest.query(at, reach);
        if (hit.face < 0) continue;
        const Index3& t = head.mesh.faces[static_cast<std::size_t>(hit.face)];
        const HeadRegion region = head.region[static_cast<std::size_t>(t[0])];
        const bool body = region == HeadRegion::kShoulders;
        if (luck > std::exp(-hit.distance / (body ? kNearBody : kNear))) continue;
        const bool inner =
            region == HeadRegion::kTeeth || region == HeadRegion::kTongue || region == HeadRegion::kMouthInside;
        const bool face = !inner && !is_rigid_region(region);
        if (!is_rigid_region(region) && !(face && hit.distance < kFaceReach)) continue;
        const Vec3 normal = (vertices[t[1]] - vertices[t[0]]).cross(vertices[t[2]] - vertices[t[0]]);
        if ((at - hit.point).dot(normal) <= 0 || hit.distance < 0.001f) continue;
        slices[static_cast<std::size_t>(z)].push_back({at, (at - hit.point).normalized(), hit.distance});
      }
    }
  });
  Cloud cloud;
  cloud.avatar.head = head;
  std::vector<Vec3> points;
  for (const auto& slice : slices) {
    for (const Point& p : slice) {
      points.push_back(p.at);
      cloud.normal.push_back(p.normal);
      cloud.distance.push_back(p.distance);
    }
  }
  const std::vector<int> anchors = anchor_vertices(head, kAnchors), facial = facial_vertices(head);
  cloud.avatar.anchors.resize(points.size());
  parallel_for(static_cast<std::int64_t>(points.size()), 256, [&](std::int64_t i) {
    GaussianAnchor anchor = near_anchor(points[i], vertices, anchors);
    follow_face(points[i], vertices, facial, options.face_fade, anchor);
    cloud.avatar.anchors[i] = anchor;
  });
  Gaussians& g = cloud.avatar.gaussians;
  for (const Vec3& p : points) g.means.insert(g.means.end(), {p.x(), p.y(), p.z()});
  g.opacity_logits.assign(points.size(), 0.0f);
  return cloud;
}

// Whether the mattes of each appearance leave room for each point: [A] of [points].
std::vector<std::vector<bool>> room_in(const Cloud& cloud, const std::vector<MonocularMoment>& moments,
                                       int appearances) {
  const auto n = cloud.distance.size();
  std::vector<std::vector<int>> seen(appearances, std::vector<int>(n, 0)), outside = seen;
  std::vector<int> count(static_cast<std::size_t>(appearances), 0);
  SurfaceFrames frames(cloud.avatar.head);
  std::vector<float> means, deformation;
  for (const MonocularMoment& moment : moments) {
    const auto a = static_cast<std::size_t>(moment.appearance);
    ++count[a];
    frames.update(moment.frame);
    deform_gaussians(cloud.avatar, frames, means, deformation);
    const ImageF& matte = moment.view.matte;
    parallel_for(static_cast<std::int64_t>(n), 4096, [&](std::int64_t i) {
      const Vec3 p = Eigen::Map<const Vec3>(&means[i * 3]);
      if (moment.view.camera.to_camera(p).z() <= 0.01f) return;
      const Vec2 at = moment.view.camera.project(p);
      const int x = static_cast<int>(std::floor(at.x())), y = static_cast<int>(std::floor(at.y()));
      if (x < 0 || y < 0 || x >= matte.width || y >= matte.height) return;
      ++seen[a][i];
      outside[a][i] += *matte.at(x, y) < kInside ? 1 : 0;
    });
  }
  std::vector<std::vector<bool>> room(static_cast<std::size_t>(appearances), std::vector<bool>(n, false));
  for (std::size_t a = 0; a < room.size(); ++a) {
    for (std::size_t i = 0; i < n; ++i) {
      const auto most = static_cast<int>(kMostOutside * static_cast<float>(seen[a][i]));
      room[a][i] = 4 * seen[a][i] >= count[a] && seen[a][i] > 0 && outside[a][i] <= most;
    }
  }
  return room;
}

// Adds points of the cloud that some appearance has room for; which does is appended to `there`, [A] of [N].
void add_room(GaussianAvatar& avatar, const std::vector<MonocularMoment>& moments, const InitialiseOptions& options,
              std::vector<Vec3>& normals, std::vector<std::vector<bool>>& there) {
  const Cloud cloud = make_cloud(avatar.head, options);
  const auto room = room_in(cloud, moments, static_cast<int>(there.size()));
  std::vector<std::size_t> open;
  for (std::size_t i = 0; i < cloud.distance.size(); ++i) {
    if (std::any_of(room.begin(), room.end(), [i](const std::vector<bool>& r) { return r[i]; })) open.push_back(i);
  }
  if (open.empty()) return;
  // Appearances share what they have in common; what only one has needs Gaussians of its own.
  const double more = 1 + 0.25 * static_cast<double>(there.size() - 1);
  const auto count = std::min(static_cast<std::size_t>(options.volume_count * more), open.size());
  const float size = 0.5f * kSpacing * std::cbrt(static_cast<float>(open.size()) / static_cast<float>(count));
  Builder builder(avatar);
  for (std::size_t k = 0; k < count; ++k) {
    const std::size_t i = open[k * open.size() / count];
    builder.add(Eigen::Map<const Vec3>(&cloud.avatar.gaussians.means[3 * i]), Quat::Identity(),
                Vec3::Constant(size * (1 + cloud.distance[i] / kReach)), 0.3f, cloud.avatar.anchors[i]);
    normals.push_back(cloud.normal[i]);
    for (std::size_t a = 0; a < there.size(); ++a) there[a].push_back(room[a][i]);
  }
}

}  // namespace

GaussianAvatar initialise_monocular(const HeadModel& head, const std::vector<MonocularMoment>& moments,
                                    const InitialiseOptions& options, const std::vector<std::string>& names,
                                    const AppearanceOptions& looks) {
  if (moments.empty())
    throw Error(ErrorCode::kBadArgument, "no moment to start from", "the capture needs at least one picture");
  GaussianAvatar avatar;
  avatar.head = head;
  std::vector<Vec3> normals;
  add_surface(avatar, options, normals);
  const std::size_t appearances = std::max<std::size_t>(1, names.size());
  std::vector<std::vector<bool>> there(appearances, std::vector<bool>(normals.size(), true));
  add_room(avatar, moments, options, normals, there);
  const std::vector<bool> wanted(normals.size(), true);
  std::vector<Painting> paintings(appearances, Painting(avatar.gaussians.count()));
  for (const MonocularMoment& moment : moments)
    paint(avatar, {moment.frame, {moment.view}}, normals, wanted,
          paintings[static_cast<std::size_t>(moment.appearance)]);
  Painting all(avatar.gaussians.count());  // every appearance has the same say
  for (std::size_t i = 0; i < normals.size(); ++i) {
    for (const Painting& painting : paintings) {
      if (!painting.knows(i)) continue;
      all.sum[i] += painting.colour(i);
      all.weight[i] += 1;
    }
  }
  take_colours(avatar, all);
  if (options.colour_modes) add_modes(avatar);
  make_appearances(avatar, names, looks, options.seed);
  const auto row = static_cast<std::size_t>(avatar.looks.feature_row());
  for (std::size_t a = 0; a < avatar.looks.features.size() && row > 0; ++a) {
    for (std::size_t i = 0; i < normals.size(); ++i) {
      float* direct = &avatar.looks.features[a][i * row + kLatent];
      if (paintings[a].knows(i)) Eigen::Map<Vec3>{direct} = (paintings[a].colour(i) - all.colour(i)) / kShDc;
      if (looks.density_offset && !there[a][i]) direct[3] = kAbsent;
    }
  }
  return avatar;
}

}  // namespace mien
