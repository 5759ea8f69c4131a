// Pictures for the networks, cut from larger ones.
#pragma once

#include "mien/landmarks/face_networks.h"

namespace mien {

// What the networks see outside the picture.
enum class Outside { kNearestPixel, kBlack };

struct CropOptions {
  int width = 0, height = 0;
  float low = 0, high = 1;  // values of black and white
  Outside outside = Outside::kNearestPixel;
};

// A rectangle like FaceRegion's square.
struct CropRegion {
  double x = 0, y = 0, width = 0, height = 0, angle = 0;
};

// Bilinear at the middles of the crop's pixels, without smoothing first, as MediaPipe does on a GPU: what a network has
// learned from. Writes height x width x 3 floats to `out`. `image` has 3 or 4 channels.
void crop_picture(const Image8& image, const CropRegion& region, const CropOptions& options, float* out);

// One channel, bilinear at the pixels' middles, to another size.
ImageF enlarge(const float* values, int from_width, int from_height, int width, int height);

}  // namespace mien
