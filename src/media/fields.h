// Interlaced video: two fields, each every second line, a moment apart.
#pragma once

#include "mien/media/image.h"

namespace mien::media {

// One picture of the upper field's moment. The lower field's lines are taken where they fit between the upper's (the
// picture stands still there) and filled in along edges where they do not (it moves, and would show combs). Both are
// RGB and of one size.
Image8 weave_fields(const Image8& upper, const Image8& lower);

}  // namespace mien::media
