#include "head/makehuman/face_map.h"

#include <Eigen/Dense>
#include <algorithm>
#include <map>
#include <set>

#include "mien/base/error.h"

namespace mien::makehuman {
namespace {

// First vertices (MakeHuman's numbers) of the rings, inside to outside: the middle of the upper lip and of the upper
// left lid.
constexpr std::array<int, kMouthRings> kMouthSeeds = {571, 554, 537, 520, 474, 468, 509, 467, 466, 455, 362, 5342};
constexpr std::array<int, kLidRings> kLidSeeds = {7774, 7748, 13352, 6785, 11465, 6787, 6789, 11515, 6874, 6930};

// Walks straight on over a mesh of quads.
class QuadWalker {
 public:
  explicit QuadWalker(const std::vector<Quad>& quads) : quads_(quads) {
    for (std::size_t q = 0; q < quads.size(); ++q) {
      for (const int v : quads[q].vertex) around_[v].push_back(static_cast<int>(q));
    }
  }
  std::set<int> neighbours(int v) const {
    std::set<int> out;
    for (const int q : around_.at(v)) {
      const auto& corner = quads_[q].vertex;
      const int k = static_cast<int>(std::find(corner.begin(), corner.end(), v) - corner.begin());
      out.insert(corner[(k + 1) % 4]);
      out.insert(corner[(k + 3) % 4]);
    }
    return out;
  }
  // The vertex opposite to `from` at the four-sided crossing `at`; -1 where the mesh is not regular.
  int straight_on(int from, int at) const {
    std::set<int> candidates = neighbours(at);
    if (candidates.size() != 4) return -1;
    for (const int q : around_.at(at)) {
      const auto& corner = quads_[q].vertex;
      if (std::find(corner.begin(), corner.end(), from) == corner.end()) continue;
      for (const int v : corner) candidates.erase(v);
    }
    return candidates.size() == 1 ? *candidates.begin() : -1;
  }

