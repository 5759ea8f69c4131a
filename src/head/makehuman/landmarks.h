// MediaPipe's 478 face landmarks as points on our surface.
#pragma once

#include <filesystem>
#include <vector>

#include "head/makehuman/face_map.h"

namespace mien::makehuman {

// `canonical` is MediaPipe's canonical face model (468 vertices, Wavefront OBJ). Its points are brought over by a
// similarity and a smooth warp through anchors (lips, lids, brows, nose, chin), then set down on the nearest skin;
// points of lips and lids lie exactly on our contours; the ten points of the irises lie on the eyeballs. Throws
// kNotFound, kBadFile.
std::vector<SurfacePoint> place_landmarks(const std::filesystem::path& canonical, const FaceMap& map,
                                          const HeadModel& model);

}  // namespace mien::makehuman
