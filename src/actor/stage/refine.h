// Rounder clothes and hair: the wardrobe's meshes are coarse, so each triangle becomes four on a curved surface.
#pragma once

#include <array>
#include <vector>

#include "mien/geometry/types.h"

namespace mien::stage {

// One level of refinement. Old vertices keep their places and indices; new ones, one an edge, follow.
class Refinement {
 public:
  Refinement(const std::vector<Index3>& faces, int vertex_count);

  // Four faces for each face f of before, at 4 f .. 4 f + 3: three at its corners, then the middle one.
  const std::vector<Index3>& faces() const { return faces_; }
  int vertex_count() const { return coarse_count_ + static_cast<int>(edges_.size()); }

  // `positions` holds the old vertices, posed, and is grown by the new ones. Inside the mesh a new vertex lies on the
  // cubic of its edge's normals (PN triangles, Vlachos et al. 2001), on a border on the curve through four border
  // vertices (Dyn, Levin and Gregory 1987); at sharp folds and corners it stays in the middle.
  void apply(std::vector<Vec3>& positions) const;

 private:
  struct Edge {
    int a, b;
    int before = -1, after = -1;  // on a border: the border's next vertices beyond a and b, or -1
    bool border = true;
  };
  int coarse_count_;
  std::vector<Index3> coarse_faces_, faces_;
  std::vector<Edge> edges_;
};

// What holds at the corners of a face, for the four it becomes.
template <typename Value>
std::array<std::array<Value, 3>, 4> split_corners(const std::array<Value, 3>& v) {
  const Value ab = 0.5f * (v[0] + v[1]), bc = 0.5f * (v[1] + v[2]), ca = 0.5f * (v[2] + v[0]);
  return {{{v[0], ab, ca}, {ab, v[1], bc}, {ca, bc, v[2]}, {ab, bc, ca}}};
}

}  // namespace mien::stage
