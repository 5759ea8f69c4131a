// Which colours a part of a picture has, and how often.
#pragma once

#include <cstdint>
#include <vector>

namespace mien::track {

// A histogram over a coarse colour cube; each pixel is shared between the cells around its colour.
class ColourShares {
 public:
  ColourShares() : cube_(static_cast<std::size_t>(kCells) * kCells * kCells, 0) {}
  void add(const std::uint8_t* rgb, float weight = 1);
  float total() const { return total_; }
  // Share of the pixels per cell at this colour, as if a little of every colour had been seen, too.
  float at(const std::uint8_t* rgb) const;

 private:
  static constexpr int kCells = 14;  // a side
  std::vector<float> cube_;
  float total_ = 0;
};

}  // namespace mien::track
