#include <gtest/gtest.h>

#include "mien/base/error.h"
#include "mien/base/random.h"
#include "mien/geometry/nearest.h"

namespace mien {
namespace {

// Nearest point by projecting on the plane, else on the three sides: another way than the one under test.
double brute_distance(const Eigen::Vector3d& p, const Eigen::Vector3d& a, const Eigen::Vector3d& b,
                      const Eigen::Vector3d& c) {
  const Eigen::Vector3d n = (b - a).cross(c - a).normalized();
  const Eigen::Vector3d q = p - n * n.dot(p - a);
  const auto inside = [&](const Eigen::Vector3d& u, const Eigen::Vector3d& v) {
    return (v - u).cross(q - u).dot(n) >= 0;
  };
  if (inside(a, b) && inside(b, c) && inside(c, a)) return (p - q).norm();
  const auto segment = [&](const Eigen::Vector3d& u, const Eigen::Vector3d& v) {
    const double t = std::clamp((p - u).dot(v - u) / (v - u).squaredNorm(), 0.0, 1.0);
    return (p - u - t * (v - u)).norm();
  };
  return std::min({segment(a, b), segment(b, c), segment(c, a)});
}

struct Mesh {
  std::vector<Vec3> positions;
  std::vector<Index3> faces;
};

Mesh random_mesh(int vertices, int faces, std::uint64_t seed) {
  Random random(seed);
  Mesh mesh;
  for (int i = 0; i < vertices; ++i) mesh.positions.emplace_back(random.normal(), random.normal(), random.normal());
  for (int i = 0; i < faces; ++i) {
    const int a = static_cast<int>(random.below(vertices));
    mesh.faces.emplace_back(a, (a + 1) % vertices, (a + 2) % vertices);
  }
  return mesh;
}

void expect_agrees(const NearestTriangle& tree, const Mesh& mesh, std::uint64_t seed) {
  Random random(seed);
  for (int i = 0; i < 200; ++i) {
    const Vec3 p = 2 * Vec3(random.normal(), random.normal(), random.normal());
    double best = 1e30;
    for (const Index3& f : mesh.faces) {
      best = std::min(best, brute_distance(p.cast<double>(), mesh.positions[f[0]].cast<double>(),
                                           mesh.positions[f[1]].cast<double>(), mesh.positions[f[2]].cast<double>()));
    }
    const NearestHit hit = tree.query(p);
    ASSERT_GE(hit.face, 0);
    EXPECT_NEAR(hit.distance, best, 1e-4);
    EXPECT_NEAR(hit.barycentric.sum(), 1, 1e-5);
    EXPECT_GE(hit.barycentric.minCoeff(), -1e-6f);
    const Index3& f = mesh.faces[hit.face];
    const Vec3 at = hit.barycentric[0] * mesh.positions[f[0]] + hit.barycentric[1] * mesh.positions[f[1]] +
                    hit.barycentric[2] * mesh.positions[f[2]];
    EXPECT_LT((at - hit.point).norm(), 1e-5f);
    EXPECT_NEAR((p - at).norm(), hit.distance, 1e-5);
    EXPECT_EQ(tree.query(p, static_cast<float>(best) * 0.99f).face, -1);
  }
}

TEST(NearestTriangle, AgreesWithBruteForce) {
  const Mesh mesh = random_mesh(150, 400, 1);
  expect_agrees(NearestTriangle(mesh.positions, mesh.faces), mesh, 2);
}

TEST(NearestTriangle, RefitsToMovedVertices) {
  Mesh mesh = random_mesh(80, 200, 3);
  NearestTriangle tree(mesh.positions, mesh.faces);
  const Mesh other = random_mesh(80, 200, 4);
  mesh.positions = other.positions;
  tree.refit(mesh.positions);
  expect_agrees(tree, mesh, 5);
  EXPECT_THROW(tree.refit(std::vector<Vec3>(3)), Error);
}

TEST(NearestTriangle, EmptyMeshFindsNothing) {
  const NearestTriangle tree(std::vector<Vec3>{}, std::vector<Index3>{});
  EXPECT_EQ(tree.query({0, 0, 0}).face, -1);
}

// Solves for every triangle in double.
TEST(NearestTriangle, RaysMeetWhatBruteForceMeets) {
  const Mesh mesh = random_mesh(150, 300, 6);
  const NearestTriangle tree(mesh.positions, mesh.faces);
  Random random(7);
  int met = 0;
  for (int i = 0; i < 300; ++i) {
    const Vec3 o = 3 * Vec3(random.normal(), random.normal(), random.normal());
    const Vec3 d = (0.5f * Vec3(random.normal(), random.normal(), random.normal()) - o).normalized();
    double best = 10;
    for (const Index3& f : mesh.faces) {
      Eigen::Matrix3d m;
      m.col(0) = (mesh.positions[f[1]] - mesh.positions[f[0]]).cast<double>();
      m.col(1) = (mesh.positions[f[2]] - mesh.positions[f[0]]).cast<double>();
      m.col(2) = -d.cast<double>();
      const Eigen::Vector3d x = m.fullPivLu().solve((o - mesh.positions[f[0]]).cast<double>());
      if (x[0] >= 0 && x[1] >= 0 && x[0] + x[1] <= 1 && x[2] > 0) best = std::min(best, x[2]);
    }
    const tree::RayHit hit = tree::first_hit(tree.view(), o.data(), d.data(), 10);
    EXPECT_EQ(hit.face >= 0, best < 10);
    EXPECT_NEAR(hit.t, best, 1e-4 * best);
    if (hit.face < 0) continue;
    ++met;
    Vec3 at = Vec3::Zero();
    for (int k = 0; k < 3; ++k) at += hit.weight[k] * mesh.positions[mesh.faces[hit.face][k]];
    EXPECT_LT((at - (o + hit.t * d)).norm(), 1e-4f);
    EXPECT_EQ(tree::first_hit(tree.view(), o.data(), d.data(), 0.99f * hit.t).face, -1);
  }
  EXPECT_GT(met, 100);
}

// A guess shortens the search and changes nothing.
TEST(NearestTriangle, AnyGuessFindsTheSameDistance) {
  const Mesh mesh = random_mesh(150, 300, 8);
  const NearestTriangle tree(mesh.positions, mesh.faces);
  Random random(9);
  for (int i = 0; i < 200; ++i) {
    const Vec3 p(random.normal(), random.normal(), random.normal());
    const tree::Hit free = tree::nearest(tree.view(), p.data(), 100);
    const tree::Hit guessed = tree::nearest(tree.view(), p.data(), 100, static_cast<int>(random.below(300)));
    EXPECT_EQ(free.distance2, guessed.distance2);
  }
}

}  // namespace
}  // namespace mien
