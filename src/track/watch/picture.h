// Smaller pictures for the networks and the measures.
#pragma once

#include "mien/media/image.h"

namespace mien::track {

// RGB pixels of the rectangle, averaged over factor x factor blocks; parts beyond the picture repeat its edge.
// `left`, `top`, `width` and `height` in pixels of `image`; the result has width / factor x height / factor.
Image8 shrink(const Image8& image, int left, int top, int width, int height, int factor);
Image8 shrink(const Image8& image, int factor);

}  // namespace mien::track
