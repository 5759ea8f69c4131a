// More weight of the loss on lips and eyes, where a viewer looks first.
#pragma once

#include <vector>

#include "mien/gaussian_avatar/gaussian_avatar.h"
#include "mien/training/gaussian_trainer.h"

namespace mien {

// Pixels [x0,x1) x [y0,y1) count 1 + extra; a later rectangle wins over an earlier one.
struct WeightedRectangle {
  int x0, y0, x1, y1;
  float extra;
};
constexpr int kMostRectangles = 3;

// The rectangles that mouth and eyes cover in the picture, where they are turned to the camera.
std::vector<WeightedRectangle> feature_rectangles(const HeadModel& head, const SurfaceFrames& frames,
                                                  const Camera& camera, const GaussianTrainOptions& options);

}  // namespace mien
