#include "landmarks/detector.h"

#include <algorithm>
#include <cmath>

namespace mien {
namespace {

constexpr double kLeastOverlap = 0.3;
constexpr double kLargestLogit = 100;

// Centres of the anchors in the unit square; their size is the whole picture.
std::vector<std::array<double, 2>> anchors() {
  std::vector<std::array<double, 2>> out;
  for (const auto [cells, here] : {std::array{16, 2}, std::array{8, 6}}) {
    for (int y = 0; y < cells; ++y) {
      for (int x = 0; x < cells; ++x) out.insert(out.end(), here, {(x + 0.5) / cells, (y + 0.5) / cells});
    }
  }
  return out;
}

double overlap(const FaceDetection& a, const FaceDetection& b) {
  const double width = std::min(a.right, b.right) - std::max(a.left, b.left);
  const double height = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
  if (width <= 0 || height <= 0) return 0;
  const double common = width * height;
  const double all = (a.right - a.left) * (a.bottom - a.top) + (b.right - b.left) * (b.bottom - b.top) - common;
  return all > 0 ? common / all : 0;
}

FaceDetection weighted_mean(const std::vector<FaceDetection>& faces) {
  FaceDetection out;
  double total = 0;
  for (const FaceDetection& f : faces) {
    total += f.score;
    out.left += f.score * f.left;
    out.top += f.score * f.top;
    out.right += f.score * f.right;
    out.bottom += f.score * f.bottom;
    for (std::size_t k = 0; k < 6; ++k) {
      for (std::size_t d = 0; d < 2; ++d) out.keypoints[k][d] += f.score * f.keypoints[k][d];
    }
  }
  for (double* value : {&out.left, &out.top, &out.right, &out.bottom}) *value /= total;
  for (auto& point : out.keypoints) {
    for (double& value : point) value /= total;
  }
  out.score = faces.front().score;
  return out;
}

}  // namespace

std::vector<FaceDetection> merge_overlapping(std::vector<FaceDetection> faces) {
  std::stable_sort(faces.begin(), faces.end(),
                   [](const FaceDetection& a, const FaceDetection& b) { return a.score > b.score; });
  std::vector<FaceDetection> out;
  while (!faces.empty()) {
    std::vector<FaceDetection> same = {faces.front()}, others;
    for (std::size_t i = 1; i < faces.size(); ++i)
      (overlap(faces.front(), faces[i]) > kLeastOverlap ? same : others).push_back(faces[i]);
    out.push_back(weighted_mean(same));
    faces = std::move(others);
  }
  return out;
}

std::vector<FaceDetection> decode_faces(std::span<const float> boxes, std::span<const float> scores,
                                        double least_score) {
  static const std::vector<std::array<double, 2>> places = anchors();
  std::vector<FaceDetection> found;
  for (std::size_t i = 0; i < places.size(); ++i) {
    const double logit = std::clamp<double>(scores[i], -kLargestLogit, kLargestLogit);
    FaceDetection face;
    face.score = 1 / (1 + std::exp(-logit));
    if (!(face.score >= least_score)) continue;
    const float* box = boxes.data() + i * kDetectorNumbers;
    const double x = box[0] / kDetectorSize + places[i][0], y = box[1] / kDetectorSize + places[i][1];
    const double width = box[2] / kDetectorSize, height = box[3] / kDetectorSize;
    if (!(width > 0) || !(height > 0)) continue;
    face.left = x - width / 2;
    face.right = x + width / 2;
    face.top = y - height / 2;
    face.bottom = y + height / 2;
    for (std::size_t k = 0; k < 6; ++k)
      face.keypoints[k] = {box[4 + 2 * k] / kDetectorSize + places[i][0],
                           box[5 + 2 * k] / kDetectorSize + places[i][1]};
    found.push_back(face);
  }
  return merge_overlapping(std::move(found));
}

}  // namespace mien
