// What the caller gives, checked and made ready for the kernels of either back end.
#pragma once

#include "mien/splat/gaussians.h"
#include "splat/kernels.h"

namespace mien::splat {

// Throws kBadArgument for a negative count or an unknown SH degree.
Cloud make_cloud(const SplatInput& in);
// Throws kBadArgument for a picture or focal length out of range. tiles_x and tiles_y count tiles of `tile_size`
// pixels.
View make_view(const Camera& camera, const SplatOptions& options, int tile_size);

}  // namespace mien::splat
