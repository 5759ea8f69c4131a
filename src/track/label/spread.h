// Labels that spread over a picture from where they are sure.
#pragma once

#include "mien/media/image.h"

namespace mien::track {

// Every pixel gets the label of the seed that is nearest to it, where a path costs its length, `contrast`
// times the change of colour along it ([0,1], largest channel, beyond noise), and `beyond` more for each pixel outside
// of `inside`. Distances by alternating sweeps (P. Toivanen: New geodesic distance transforms for gray-scale images,
// 1996): exact for paths that bend less often than there are sweeps.
//
// `picture`: RGB; `seeds`: a label above 0 a pixel, or 0; `inside`: 0 = outside. All of one size. Without seeds, all 0.
struct SpreadCosts {
  float length = 0.3f;  // a pixel
  float contrast = 150;
  float beyond = 30;
  int noise = 6;  // of 255: smaller changes cost nothing
  int still = 0;  // a label that stays where it is: a wall
};
Image8 spread_labels(const Image8& picture, const Image8& seeds, const Image8& inside, const SpreadCosts& costs = {});

}  // namespace mien::track
