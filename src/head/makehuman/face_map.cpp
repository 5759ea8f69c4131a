#include "head/makehuman/face_map.h"

#include <Eigen/Dense>
#include <algorithm>

#include "head/makehuman/rings.h"
#include "mien/base/error.h"

namespace mien::makehuman {
namespace {

int ours(const Assembly& assembly, int body_vertex) {
  const int v = assembly.from_body[static_cast<std::size_t>(body_vertex)];
  MIEN_CHECK(v >= 0, "face vertex {} was cut away", body_vertex);
  return v;
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

void find_neighbours(const Assembly& assembly, FaceMap& map) {
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
}

void find_lip_depth(FaceMap& map) {
  map.lip_depth.assign(map.neighbours.size(), 1.0f);
  std::vector<bool> wall(map.neighbours.size(), false);
  for (const int v : map.mouth[1]) wall[v] = true;
  std::vector<int> queue(map.mouth[0].begin(), map.mouth[0].end());
  for (const int v : queue) wall[v] = true;
  while (!queue.empty()) {
    const int v = queue.back();
    queue.pop_back();
    map.lip_depth[v] = 0;
    for (const int n : map.neighbours[v]) {
      if (!wall[n]) {
        wall[n] = true;
        queue.push_back(n);
      }
    }
  }
  for (int r = 0; r < kMouthContact; ++r) {
    for (const int v : map.mouth[r]) map.lip_depth[v] = static_cast<float>(r + 1) / (kMouthContact + 1);
  }
}

// How far each vertex goes along with the jaw. MakeHuman's bone weights leave the lips to bones of their own; here the
// share runs smoothly from the still upper lip round the corner to the lower lip, and the chin is bone.
void share_jaw(const Source& source, const Assembly& assembly, const std::vector<int>& skin, FaceMap& map) {
  constexpr std::array<float, 20> kLipShare = {0,     0,     0,     0,     0,     0.01f, 0.02f, 0.04f, 0.08f, 0.13f,
                                               0.20f, 0.29f, 0.40f, 0.52f, 0.65f, 0.78f, 0.88f, 0.95f, 0.99f, 1.0f};
  constexpr float kBone = 0.82f;                // bone weight from which skin counts as all jaw
  constexpr int kFirstHeld = 1, kLastHeld = 7;  // rings
  constexpr int kRounds = 12;
  const std::vector<float> bone = source.bone_share({"jaw"});
  for (const int v : skin) map.jaw_share[v] = std::min(1.0f, bone[assembly.elements[v].body[0]] / kBone);
  std::vector<bool> held(map.jaw_share.size(), false);
  for (int r = kFirstHeld; r <= kLastHeld; ++r) {
    for (int p = 0; p < kMouthRing; ++p) {
      map.jaw_share[map.mouth[r][p]] = kLipShare[static_cast<std::size_t>(std::min(p, kMouthRing - p))];
      held[map.mouth[r][p]] = true;
    }
  }
  for (int round = 0; round < kRounds; ++round) {
    const std::vector<float> before = map.jaw_share;
    for (const int v : skin) {
      if (held[v] || map.neighbours[v].empty()) continue;
      float mean = 0;
      for (const int n : map.neighbours[v]) mean += before[n];
      map.jaw_share[v] = 0.5f * before[v] + 0.5f * mean / static_cast<float>(map.neighbours[v].size());
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
  map.from_body = assembly.from_body;
  const std::vector<int> skin = assembly.vertices_of(HeadPart::kSkin);
  const FaceRings rings = trace_face_rings(source);
  for (int r = 0; r < kMouthRings; ++r) {
    for (int p = 0; p < kMouthRing; ++p) map.mouth[r][p] = ours(assembly, rings.mouth[r][p]);
  }
  for (int side = 0; side < 2; ++side) {
    for (int r = 0; r < kLidRings; ++r) {
      for (int p = 0; p < kLidRing; ++p) map.eyes[side].rings[r][p] = ours(assembly, rings.lids[side][r][p]);
    }
  }
  map.eyes[0].eyeball = assembly.vertices_of(HeadPart::kEyeLeft);
  map.eyes[1].eyeball = assembly.vertices_of(HeadPart::kEyeRight);
  for (EyeMap& eye : map.eyes) fit_eyeball(eye, rest);

  map.jaw_share.assign(assembly.elements.size(), 0.0f);
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

  find_neighbours(assembly, map);
  find_lip_depth(map);
  share_jaw(source, assembly, skin, map);
  return map;
}

}  // namespace mien::makehuman
