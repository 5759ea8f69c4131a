#include "mien/geometry/subdivide.h"

#include <unordered_map>

#include "mien/base/error.h"

namespace mien {
namespace {

std::uint64_t edge_key(int a, int b) {
  return (static_cast<std::uint64_t>(std::min(a, b)) << 32) | static_cast<std::uint32_t>(std::max(a, b));
}

// One level over any index list (vertices or UVs). `splits` names the vertex edges to cut.
struct Refiner {
  std::unordered_map<std::uint64_t, int> middle;
  std::vector<std::array<int, 2>> parents;
  int next;

  int point(int a, int b) {
    const auto [found, fresh] = middle.try_emplace(edge_key(a, b), next);
    if (fresh) {
      parents.push_back({a, b});
      ++next;
    }
    return found->second;
  }
};

// Triangles of a face whose edges k (from corner k to k+1) are cut where `cut[k]`; corners 0..2, middles 3..5.
void split_face(const std::array<bool, 3>& cut, std::vector<std::array<int, 3>>& out) {
  out.clear();
  const int cuts = cut[0] + cut[1] + cut[2];
  if (cuts == 0) out = {{0, 1, 2}};
  if (cuts == 3) out = {{0, 3, 5}, {3, 1, 4}, {5, 4, 2}, {3, 4, 5}};
  for (int k = 0; k < 3 && (cuts == 1 || cuts == 2); ++k) {
    const int a = k, b = (k + 1) % 3, c = (k + 2) % 3;
    if (cuts == 1 && cut[k]) {
      out = {{a, 3 + k, c}, {3 + k, b, c}};
    } else if (cuts == 2 && !cut[k]) {  // edges b and c are cut
      out = {{a, b, 3 + b}, {a, 3 + b, 3 + c}, {3 + c, 3 + b, c}};
    }
  }
}

void refine_once(Subdivision& s, std::vector<char>& selected) {
  std::unordered_map<std::uint64_t, char> cut_edges;
  for (std::size_t f = 0; f < s.mesh.faces.size(); ++f) {
    if (selected[f] == 0) continue;
    for (int k = 0; k < 3; ++k) cut_edges[edge_key(s.mesh.faces[f][k], s.mesh.faces[f][(k + 1) % 3])] = 1;
  }
  const bool with_uv = !s.mesh.face_uv.empty();
  Refiner vertices{{}, {}, s.mesh.vertex_count()};
  Refiner uvs{{}, {}, static_cast<int>(s.mesh.uv.size())};
  std::vector<Index3> faces, face_uv;
  std::vector<int> face_parent;
  std::vector<char> next_selected;
  std::vector<std::array<int, 3>> pieces;
  for (std::size_t f = 0; f < s.mesh.faces.size(); ++f) {
    const Index3& face = s.mesh.faces[f];
    std::array<int, 6> v = {face[0], face[1], face[2], -1, -1, -1};
    std::array<int, 6> t = {-1, -1, -1, -1, -1, -1};
    std::array<bool, 3> cut{};
    for (int k = 0; k < 3; ++k) {
      cut[k] = cut_edges.count(edge_key(face[k], face[(k + 1) % 3])) != 0;
      if (cut[k]) v[3 + k] = vertices.point(face[k], face[(k + 1) % 3]);
      if (with_uv) {
        t[k] = s.mesh.face_uv[f][k];
        if (cut[k]) t[3 + k] = uvs.point(s.mesh.face_uv[f][k], s.mesh.face_uv[f][(k + 1) % 3]);
      }
    }
    split_face(cut, pieces);
    for (const auto& p : pieces) {
      faces.emplace_back(v[p[0]], v[p[1]], v[p[2]]);
      if (with_uv) face_uv.emplace_back(t[p[0]], t[p[1]], t[p[2]]);
      face_parent.push_back(s.face_parent[f]);
      next_selected.push_back(selected[f]);
    }
  }
  for (const auto& [a, b] : vertices.parents) {
    s.mesh.positions.emplace_back(0.5f * (s.mesh.positions[a] + s.mesh.positions[b]));
  }
  for (const auto& [a, b] : uvs.parents) s.mesh.uv.emplace_back(0.5f * (s.mesh.uv[a] + s.mesh.uv[b]));
  s.parents.insert(s.parents.end(), vertices.parents.begin(), vertices.parents.end());
  s.mesh.faces = std::move(faces);
  s.mesh.face_uv = std::move(face_uv);
  s.face_parent = std::move(face_parent);
  selected = std::move(next_selected);
}

}  // namespace

Subdivision subdivide_midpoint(const TriangleMesh& mesh, int levels, const std::vector<char>& selected) {
  if (levels < 0 || levels > 8 || (!selected.empty() && selected.size() != mesh.faces.size())) {
    throw Error(
        ErrorCode::kBadArgument,
        fmt::format("subdivision: {} levels, {} flags for {} faces", levels, selected.size(), mesh.faces.size()),
        "levels go from 0 to 8; flags are one a face, or none");
  }
  Subdivision s;
  s.mesh = mesh;
  s.base_vertices = mesh.vertex_count();
  s.face_parent.resize(mesh.faces.size());
  for (std::size_t f = 0; f < mesh.faces.size(); ++f) s.face_parent[f] = static_cast<int>(f);
  std::vector<char> flags = selected.empty() ? std::vector<char>(mesh.faces.size(), 1) : selected;
  for (int level = 0; level < levels; ++level) refine_once(s, flags);
  return s;
}

}  // namespace mien
