// What code on either processor needs to look into an occupancy grid. Compiles as C++17, for CUDA kernels.
#pragma once

#include <cstdint>

#if defined(__CUDACC__)
#define MIEN_BOTH __host__ __device__
#else
#define MIEN_BOTH
#endif

namespace mien {

// Cells of the unit cube, R a side. Cell (x, y, z) has number x + R (y + R z), and that bit of `bits`.
struct OccupancyView {
  const std::uint32_t* bits;  // [(R^3 + 31) / 32]
  int resolution;             // R
  // The same of blocks of 4x4x4 cells, whether any of them is occupied: rays cross empty blocks at once. May be
  // nullptr.
  const std::uint32_t* blocks = nullptr;
};
constexpr int kOccupancyBlock = 4;                       // cells a side of a block
MIEN_BOTH inline int occupancy_blocks(int resolution) {  // a side
  return (resolution + kOccupancyBlock - 1) / kOccupancyBlock;
}

// The cell's number, or -1 outside of the cube.
MIEN_BOTH inline std::int32_t occupancy_cell(int resolution, float x, float y, float z) {
  const auto r = static_cast<float>(resolution);
  if (!(x >= 0 && x < 1 && y >= 0 && y < 1 && z >= 0 && z < 1)) return -1;
  const int cx = static_cast<int>(x * r), cy = static_cast<int>(y * r), cz = static_cast<int>(z * r);
  const int last = resolution - 1;  // x * r may round up to r
  return (cx < last ? cx : last) + resolution * ((cy < last ? cy : last) + resolution * (cz < last ? cz : last));
}

MIEN_BOTH inline bool occupied(const OccupancyView& view, float x, float y, float z) {
  const std::int32_t cell = occupancy_cell(view.resolution, x, y, z);
  return cell >= 0 && ((view.bits[cell / 32] >> (cell % 32)) & 1u) != 0;
}

// Counter-based random numbers, the same on both processors: PCG's hash (Jarzynski and Olano 2020, "Hash functions for
// GPU rendering").
MIEN_BOTH inline std::uint32_t field_hash(std::uint32_t v) {
  const std::uint32_t state = v * 747796405u + 2891336453u;
  const std::uint32_t word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
  return (word >> 22u) ^ word;
}
// [0, 1)
MIEN_BOTH inline float field_uniform(std::uint32_t seed, std::uint32_t a, std::uint32_t b) {
  return static_cast<float>(field_hash(field_hash(field_hash(seed) ^ a) + b) >> 8u) * 0x1p-24f;
}

}  // namespace mien