 private:
  const std::vector<Quad>& quads_;
  std::map<int, std::vector<int>> around_;
};

// The closed ring through `start` that sets out towards +x.
std::vector<int> trace_ring(const QuadWalker& walker, const std::vector<Vec3>& body, int start) {
  int next = start;
  for (const int n : walker.neighbours(start)) {
    // Along the ring means sideways: the other neighbours lie above, below or behind.
    const Vec3 step = (body[n] - body[start]).normalized();
    const Vec3 best = (body[next] - body[start]).normalized();
    if (next == start || step.x() > best.x()) next = n;
  }
  std::vector<int> ring = {start, next};
  while (ring.size() < 100) {
    const int v = walker.straight_on(ring[ring.size() - 2], ring.back());
    if (v < 0 || v == start) break;
    ring.push_back(v);
  }
  return ring;
}

int ours(const Assembly& assembly, int body_vertex) {
  const int v = assembly.from_body[static_cast<std::size_t>(body_vertex)];
  MIEN_CHECK(v >= 0, "face vertex {} was cut away", body_vertex);
  return v;
}

// The mirror image of a skin vertex.
int mirrored(const std::vector<Vec3>& rest, const std::vector<int>& skin, int v) {
  const Vec3 want(-rest[v].x(), rest[v].y(), rest[v].z());
  return *std::min_element(skin.begin(), skin.end(), [&](int a, int b) {
    return (rest[a] - want).squaredNorm() < (rest[b] - want).squaredNorm();
  });
}

// Least-squares sphere through the back part of the eyeball (the white; the cornea bulges out of it).
void fit_eyeball(EyeMap& eye, const std::vector<Vec3>& rest) {
  float front = -1e9f, back = 1e9f;
  for (const int v : eye.eyeball) {
    front = std::max(front, rest[v].z());
    back = std::min(back, rest[v].z());
  }
  std::vector<int> white;
  for (const int v : eye.eyeball) {
    if (rest[v].z() < back + 0.7f * (front - back)) white.push_back(v);
  }
  Eigen::MatrixXd a(white.size(), 4);
  Eigen::VectorXd b(white.size());
  for (std::size_t i = 0; i < white.size(); ++i) {
    const Eigen::Vector3d p = rest[white[i]].cast<double>();
    a.row(static_cast<Eigen::Index>(i)) << 2 * p.x(), 2 * p.y(), 2 * p.z(), 1;
    b[static_cast<Eigen::Index>(i)] = p.squaredNorm();
  }
  const Eigen::Vector4d solution = a.colPivHouseholderQr().solve(b);
  eye.centre = solution.head<3>().cast<float>();
  eye.radius = static_cast<float>(std::sqrt(solution[3] + solution.head<3>().squaredNorm()));
  eye.profile.assign(static_cast<std::size_t>(3.2f / EyeMap::kProfileStep), eye.radius);
  for (const int v : eye.eyeball) {
    const Vec3 d = rest[v] - eye.centre;
    const auto bin =
        static_cast<std::size_t>(std::acos(std::clamp(d.z() / d.norm(), -1.0f, 1.0f)) / EyeMap::kProfileStep);
    for (std::size_t near = bin == 0 ? 0 : bin - 1; near <= bin + 1 && near < eye.profile.size(); ++near) {
      eye.profile[near] = std::max(eye.profile[near], d.norm());
    }
  }
}

}  // namespace

float EyeMap::radius_at(const Vec3& direction) const {
  const float angle = std::acos(std::clamp(direction.z() / direction.norm(), -1.0f, 1.0f)) / kProfileStep;
  const auto bin = static_cast<std::size_t>(angle);
  if (bin + 1 >= profile.size()) return profile.back();
  const float t = angle - static_cast<float>(bin);
  return (1 - t) * profile[bin] + t * profile[bin + 1];
}

FaceMap map_face(const Source& source, const Assembly& assembly, const std::vector<Vec3>& rest) {
  FaceMap map;
  const QuadWalker walker(source.group("body"));
  const std::vector<int> skin = assembly.vertices_of(HeadPart::kSkin);
  for (int r = 0; r < kMouthRings; ++r) {
    const std::vector<int> ring = trace_ring(walker, source.positions(), kMouthSeeds[r]);
    MIEN_CHECK(ring.size() == kMouthRing, "mouth ring {} has {} vertices", r, ring.size());
    for (int p = 0; p < kMouthRing; ++p) map.mouth[r][p] = ours(assembly, ring[p]);
  }
  for (int r = 0; r < kLidRings; ++r) {
    const std::vector<int> ring = trace_ring(walker, source.positions(), kLidSeeds[r]);
    MIEN_CHECK(ring.size() == kLidRing, "lid ring {} has {} vertices", r, ring.size());
    for (int p = 0; p < kLidRing; ++p) {
      map.eyes[0].rings[r][p] = ours(assembly, ring[p]);
      map.eyes[1].rings[r][p] = mirrored(rest, skin, map.eyes[0].rings[r][p]);
    }
  }
  map.eyes[0].eyeball = assembly.vertices_of(HeadPart::kEyeLeft);
  map.eyes[1].eyeball = assembly.vertices_of(HeadPart::kEyeRight);
  for (EyeMap& eye : map.eyes) fit_eyeball(eye, rest);

  const std::vector<float> body_share = source.bone_share({"jaw"});
  map.jaw_share.assign(assembly.elements.size(), 0.0f);
  for (const int v : skin) map.jaw_share[v] = body_share[assembly.elements[v].body[0]];
  const std::vector<int> lower = source.group_vertices("helper-lower-teeth");
  for (std::size_t v = 0; v < assembly.elements.size(); ++v) {
    const HeadPart part = assembly.vertex_part[v];
    const bool is_mouth = part == HeadPart::kTeethLower || part == HeadPart::kTeethUpper || part == HeadPart::kGums;
    if (is_mouth && std::binary_search(lower.begin(), lower.end(), assembly.elements[v].body[0])) {
      map.jaw_rigid.push_back(static_cast<int>(v));
      map.jaw_share[v] = 1;
    }
  }
  map.tongue = assembly.vertices_of(HeadPart::kTongue);
  for (const int v : map.tongue) map.jaw_share[v] = 1;

  map.neighbours.resize(assembly.elements.size());
  for (std::size_t f = 0; f < assembly.faces.size(); ++f) {
    if (assembly.face_part[f] != HeadPart::kSkin) continue;
    for (int k = 0; k < 3; ++k) {
      map.neighbours[assembly.faces[f][k]].push_back(assembly.faces[f][(k + 1) % 3]);
      map.neighbours[assembly.faces[f][k]].push_back(assembly.faces[f][(k + 2) % 3]);
    }
  }
  for (auto& list : map.neighbours) {
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
  }
  return map;
}

}  // namespace mien::makehuman
