// Where a person can be: the intersection of the silhouette cones of all views (Laurentini 1994), on a voxel grid.
#pragma once

#include <cstdint>
#include <vector>

#include "mien/gaussian_avatar/initialise.h"

namespace mien {

struct VoxelGrid {
  Vec3 origin = Vec3::Zero();  // corner of voxel (0,0,0), metres
  float size = 0.004f;         // edge of a voxel, metres
  int nx = 0, ny = 0, nz = 0;
  std::vector<std::uint8_t> depth;  // [nz, ny, nx]: 0 = outside the hull, d = d voxels inside it (at most 255)

  Vec3 centre(int x, int y, int z) const {
    return origin +
           size * Vec3(static_cast<float>(x) + 0.5f, static_cast<float>(y) + 0.5f, static_cast<float>(z) + 0.5f);
  }
};

// Carves the box [low, high] with the mattes. A voxel outside a picture's frame is not carved by that
// picture, but at least two pictures (one, if there is only one) must see it.
VoxelGrid carve_visual_hull(const Vec3& low, const Vec3& high, float voxel_size,
                            const std::vector<CanonicalView>& views);

}  // namespace mien
