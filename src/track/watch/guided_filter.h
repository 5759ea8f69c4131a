// Edges of a mask moved to the edges of the picture beneath it.
#pragma once

#include "mien/media/image.h"

namespace mien::track {

// K. He, J. Sun, X. Tang: Guided Image Filtering (2010), colour guide: in every window of 2 `radius` + 1 pixels the
// mask is a linear function of the colour. The functions are found at the mask's size and applied at the picture's
// (He, Sun: Fast Guided Filter, 2015). `picture`: RGB, a multiple of the mask's size; `small`: the picture at the
// mask's size; `softness`: variance of colour ([0,1]) below which an area is even.
ImageF guide_mask(const ImageF& mask, const Image8& small, const Image8& picture, int radius, float softness);

// Mean over a square of 2 radius + 1 pixels; at the edges of what there is.
ImageF box_mean(const ImageF& image, int radius);

}  // namespace mien::track
