// Black bars around the picture.
#pragma once

#include <array>
#include <vector>

#include "mien/media/image.h"

namespace mien::track {

// Sees some frames of a video. Bars are rows and columns at the edges that stay black in all of them.
class Letterbox {
 public:
  void add(const Image8& frame);
  // left, top, right, bottom of the picture between the bars; the whole frame when all of it is black or no bar is
  // wider than a few pixels.
  std::array<int, 4> picture() const;
  bool all_black() const;  // no frame had anything in it
 private:
  int width_ = 0, height_ = 0;
  std::vector<std::uint8_t> brightest_row_, brightest_column_;  // of all frames
};

}  // namespace mien::track
