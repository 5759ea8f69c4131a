// Which square of the frame the stored pictures show.
#pragma once

#include "mien/track/sighting.h"

namespace mien::track {

// The smallest square that holds head, hair, neck and upper shoulders in all believed frames of the stretch, moved into
// the frame's picture (bars left out) where it fits. `left` to `bottom`: that picture's edges.
CutWindow cut_window(const Stretch& stretch, int left, int top, int right, int bottom);

}  // namespace mien::track
