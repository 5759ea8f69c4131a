// Seeded noise in three dimensions, for skin detail. Value noise and cell noise on an integer lattice.
#pragma once

#include <cmath>
#include <cstdint>

#include "mien/geometry/types.h"

namespace mien::stage {

inline std::uint32_t hash3(int x, int y, int z, std::uint32_t seed) {
  std::uint32_t h = seed * 0x9e3779b9u ^ static_cast<std::uint32_t>(x) * 0x85ebca6bu;
  h = (h ^ (h >> 15)) + static_cast<std::uint32_t>(y) * 0xc2b2ae35u;
  h = (h ^ (h >> 13)) * 0x27d4eb2fu + static_cast<std::uint32_t>(z) * 0x165667b1u;
  h = (h ^ (h >> 16)) * 0x85ebca6bu;
  return h ^ (h >> 13);
}
inline float hash_unit(std::uint32_t h) {
  return static_cast<float>(h >> 8) * 0x1p-24f;
}

// [0,1], one feature a unit of `p`.
inline float value_noise(const Vec3& p, std::uint32_t seed) {
  const Vec3 base(std::floor(p.x()), std::floor(p.y()), std::floor(p.z()));
  Vec3 t = p - base;
  t = t.cwiseProduct(t).cwiseProduct(Vec3::Constant(3) - 2 * t);
  const int x = static_cast<int>(base.x()), y = static_cast<int>(base.y()), z = static_cast<int>(base.z());
  float sum = 0;
  for (int k = 0; k < 8; ++k) {
    const int i = k & 1, j = (k >> 1) & 1, l = k >> 2;
    const float w = (i != 0 ? t.x() : 1 - t.x()) * (j != 0 ? t.y() : 1 - t.y()) * (l != 0 ? t.z() : 1 - t.z());
    sum += w * hash_unit(hash3(x + i, y + j, z + l, seed));
  }
  return sum;
}

// Several octaves, about [0,1], mean 0.5.
inline float fractal_noise(const Vec3& p, int octaves, std::uint32_t seed) {
  float sum = 0, weight = 0.5f, total = 0, scale = 1;
  for (int i = 0; i < octaves; ++i, weight *= 0.5f, scale *= 2.03f) {
    sum += weight * value_noise(p * scale, seed + static_cast<std::uint32_t>(i));
    total += weight;
  }
  return sum / total;
}

struct Cell {
  float distance;      // to the nearest seed point, in cells
  float second;        // to the next nearest
  std::uint32_t hash;  // of the nearest, for further choices
};

inline Cell cell_noise(const Vec3& p, std::uint32_t seed) {
  const int x = static_cast<int>(std::floor(p.x()));
  const int y = static_cast<int>(std::floor(p.y()));
  const int z = static_cast<int>(std::floor(p.z()));
  Cell best{9, 9, 0};
  for (int k = 0; k < 27; ++k) {
    const int cx = x + k % 3 - 1, cy = y + k / 3 % 3 - 1, cz = z + k / 9 - 1;
    const std::uint32_t h = hash3(cx, cy, cz, seed);
    const Vec3 point(static_cast<float>(cx) + hash_unit(h), static_cast<float>(cy) + hash_unit(h * 0x9e3779b1u),
                     static_cast<float>(cz) + hash_unit(h * 0x85ebca77u));
    const float d = (p - point).squaredNorm();
    if (d < best.distance) {
      best.second = best.distance;
      best.distance = d;
      best.hash = h;
    } else if (d < best.second) {
      best.second = d;
    }
  }
  best.distance = std::sqrt(best.distance);
  best.second = std::sqrt(best.second);
  return best;
}

}  // namespace mien::stage
