#include "visual_hull.h"

#include <algorithm>
#include <cmath>

#include "mien/base/parallel.h"

namespace mien {
namespace {

enum class Sight { kInside, kOutside, kUnseen };

Sight look(const Vec3& point, const CanonicalView& view) {
  const Vec3 p = view.camera.to_camera(point);
  if (p.z() <= 0.01f) return Sight::kUnseen;
  const int x = static_cast<int>(std::floor(view.camera.fx * p.x() / p.z() + view.camera.cx));
  const int y = static_cast<int>(std::floor(view.camera.fy * p.y() / p.z() + view.camera.cy));
  if (x < 0 || y < 0 || x >= view.matte.width || y >= view.matte.height) return Sight::kUnseen;
  // Hair is thin: half-covered pixels still belong to the person.
  return *view.matte.at(x, y) > 0.3f ? Sight::kInside : Sight::kOutside;
}

// City-block distance to the outside, in voxels, by two sweeps.
void measure_depth(VoxelGrid& grid) {
  const auto at = [&](int x, int y, int z) -> std::uint8_t& {
    return grid.depth[(static_cast<std::size_t>(z) * grid.ny + y) * grid.nx + x];
  };
  const auto relax = [&](int x, int y, int z, int step) {
    std::uint8_t& here = at(x, y, z);
    if (here == 0) return;
    int best = here;
    // The grid's border counts as inside: bodies go on below the picture.
    if (x - step >= 0 && x - step < grid.nx) best = std::min<int>(best, at(x - step, y, z) + 1);
    if (y - step >= 0 && y - step < grid.ny) best = std::min<int>(best, at(x, y - step, z) + 1);
    if (z - step >= 0 && z - step < grid.nz) best = std::min<int>(best, at(x, y, z - step) + 1);
    here = static_cast<std::uint8_t>(std::min(best, 255));
  };
  for (int z = 0; z < grid.nz; ++z)
    for (int y = 0; y < grid.ny; ++y)
      for (int x = 0; x < grid.nx; ++x) relax(x, y, z, 1);
  for (int z = grid.nz - 1; z >= 0; --z)
    for (int y = grid.ny - 1; y >= 0; --y)
      for (int x = grid.nx - 1; x >= 0; --x) relax(x, y, z, -1);
}

}  // namespace

VoxelGrid carve_visual_hull(const Vec3& low, const Vec3& high, float voxel_size,
                            const std::vector<CanonicalView>& views) {
  VoxelGrid grid;
  grid.origin = low;
  grid.size = voxel_size;
  grid.nx = std::max(1, static_cast<int>(std::ceil((high.x() - low.x()) / voxel_size)));
  grid.ny = std::max(1, static_cast<int>(std::ceil((high.y() - low.y()) / voxel_size)));
  grid.nz = std::max(1, static_cast<int>(std::ceil((high.z() - low.z()) / voxel_size)));
  grid.depth.assign(static_cast<std::size_t>(grid.nx) * grid.ny * grid.nz, 0);
  parallel_for(grid.nz, 1, [&](std::int64_t z) {
    for (int y = 0; y < grid.ny; ++y) {
      for (int x = 0; x < grid.nx; ++x) {
        const Vec3 centre = grid.centre(x, y, static_cast<int>(z));
        int seen = 0;
        bool inside = true;
        for (std::size_t i = 0; i < views.size() && inside; ++i) {
          const Sight sight = look(centre, views[i]);
          seen += sight == Sight::kInside ? 1 : 0;
          inside = sight != Sight::kOutside;
        }
        inside = inside && seen >= std::min<int>(2, static_cast<int>(views.size()));
        grid.depth[(static_cast<std::size_t>(z) * grid.ny + y) * grid.nx + x] = inside ? 255 : 0;
      }
    }
  });
  measure_depth(grid);
  return grid;
}

}  // namespace mien
