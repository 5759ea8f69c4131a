#include "actor/stage/refine.h"

#include <map>

namespace mien::stage {
namespace {

constexpr float kSharpFold = 0.3f;    // cosine between the normals of an edge's ends: beyond it the fold is meant
constexpr float kSharpCorner = 0.6f;  // cosine between neighbouring border edges

}  // namespace

Refinement::Refinement(const std::vector<Index3>& faces, int vertex_count)
    : coarse_count_(vertex_count), coarse_faces_(faces) {
  std::map<std::pair<int, int>, int> index;
  const auto edge = [&](int a, int b) {
    const auto [at, fresh] = index.try_emplace(std::minmax(a, b), static_cast<int>(edges_.size()));
    if (fresh) {
      edges_.push_back({a, b});
    } else {
      edges_[at->second].border = false;
    }
    return coarse_count_ + at->second;
  };
  faces_.reserve(4 * faces.size());
  for (const Index3& f : faces) {
    const int ab = edge(f[0], f[1]), bc = edge(f[1], f[2]), ca = edge(f[2], f[0]);
    faces_.emplace_back(f[0], ab, ca);
    faces_.emplace_back(ab, f[1], bc);
    faces_.emplace_back(ca, bc, f[2]);
    faces_.emplace_back(ab, bc, ca);
  }
  // Borders as chains: a vertex where exactly two border edges meet has a neighbour on either side.
  std::vector<std::vector<int>> rim(coarse_count_);
  for (const Edge& e : edges_) {
    if (!e.border) continue;
    rim[e.a].push_back(e.b);
    rim[e.b].push_back(e.a);
  }
  const auto beyond = [&](int at, int from) {
    if (rim[at].size() != 2) return -1;
    return rim[at][0] == from ? rim[at][1] : rim[at][0];
  };
  for (Edge& e : edges_) {
    if (!e.border) continue;
    e.before = beyond(e.a, e.b);
    e.after = beyond(e.b, e.a);
  }
}

void Refinement::apply(std::vector<Vec3>& positions) const {
  std::vector<Vec3> normals(static_cast<std::size_t>(coarse_count_), Vec3::Zero());
  for (const Index3& f : coarse_faces_) {
    const Vec3 n = (positions[f[1]] - positions[f[0]]).cross(positions[f[2]] - positions[f[0]]);
    for (int k = 0; k < 3; ++k) normals[f[k]] += n;
  }
  for (Vec3& n : normals) n = n.squaredNorm() > 1e-30f ? Vec3(n.normalized()) : Vec3(Vec3::Zero());
  positions.resize(static_cast<std::size_t>(vertex_count()));
  for (std::size_t i = 0; i < edges_.size(); ++i) {
    const Edge& e = edges_[i];
    const Vec3 &a = positions[e.a], &b = positions[e.b];
    const Vec3 along = b - a;
    Vec3 middle = 0.5f * (a + b);
    if (!e.border) {
      const Vec3 &na = normals[e.a], &nb = normals[e.b];
      if (na.dot(nb) > kSharpFold) middle -= 0.125f * (along.dot(na) * na - along.dot(nb) * nb);
    } else if (e.before >= 0 && e.after >= 0) {
      const Vec3 in = a - positions[e.before], out = positions[e.after] - b;
      const float length = along.norm();
      if (in.dot(along) > kSharpCorner * in.norm() * length && out.dot(along) > kSharpCorner * out.norm() * length) {
        middle = 0.5625f * (a + b) - 0.0625f * (positions[e.before] + positions[e.after]);
      }
    }
    positions[static_cast<std::size_t>(coarse_count_) + i] = middle;
  }
}

}  // namespace mien::stage
