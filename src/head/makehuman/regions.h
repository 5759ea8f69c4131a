// Names for places: regions, contours and skin weights of the finished head.
#pragma once

#include "head/makehuman/face_map.h"

namespace mien::makehuman {

// Fills region, contours and skin_weights of a model whose mesh and joints are set (origin moved already).
void label_regions(const Source& source, const Assembly& assembly, const FaceMap& map, HeadModel& model);

}  // namespace mien::makehuman
