// Faces in one picture, large and small, and the landmarks of one of them.
#pragma once

#include <optional>
#include <vector>

#include "track/watch/face_track.h"

namespace mien::track {

// `thorough`: looks at overlapping parts of the picture, too, for faces smaller than a tenth of it; costs twenty times
// as much.
std::vector<FaceDetection> find_faces(const FaceNetworks& networks, const Image8& image, bool thorough);

// The 478 landmarks in the region; large faces are made smaller first, so that fine detail does not alias.
FaceLandmarks find_landmarks(const FaceNetworks& networks, const Image8& image, const FaceRegion& region);

}  // namespace mien::track
