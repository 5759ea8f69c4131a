// Multi-resolution hash grid (Mueller, Evans, Schied and Keller 2022, "Instant neural graphics primitives"): learnt
// features at the corners of ever finer lattices over the unit cube, read trilinearly. Coarse lattices have an entry a
// corner; the fine ones share a table by a hash of the corner. The CPU's version; cuda.h has the GPU's.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "mien/base/random.h"

namespace mien {

struct HashGridOptions {
  int levels = 16;      // L, 1 to 32
  int features = 2;     // F a level: 1, 2, 4 or 8
  int log2_table = 18;  // entries a level: at most 2^this; 8 to 24
  int coarsest = 16;    // cells a side of level 0; from there the levels grow geometrically
  int finest = 2048;    // cells a side of the last level, up to 65536
};

struct HashGridLevel {
  int resolution;         // N: cells a side; N + 1 corners
  bool hashed;            // else corner (x, y, z) is entry x + (N + 1) (y + (N + 1) z)
  std::uint32_t entries;  // 2^log2_table where hashed
  std::int64_t first;     // entry of the table with which the level begins
};

// The table is the caller's: parameters() values, [entries, F], level after level. All functions exist for float and
// double and use all threads of the pool; results do not depend on their number.
class HashGrid {
 public:
  // Throws kBadArgument for an option out of range.
  explicit HashGrid(const HashGridOptions& options = {});

  const HashGridOptions& options() const { return options_; }
  const std::vector<HashGridLevel>& levels() const { return levels_; }
  int outputs() const { return options_.levels * options_.features; }  // L F
  std::int64_t parameters() const;                                     // F times all entries

  // Uniform in [-1e-4, 1e-4), as in the paper.
  void initialise(std::span<float> table, Random& random) const;

  // points [N,3], clamped to the unit cube -> out [N,L F], level after level; rows `out_stride` values apart (0: L F).
  template <typename T>
  void encode(const T* table, const T* points, std::int64_t count, T* out, std::int64_t out_stride = 0) const;

  // d_out as `out`. Adds to d_table [parameters()]; overwrites d_points [N,3]: zero in a direction in which the point
  // lies outside of the cube, and on lattice planes the slope of the cell that encode() reads. Either may be nullptr.
  template <typename T>
  void backward(const T* table, const T* points, const T* d_out, std::int64_t count, T* d_table, T* d_points,
                std::int64_t out_stride = 0) const;

 private:
  HashGridOptions options_;
  std::vector<HashGridLevel> levels_;
};

}  // namespace mien
