// A square of the frame as a picture of another size.
#pragma once

#include <array>
#include <vector>

#include "mien/media/image.h"
#include "mien/track/sighting.h"

namespace mien::track {

// Catmull-Rom interpolation when enlarging; the same filter widened to cover the source when shrinking. The weights are
// made once and serve every frame of a stretch.
class WindowSampler {
 public:
  // `picture`: left, top, right, bottom of the part of the frame that may be used; its edge is repeated beyond.
  WindowSampler(const CutWindow& window, int size, const std::array<int, 4>& picture);
  Image8 cut(const Image8& frame) const;  // RGB

 private:
  struct Taps {
    int first = 0;               // source pixel of the first weight, may lie outside
    std::vector<float> weights;  // sum to 1
  };
  static std::vector<Taps> taps(double begin, double length, int size);

  int size_;
  std::array<int, 4> picture_;
  std::vector<Taps> columns_, rows_;
};

}  // namespace mien::track
