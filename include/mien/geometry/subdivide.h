// Midpoint subdivision: each triangle becomes four, the surface stays the same.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "mien/geometry/mesh.h"

namespace mien {

struct Subdivision {
  TriangleMesh mesh;                        // subdivided; the first vertices and UVs are the original ones
  int base_vertices = 0;                    // vertices of the original mesh
  std::vector<std::array<int, 2>> parents;  // vertex base_vertices + i is the mean of these two, both of lower index
  std::vector<int> face_parent;             // [F'] original face of each face

  // Carries anything that lives on vertices (positions of another frame, weights, bases) over: [base] -> [V'].
  template <typename T>
  std::vector<T> interpolate(std::span<const T> base) const {
    std::vector<T> out(base.begin(), base.end());
    out.reserve(base.size() + parents.size());
    for (const auto& [a, b] : parents) out.push_back(T((out[a] + out[b]) * 0.5f));
    return out;
  }
};

// `levels` >= 0 times. UVs are subdivided along when the mesh has them. `selected` (empty = all, else one flag a face)
// limits it to some faces; their neighbours are then split so that no T-junction remains.
Subdivision subdivide_midpoint(const TriangleMesh& mesh, int levels, const std::vector<char>& selected = {});

}  // namespace mien
