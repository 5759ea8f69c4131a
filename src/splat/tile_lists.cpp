#include "splat/tile_lists.h"

#include <omp.h>

#include <algorithm>

namespace mien::splat {
namespace {

constexpr int kDigitBits = 11;
constexpr std::size_t kBins = std::size_t{1} << kDigitBits;

struct Span {
  std::size_t begin, end;
};
Span share(std::size_t count, int thread, int threads) {
  return {count * thread / threads, count * (thread + 1) / threads};
}

// Turns counts [threads][bins] into the place where each thread starts to write in each bin: bins in order, threads in
// order within a bin, which keeps the sort stable. Returns the total; `starts`, if given, receives each bin's start.
std::uint32_t prefix_sum(std::uint32_t* counts, int threads, std::size_t bins, std::uint32_t* starts) {
  std::uint32_t total = 0;
  for (std::size_t bin = 0; bin < bins; ++bin) {
    if (starts != nullptr) starts[bin] = total;
    for (int t = 0; t < threads; ++t) {
      const std::uint32_t n = counts[t * bins + bin];
      counts[t * bins + bin] = total;
      total += n;
    }
  }
  return total;
}

}  // namespace

// Keys are taken relative to the nearest one: a head's depths then need two digits, not three.
void TileLists::sort(std::vector<SortItem>& items, std::size_t count) {
  if (count < 2) return;
  std::uint32_t low = items[0].key, high = low;
  for (std::size_t i = 1; i < count; ++i) {
    low = std::min(low, items[i].key);
    high = std::max(high, items[i].key);
  }
  if (other_.size() < items.size()) other_.resize(items.size());
  const std::size_t max_threads = omp_get_max_threads();
  if (histogram_.size() < max_threads * kBins) histogram_.resize(max_threads * kBins);
  SortItem *from = items.data(), *to = other_.data();
  int passes = 0;
  while (passes * kDigitBits < 32 && ((high - low) >> (passes * kDigitBits)) != 0) ++passes;
#pragma omp parallel
  {
    const int thread = omp_get_thread_num(), threads = omp_get_num_threads();
    const Span part = share(count, thread, threads);
    std::uint32_t* mine = histogram_.data() + thread * kBins;
    SortItem *source = from, *target = to;
    for (int pass = 0; pass < passes; ++pass) {
      const int shift = pass * kDigitBits;
      std::fill_n(mine, kBins, 0u);
      for (std::size_t i = part.begin; i < part.end; ++i) ++mine[((source[i].key - low) >> shift) & (kBins - 1)];
#pragma omp barrier
#pragma omp single
      prefix_sum(histogram_.data(), threads, kBins, nullptr);
      for (std::size_t i = part.begin; i < part.end; ++i)
        target[mine[((source[i].key - low) >> shift) & (kBins - 1)]++] = source[i];
#pragma omp barrier
      std::swap(source, target);
    }
  }
  if (passes % 2 == 1) items.swap(other_);
}

void TileLists::build(std::vector<SortItem>& items, std::size_t count, const TileRange* ranges, int tiles_x,
                      int tiles_y) {
  sort(items, count);
  const std::size_t tiles = static_cast<std::size_t>(tiles_x) * tiles_y;
  tile_count_ = static_cast<int>(tiles);
  offsets_.assign(tiles + 1, 0);
  const std::size_t max_threads = omp_get_max_threads();
  if (histogram_.size() < max_threads * tiles) histogram_.resize(max_threads * tiles);
#pragma omp parallel
  {
    const int thread = omp_get_thread_num(), threads = omp_get_num_threads();
    const Span part = share(count, thread, threads);
    std::uint32_t* mine = histogram_.data() + thread * tiles;
    std::fill_n(mine, tiles, 0u);
    auto each_tile = [&](auto&& visit) {
      for (std::size_t i = part.begin; i < part.end; ++i) {
        const std::uint32_t id = items[i].id;
        const TileRange r = ranges[id];
        for (int y = r.y0; y < r.y1; ++y)
          for (int x = r.x0; x < r.x1; ++x) visit(mine[static_cast<std::size_t>(y) * tiles_x + x], id);
      }
    };
    each_tile([](std::uint32_t& n, std::uint32_t) { ++n; });
#pragma omp barrier
#pragma omp single
    {
      offsets_[tiles] = prefix_sum(histogram_.data(), threads, tiles, offsets_.data());
      if (entries_.size() < offsets_[tiles]) entries_.resize(offsets_[tiles] + offsets_[tiles] / 4);
    }
    each_tile([this](std::uint32_t& place, std::uint32_t id) { entries_[place++] = id; });
  }
}

}  // namespace mien::splat
