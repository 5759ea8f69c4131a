// From the numbers of MediaPipe's short-range face detector to faces.
#pragma once

#include <span>
#include <vector>

#include "mien/landmarks/face_networks.h"

namespace mien {

constexpr int kDetectorSize = 128;     // pixels a side
constexpr int kDetectorAnchors = 896;  // places where a face may be: 2 at each of 16 x 16, 6 at each of 8 x 8
constexpr int kDetectorNumbers = 16;   // of an anchor: centre, size, six keypoints

// `boxes` [896, 16] in pixels of the network's picture relative to the anchor, `scores` [896] before the sigmoid. Faces
// are in the unit square of the network's picture, the surest first; overlapping ones are merged.
std::vector<FaceDetection> decode_faces(std::span<const float> boxes, std::span<const float> scores,
                                        double least_score);

// Merges what overlaps (intersection over union above 0.3) with a surer one: the mean, weighted by the scores.
std::vector<FaceDetection> merge_overlapping(std::vector<FaceDetection> faces);

}  // namespace mien
