// Where a hash grid's levels lie in its table, and which entries a point reads: the same on both processors. Compiles
// as C++17, for CUDA kernels.
#pragma once

#include <cstdint>

#include "mien/field/occupancy_view.h"

namespace mien::field {

// The entry of corner (x, y, z) within its level.
MIEN_BOTH inline std::uint32_t corner_entry(int resolution, bool hashed, std::uint32_t entries, std::uint32_t x,
                                            std::uint32_t y, std::uint32_t z) {
  // Primes of the paper; the first coordinate stays as it is, so that neighbours in x lie together.
  if (hashed) return (x ^ (y * 2654435761u) ^ (z * 805459861u)) & (entries - 1);
  const std::uint32_t side = static_cast<std::uint32_t>(resolution) + 1;
  return x + side * (y + side * z);
}

template <typename T>
MIEN_BOTH inline T into_cube(T x) {
  return x > 0 ? (x < 1 ? x : T(1)) : T(0);  // what is not a number becomes 0
}

// The cell along one axis, and the place in it, from 0 to 1.
template <typename T>
MIEN_BOTH inline std::uint32_t cell_of(int resolution, T x, T* place) {
  const T at = into_cube(x) * static_cast<T>(resolution);
  int cell = static_cast<int>(at);
  if (cell > resolution - 1) cell = resolution - 1;
  *place = at - static_cast<T>(cell);
  return static_cast<std::uint32_t>(cell);
}

}  // namespace mien::field
