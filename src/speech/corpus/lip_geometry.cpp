#include "speech/corpus/lip_geometry.h"

#include <algorithm>
#include <cmath>

#include "mien/head/measures.h"

namespace mien {

LipGeometry lip_geometry(const HeadModel& model, std::vector<int>* indices) {
  const auto thin = [](const std::vector<int>& all, std::size_t most) {
    std::vector<int> some;
    for (std::size_t i = 0; i < std::min(most, all.size()); ++i)
      some.push_back(all[i * all.size() / std::min(most, all.size())]);
    return some;
  };
  std::vector<int> vertices = thin(lip_vertices(model), 120);
  LipGeometry lips;
  lips.lip_vertices = static_cast<int>(vertices.size());
  const std::vector<int> lids = thin(lid_vertices(model), 60);
  vertices.insert(vertices.end(), lids.begin(), lids.end());
  lips.vertices = static_cast<int>(vertices.size());
  if (indices != nullptr) *indices = vertices;
  const std::size_t total = model.mesh.positions.size();
  const auto& contour = model.contours.lips;
  const std::size_t first = contour.size() / 4;
  const std::size_t last = contour.size() - contour.size() / 4;
  for (int e = 0; e < model.expression_count(); ++e) {
    const Vec3* shift = model.expression.data() + static_cast<std::size_t>(e) * total;
    for (const int v : vertices) lips.basis.insert(lips.basis.end(), {shift[v].x(), shift[v].y(), shift[v].z()});
    for (std::size_t i = first; i < last; ++i)
      lips.gap_basis.push_back(shift[contour[i][0]].y() - shift[contour[i][1]].y());
  }
  for (std::size_t i = first; i < last; ++i) {
    lips.gap_rest.push_back(model.mesh.positions[contour[i][0]].y() - model.mesh.positions[contour[i][1]].y());
  }
  lips.gaps = static_cast<int>(lips.gap_rest.size());
  // The lower lip against the tooth edge straight above it (the upper teeth do not move with the expression).
  const std::vector<int>& teeth = model.contours.upper_teeth;
  for (std::size_t i = first; i < last && !teeth.empty(); ++i) {
    const Vec3& lip = model.mesh.positions[contour[i][1]];
    const int tooth = *std::min_element(teeth.begin(), teeth.end(), [&](int a, int b) {
      return std::abs(model.mesh.positions[a].x() - lip.x()) < std::abs(model.mesh.positions[b].x() - lip.x());
    });
    const Vec3 between = lip - model.mesh.positions[tooth];
    lips.bite_rest.insert(lips.bite_rest.end(), {between.x(), between.y(), between.z()});
    ++lips.bites;
  }
  for (int e = 0; e < model.expression_count() && lips.bites > 0; ++e) {
    const Vec3* shift = model.expression.data() + static_cast<std::size_t>(e) * total;
    for (std::size_t i = first; i < last; ++i) {
      const Vec3& s = shift[contour[i][1]];
      lips.bite_basis.insert(lips.bite_basis.end(), {s.x(), s.y(), s.z()});
    }
  }
  return lips;
}

}  // namespace mien
