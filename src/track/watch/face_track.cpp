#include "track/watch/face_track.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "track/watch/picture.h"

namespace mien::track {
namespace {

// Landmarks: top of the forehead, chin, and pairs on the subject's right and left: cheek's edge, outer corner of the
// eye, corner of the mouth.
constexpr std::size_t kForehead = 10, kChin = 152;
constexpr std::array<std::array<std::size_t, 2>, 3> kPairs = {{{234, 454}, {33, 263}, {61, 291}}};
constexpr double kDegrees = 180 / std::numbers::pi;

constexpr int kSharpSize = 96;  // pixels: the face is looked at in a square of at most this size

}  // namespace

FaceAngles face_angles(const FacePoints& points) {
  double across[3] = {}, down[3];
  for (const auto& [right, left] : kPairs) {
    for (std::size_t k = 0; k < 3; ++k) across[k] += points[left][k] - points[right][k];
  }
  for (std::size_t k = 0; k < 3; ++k) down[k] = points[kChin][k] - points[kForehead][k];
  return {std::atan2(-across[2], std::hypot(across[0], across[1])) * -kDegrees,
          std::atan2(down[2], std::hypot(down[0], down[1])) * -kDegrees};
}

double face_height(const FacePoints& points) {
  double sum = 0;
  for (std::size_t k = 0; k < 3; ++k) sum += std::pow(points[kChin][k] - points[kForehead][k], 2);
  return std::sqrt(sum);
}

FaceBox face_box(const FacePoints& points) {
  FaceBox box{points[0][0], points[0][1], points[0][0], points[0][1]};
  for (const auto& p : points) {
    box.left = std::min<double>(box.left, p[0]);
    box.right = std::max<double>(box.right, p[0]);
    box.top = std::min<double>(box.top, p[1]);
    box.bottom = std::max<double>(box.bottom, p[1]);
  }
  return box;
}

FaceBox face_box(const FaceDetection& d) {
  return {d.left, d.top, d.right, d.bottom};
}

std::vector<std::uint8_t> face_patch(const Image8& image, const FaceBox& box) {
  constexpr int kSize = 32, kSamples = 3;  // pixels of the patch; samples a side of each
  std::vector<std::uint8_t> out;
  for (int j = 0; j < kSize; ++j) {
    for (int i = 0; i < kSize; ++i) {
      int sum = 0;
      for (int s = 0; s < kSamples * kSamples; ++s) {
        const double u = (i + (s % kSamples + 0.5) / kSamples) / kSize,
                     v = (j + (s / kSamples + 0.5) / kSamples) / kSize;
        const int x = std::clamp(static_cast<int>(box.left + u * box.width()), 0, image.width - 1);
        const int y = std::clamp(static_cast<int>(box.top + v * box.height()), 0, image.height - 1);
        sum += image.at(x, y)[1];
      }
      out.push_back(static_cast<std::uint8_t>(sum / (kSamples * kSamples)));
    }
  }
  return out;
}

double overlap(const FaceBox& a, const FaceBox& b) {
  const double width = std::min(a.right, b.right) - std::max(a.left, b.left);
  const double height = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
  if (width <= 0 || height <= 0) return 0;
  const double common = width * height;
  return common / (a.width() * a.height() + b.width() * b.height() - common);
}

double measure_sharpness(const Image8& image, const FacePoints& points) {
  const FaceBox box = face_box(points);
  const int size = static_cast<int>(std::max(box.width(), box.height()));
  const int factor = std::max(1, size / kSharpSize);
  const int n = std::clamp(size / factor, 8, 2 * kSharpSize) * factor;
  const Image8 face = shrink(image, static_cast<int>((box.left + box.right) / 2 - n / 2.0),
                             static_cast<int>((box.top + box.bottom) / 2 - n / 2.0), n, n, factor);
  const auto grey = [&](int x, int y) {
    const std::uint8_t* p = face.at(x, y);
    return 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2];
  };
  // Second differences against the contrast of the whole face, which blur hardly lowers.
  double fine = 0, sum = 0, squares = 0;
  int count = 0;
  for (int y = 1; y < face.height - 1; ++y) {
    for (int x = 1; x < face.width - 1; ++x) {
      const double here = grey(x, y);
      fine +=
          std::abs(2 * here - grey(x - 1, y) - grey(x + 1, y)) + std::abs(2 * here - grey(x, y - 1) - grey(x, y + 1));
      sum += here;
      squares += here * here;
      ++count;
    }
  }
  const double variance = squares / count - (sum / count) * (sum / count);
  return fine / count / std::sqrt(std::max(variance, 1.0));
}

}  // namespace mien::track
