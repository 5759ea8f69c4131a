// The triangle of a mesh nearest to a point, through a bounding volume hierarchy.
#pragma once

#include <limits>
#include <span>
#include <vector>

#include "mien/geometry/triangle_tree.h"
#include "mien/geometry/types.h"

namespace mien {

struct NearestHit {
  int face = -1;                                            // -1: nothing within the distance asked for
  Vec3 barycentric = Vec3::Zero();                          // of the nearest point, sums to 1
  Vec3 point = Vec3::Zero();                                // on the surface, metres
  float distance = std::numeric_limits<float>::infinity();  // metres, unsigned
};

// Point of triangle abc nearest to p, as barycentric weights (Ericson, Real-Time Collision Detection, 5.1.5).
Vec3 nearest_barycentric(const Vec3& p, const Vec3& a, const Vec3& b, const Vec3& c);

// Keeps copies of positions and faces. query() may be called from several threads at once.
class NearestTriangle {
 public:
  NearestTriangle(std::span<const Vec3> positions, std::span<const Index3> faces);
  // New positions, same faces: boxes are recomputed, the tree keeps its shape. Throws kBadArgument on a count mismatch.
  void refit(std::span<const Vec3> positions);
  // At equal distance any of the nearest faces may be named.
  NearestHit query(const Vec3& point, float max_distance = std::numeric_limits<float>::infinity()) const;
  // The tree as plain data, for inner loops and other back ends; valid while the object lives and is not moved.
  tree::View view() const;
  const std::vector<tree::Node>& nodes() const { return nodes_; }
  const std::vector<int>& order() const { return order_; }

 private:
  int build(int first, int count, std::vector<Vec3>& centroids);
  void fit_boxes();
  std::vector<Vec3> positions_;
  std::vector<Index3> faces_;
  std::vector<int> order_;
  std::vector<tree::Node> nodes_;
};

}  // namespace mien
