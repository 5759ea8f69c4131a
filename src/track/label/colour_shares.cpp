#include "track/label/colour_shares.h"

#include <algorithm>
#include <array>

namespace mien::track {
namespace {

// The eight cells around a colour, and each one's part of it.
struct Corners {
  std::array<std::size_t, 8> cell;
  std::array<float, 8> part;
};

Corners corners(const std::uint8_t* rgb, int cells) {
  std::array<int, 3> low{};
  std::array<float, 3> rest{};
  for (std::size_t c = 0; c < 3; ++c) {
    const float place = static_cast<float>(rgb[c]) / 255.0f * static_cast<float>(cells - 1);
    low[c] = std::min(static_cast<int>(place), cells - 2);
    rest[c] = place - static_cast<float>(low[c]);
  }
  Corners out{};
  for (unsigned k = 0; k < 8; ++k) {
    std::size_t cell = 0;
    float part = 1;
    for (std::size_t c = 0; c < 3; ++c) {
      const bool high = ((k >> c) & 1u) != 0;
      cell = cell * static_cast<std::size_t>(cells) + static_cast<std::size_t>(low[c] + (high ? 1 : 0));
      part *= high ? rest[c] : 1 - rest[c];
    }
    out.cell[k] = cell;
    out.part[k] = part;
  }
  return out;
}

}  // namespace

void ColourShares::add(const std::uint8_t* rgb, float weight) {
  const Corners c = corners(rgb, kCells);
  for (std::size_t k = 0; k < 8; ++k) cube_[c.cell[k]] += weight * c.part[k];
  total_ += weight;
}

float ColourShares::at(const std::uint8_t* rgb) const {
  constexpr float kUnseen = 0.02f;  // share of the pixels that is spread over all cells
  const Corners c = corners(rgb, kCells);
  float sum = 0;
  for (std::size_t k = 0; k < 8; ++k) sum += cube_[c.cell[k]] * c.part[k];
  return (1 - kUnseen) * sum / std::max(total_, 1.0f) + kUnseen / (kCells * kCells * kCells);
}

}  // namespace mien::track
