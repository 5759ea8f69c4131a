#include "mien/field/occupancy.h"

#include <algorithm>
#include <bit>

#include "field/march.h"
#include "mien/base/error.h"
#include "mien/base/parallel.h"

namespace mien {

Occupancy::Occupancy(const OccupancyOptions& options) : options_(options) {
  if (options.resolution < 1 || options.resolution > 512 || !(options.decay >= 0 && options.decay <= 1) ||
      !(options.threshold >= 0))
    throw Error(ErrorCode::kBadArgument,
                fmt::format("occupancy: resolution {}, decay {}, threshold {}", options.resolution, options.decay,
                            options.threshold),
                "give 1 to 512 cells a side, a decay from 0 to 1, and a threshold of at least 0");
  const std::int64_t r = options.resolution;
  density_.assign(r * r * r, 0);
  bits_.assign((r * r * r + 31) / 32, 0);
  const std::int64_t b = occupancy_blocks(options.resolution);
  blocks_.assign((b * b * b + 31) / 32, 0);
  const std::vector<std::uint8_t> all(density_.size(), 1);
  mark(all);
}

void Occupancy::restore(std::span<const float> density) {
  MIEN_CHECK(density.size() == density_.size(), "{} densities for {} cells", density.size(), density_.size());
  std::copy(density.begin(), density.end(), density_.begin());
  set_bits();
}

void Occupancy::mark(std::span<const std::uint8_t> marked) {
  MIEN_CHECK(marked.size() == density_.size(), "{} marks for {} cells", marked.size(), density_.size());
  for (std::int64_t w = 0; w < static_cast<std::int64_t>(bits_.size()); ++w) {
    bits_[w] = 0;
    for (std::int64_t i = 32 * w; i < std::min(cells(), 32 * w + 32); ++i)
      if (marked[i] != 0) bits_[w] |= 1u << (i % 32);
  }
  set_blocks();
}

double Occupancy::fraction() const {
  std::int64_t set = 0;
  for (const std::uint32_t word : bits_) set += std::popcount(word);
  return static_cast<double>(set) / static_cast<double>(cells());
}

void Occupancy::sample(std::int64_t count, std::uint32_t seed, std::uint32_t* cell, float* points) const {
  parallel_for(count, 4096,
               [&](std::int64_t i) { cell[i] = field::sample_cell(view(), count, i, seed, points + 3 * i); });
}

void Occupancy::update(std::int64_t count, const std::uint32_t* cell, const float* density) {
  for (float& v : density_) v *= options_.decay;
  for (std::int64_t i = 0; i < count; ++i) {
    MIEN_CHECK(cell[i] < density_.size(), "cell {} of {}", cell[i], density_.size());
    density_[cell[i]] = std::max(density_[cell[i]], density[i]);
  }
  set_bits();
}

void Occupancy::set_bits() {
  double sum = 0;
  for (const float v : density_) sum += v;
  // A little less than the mean, so that where all are equal all are occupied.
  const float least = std::min(options_.threshold, static_cast<float>(0.999 * sum / static_cast<double>(cells())));
  parallel_for(static_cast<std::int64_t>(bits_.size()), 1024, [&](std::int64_t w) {
    std::uint32_t word = 0;
    for (std::int64_t i = 32 * w; i < std::min(cells(), 32 * w + 32); ++i)
      if (density_[i] > least) word |= 1u << (i % 32);
    bits_[w] = word;
  });
  set_blocks();
}

void Occupancy::set_blocks() {
  std::fill(blocks_.begin(), blocks_.end(), 0);
  const std::int64_t r = options_.resolution, b = occupancy_blocks(options_.resolution);
  for (std::size_t w = 0; w < bits_.size(); ++w) {
    for (std::uint32_t word = bits_[w]; word != 0;) {
      const int bit = std::countr_zero(word);
      const std::int64_t cell = static_cast<std::int64_t>(32 * w) + bit, x = cell % r;
      const std::int64_t block =
          x / kOccupancyBlock + b * (cell / r % r / kOccupancyBlock + b * (cell / r / r / kOccupancyBlock));
      blocks_[block / 32] |= 1u << (block % 32);
      // The rest of the block's row of cells says nothing new.
      const std::int64_t rest = std::min(kOccupancyBlock - x % kOccupancyBlock, r - x);
      const std::int64_t next = bit + rest;
      word = next >= 32 ? 0 : word >> next << next;
    }
  }
}

}  // namespace mien
