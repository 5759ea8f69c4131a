// Where the mesh networks should look.
#include <algorithm>
#include <cmath>
#include <limits>

#include "mien/base/error.h"
#include "mien/landmarks/face_networks.h"

namespace mien {
namespace {

constexpr double kMargin = 1.5;  // side of the region over the longer side of the face's box
// Landmarks: outer corners of the subject's right and left eye.
constexpr std::size_t kRightEye = 33, kLeftEye = 263;

FaceRegion around(double left, double top, double right, double bottom, double dx, double dy) {
  return {(left + right) / 2, (top + bottom) / 2, kMargin * std::max(right - left, bottom - top), std::atan2(dy, dx)};
}

}  // namespace

FaceRegion face_region(const FaceDetection& detection) {
  const auto &a = detection.keypoints[0], &b = detection.keypoints[1];
  return around(detection.left, detection.top, detection.right, detection.bottom, b[0] - a[0], b[1] - a[1]);
}

FaceRegion face_region(const FaceLandmarks& landmarks) {
  if (landmarks.points.size() < 468)
    throw Error(ErrorCode::kBadArgument,
                fmt::format("a face has {} landmarks instead of 468 or 478", landmarks.points.size()),
                "give what landmarks() returned");
  constexpr double kFar = std::numeric_limits<double>::infinity();
  double left = kFar, top = kFar, right = -kFar, bottom = -kFar;
  for (const auto& p : landmarks.points) {
    left = std::min<double>(left, p[0]);
    right = std::max<double>(right, p[0]);
    top = std::min<double>(top, p[1]);
    bottom = std::max<double>(bottom, p[1]);
  }
  const auto &a = landmarks.points[kRightEye], &b = landmarks.points[kLeftEye];
  return around(left, top, right, bottom, b[0] - a[0], b[1] - a[1]);
}

}  // namespace mien
