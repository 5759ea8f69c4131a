// One face followed through one shot, as measured; what to believe of it is judged when the video has been seen.
#pragma once

#include <array>
#include <vector>

#include "mien/landmarks/face_networks.h"
#include "mien/track/sighting.h"

namespace mien::track {

using FacePoints = std::array<std::array<float, 3>, kSightedPoints>;

struct TrackedFace {
  FacePoints points{};
  float presence = 0;
  float sharpness = 0;  // in units of its own: see measure_sharpness()
  float change = -1;    // mean difference (of 255) from the frame before, in the face's place there; -1 = unknown
  bool seen = false;    // false: lost in this frame, nothing above means anything
};

struct FaceTrack {
  int first = 0;
  int shot = 0;
  std::vector<TrackedFace> frames;
  std::vector<std::vector<float>> descriptors;  // of some frames, unit length
  int end() const { return first + static_cast<int>(frames.size()); }
};

// Degrees, of the head against the camera: positive when the subject turns to its left, and looks up.
struct FaceAngles {
  double yaw = 0, pitch = 0;
};
FaceAngles face_angles(const FacePoints& points);

// From the top of the forehead to the chin, in pixels, however the head is turned.
double face_height(const FacePoints& points);

// Contrast of the face's fine detail against that of the whole face; blur lowers it.
double measure_sharpness(const Image8& image, const FacePoints& points);

struct FaceBox {
  double left = 0, top = 0, right = 0, bottom = 0;
  double width() const { return right - left; }
  double height() const { return bottom - top; }
};
FaceBox face_box(const FacePoints& points);
std::vector<std::uint8_t> face_patch(const Image8& image, const FaceBox& box);  // the box in a few grey pixels
FaceBox face_box(const FaceDetection& detection);
double overlap(const FaceBox& a, const FaceBox& b);  // intersection over union

}  // namespace mien::track
