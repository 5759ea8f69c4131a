// From projected Gaussians to one list a tile, near to far: a radix sort by depth, then a stable distribution over
// tiles.
#pragma once

#include <cstdint>
#include <vector>

#include "splat/kernels.h"

namespace mien::splat {

// Reusable scratch; grows, never shrinks. All OpenMP threads; the result does not depend on their number.
class TileLists {
 public:
  // items: visible Gaussians in index order (overwritten); ranges[id]: the tiles each may touch. Ties in depth keep the
  // index order.
  void build(std::vector<SortItem>& items, std::size_t count, const TileRange* ranges, int tiles_x, int tiles_y);

  int tile_count() const { return tile_count_; }
  std::size_t begin(int tile) const { return offsets_[tile]; }
  int size(int tile) const { return static_cast<int>(offsets_[tile + 1] - offsets_[tile]); }
  const std::uint32_t* entries(int tile) const { return entries_.data() + offsets_[tile]; }
  std::size_t entry_count() const { return offsets_.empty() ? 0 : offsets_.back(); }

 private:
  void sort(std::vector<SortItem>& items, std::size_t count);

  int tile_count_ = 0;
  std::vector<SortItem> other_;
  std::vector<std::uint32_t> histogram_;  // [threads][bins] or [threads][tiles]
  std::vector<std::uint32_t> offsets_;    // [tiles + 1]
  std::vector<std::uint32_t> entries_;
};

}  // namespace mien::splat
