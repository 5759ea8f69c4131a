// Where one shot of a video ends and the next begins.
#pragma once

#include <array>
#include <vector>

#include "mien/media/image.h"

namespace mien::track {

// Sees the frames in order. A cut is a frame whose colours and pixels differ from those of the frame before it, by far
// more than the frames before it differed from each other.
class ShotCuts {
 public:
  bool is_cut(const Image8& frame);  // false for the first frame
 private:
  std::vector<std::uint8_t> small_;
  std::array<float, 64> colours_{};
  double usual_ = 0;  // recent differences
};

}  // namespace mien::track
