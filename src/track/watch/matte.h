// Mattes of one person through a stretch.
#pragma once

#include <array>
#include <vector>

#include "mien/landmarks/face_networks.h"

namespace mien::track {

struct MattePoint {
  float x = 0, y = 0;
};

// The person network's mask, steadied over time where the picture stands still, reduced to what hangs together with the
// face, its edges moved to those of the picture.
class Matting {
 public:
  explicit Matting(const FaceNetworks& networks) : networks_(networks) {}
  // The next picture (RGB, square). `outline`: of the face in its pixels; empty: not seen, the last one serves.
  Image8 add(const Image8& picture, const std::vector<MattePoint>& outline);

 private:
  const FaceNetworks& networks_;
  Image8 before_;  // the last picture, at the mask's size
  ImageF steady_;
  std::vector<MattePoint> outline_;
};

}  // namespace mien::track
