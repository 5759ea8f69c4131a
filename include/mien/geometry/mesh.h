// Triangle mesh, and what is often asked of one.
#pragma once

#include <vector>

#include "mien/geometry/types.h"

namespace mien {

struct TriangleMesh {
  std::vector<Vec3> positions;  // [V], metres
  std::vector<Index3> faces;    // [F], counter-clockwise seen from outside
  std::vector<Vec2> uv;         // [U], [0,1], v up; U may differ from V because of seams; may be empty
  std::vector<Index3> face_uv;  // [F] into uv; empty when uv is

  int vertex_count() const { return static_cast<int>(positions.size()); }
  int face_count() const { return static_cast<int>(faces.size()); }
};

// Area-weighted unit vertex normals [V]; a vertex without area gets (0,0,1).
std::vector<Vec3> vertex_normals(const std::vector<Vec3>& positions, const std::vector<Index3>& faces);

}  // namespace mien
