#include "mien/geometry/mesh.h"

namespace mien {

std::vector<Vec3> vertex_normals(const std::vector<Vec3>& positions, const std::vector<Index3>& faces) {
  std::vector<Vec3> normals(positions.size(), Vec3::Zero());
  for (const Index3& f : faces) {
    const Vec3 n = (positions[f[1]] - positions[f[0]]).cross(positions[f[2]] - positions[f[0]]);  // twice the area
    for (int k = 0; k < 3; ++k) normals[f[k]] += n;
  }
  for (Vec3& n : normals) {
    const float length = n.norm();
    n = length > 1e-20f ? Vec3(n / length) : Vec3(0, 0, 1);
  }
  return normals;
}

}  // namespace mien
