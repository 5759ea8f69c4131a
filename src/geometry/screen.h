// The camera of a rasteriser, in samples.
#pragma once

#include "mien/geometry/raster.h"
#include "triangle.h"

namespace mien::raster {

// Throws kBadArgument for an impossible camera or option.
Screen make_screen(const Camera& camera, const RasterOptions& options);

}  // namespace mien::raster
