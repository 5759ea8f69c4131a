#include <gtest/gtest.h>

#include <map>

#include "mien/base/error.h"
#include "mien/geometry/nearest.h"
#include "mien/geometry/subdivide.h"

namespace mien {
namespace {

// An octahedron with a UV seam: every face has UVs of its own.
TriangleMesh octahedron() {
  TriangleMesh mesh;
  mesh.positions = {{1, 0, 0}, {-1, 0, 0}, {0, 1, 0}, {0, -1, 0}, {0, 0, 1}, {0, 0, -1}};
  mesh.faces = {{0, 2, 4}, {2, 1, 4}, {1, 3, 4}, {3, 0, 4}, {2, 0, 5}, {1, 2, 5}, {3, 1, 5}, {0, 3, 5}};
  for (int f = 0; f < 8; ++f) {
    const auto x = static_cast<float>(f);
    mesh.uv.insert(mesh.uv.end(), {{x, 0}, {x + 1, 0}, {x, 1}});
    mesh.face_uv.emplace_back(3 * f, 3 * f + 1, 3 * f + 2);
  }
  return mesh;
}

double area(const TriangleMesh& mesh) {
  double sum = 0;
  for (const Index3& f : mesh.faces) {
    sum +=
        0.5 * (mesh.positions[f[1]] - mesh.positions[f[0]]).cross(mesh.positions[f[2]] - mesh.positions[f[0]]).norm();
  }
  return sum;
}

// Every edge is shared by exactly two faces, once in each direction: closed and without T-junctions.
void expect_closed(const TriangleMesh& mesh) {
  std::map<std::pair<int, int>, int> edges;
  for (const Index3& f : mesh.faces) {
    for (int k = 0; k < 3; ++k) ++edges[{f[k], f[(k + 1) % 3]}];
  }
  for (const auto& [edge, count] : edges) {
    EXPECT_EQ(count, 1);
    EXPECT_EQ((edges.count({edge.second, edge.first})), 1u) << edge.first << " " << edge.second;
  }
}

TEST(Subdivide, KeepsSurfaceAndTopology) {
  const TriangleMesh base = octahedron();
  const Subdivision s = subdivide_midpoint(base, 2);
  EXPECT_EQ(s.mesh.face_count(), 8 * 16);
  EXPECT_EQ(s.mesh.vertex_count(), 6 + 12 + 48);  // V + E at each level
  expect_closed(s.mesh);
  EXPECT_NEAR(area(s.mesh), area(base), 1e-4);
  const NearestTriangle tree(base.positions, base.faces);
  for (const Vec3& p : s.mesh.positions) EXPECT_LT(tree.query(p).distance, 1e-5f);
  for (int f = 0; f < s.mesh.face_count(); ++f) {  // UVs stay in the triangle of the parent face
    for (int k = 0; k < 3; ++k) {
      const Vec2 uv = s.mesh.uv[s.mesh.face_uv[f][k]];
      EXPECT_GE(uv.x(), static_cast<float>(s.face_parent[f]));
      EXPECT_LE(uv.x() + uv.y(), static_cast<float>(s.face_parent[f]) + 1.00001f);
    }
  }
}

TEST(Subdivide, InterpolatesAttributesLikePositions) {
  const TriangleMesh base = octahedron();
  const Subdivision s = subdivide_midpoint(base, 2);
  const std::vector<Vec3> again = s.interpolate(std::span<const Vec3>(base.positions));
  ASSERT_EQ(again.size(), s.mesh.positions.size());
  for (std::size_t i = 0; i < again.size(); ++i) EXPECT_LT((again[i] - s.mesh.positions[i]).norm(), 1e-6f);
}

TEST(Subdivide, SelectedFacesLeaveNoTJunction) {
  const TriangleMesh base = octahedron();
  for (int mask = 1; mask < 256; mask += 13) {
    std::vector<char> selected(8);
    for (int f = 0; f < 8; ++f) selected[f] = static_cast<char>((mask >> f) & 1);
    const Subdivision s = subdivide_midpoint(base, 1, selected);
    expect_closed(s.mesh);
    EXPECT_NEAR(area(s.mesh), area(base), 1e-4);
  }
}

TEST(Subdivide, RefusesBadArguments) {
  EXPECT_THROW(subdivide_midpoint(octahedron(), -1), Error);
  EXPECT_THROW(subdivide_midpoint(octahedron(), 1, std::vector<char>(3)), Error);
}

}  // namespace
}  // namespace mien
