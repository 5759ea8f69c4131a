#include "track/watch/face_finder.h"

#include <algorithm>
#include <cmath>

#include "track/watch/picture.h"

namespace mien::track {
namespace {

constexpr int kDetectorView = 256;  // pixels: what the detector gets, at least (its own input has 128)
constexpr int kMeshView = 192;      // pixels of the mesh networks' input

struct Tile {
  int left, top, size;
};

// The whole picture; for a thorough look squares of its height and of half of it, half overlapping.
std::vector<Tile> tiles(const Image8& image, bool thorough) {
  std::vector<Tile> out;
  const int shorter = std::min(image.width, image.height);
  for (const int size : {shorter, shorter / 2}) {
    if (!thorough || size < kDetectorView / 2) break;
    const int across = static_cast<int>(std::ceil(2.0 * image.width / size)) - 1;
    const int down = static_cast<int>(std::ceil(2.0 * image.height / size)) - 1;
    if (across * down <= 1) continue;
    for (int j = 0; j < down; ++j) {
      for (int i = 0; i < across; ++i)
        out.push_back({across > 1 ? i * (image.width - size) / (across - 1) : 0,
                       down > 1 ? j * (image.height - size) / (down - 1) : 0, size});
    }
  }
  return out;
}

void place(FaceDetection& face, int left, int top, int factor) {
  face.left = face.left * factor + left;
  face.right = face.right * factor + left;
  face.top = face.top * factor + top;
  face.bottom = face.bottom * factor + top;
  for (auto& p : face.keypoints) p = {p[0] * factor + left, p[1] * factor + top};
}

void keep_new(std::vector<FaceDetection>& all, const FaceDetection& face) {
  for (FaceDetection& other : all) {
    if (overlap(face_box(other), face_box(face)) < 0.3) continue;
    if (face.score > other.score) other = face;
    return;
  }
  all.push_back(face);
}

}  // namespace

std::vector<FaceDetection> find_faces(const FaceNetworks& networks, const Image8& image, bool thorough) {
  const int factor = std::max(1, std::max(image.width, image.height) / kDetectorView);
  const Image8 small = shrink(image, factor);
  std::vector<FaceDetection> out = networks.detect(std::span(&small, 1)).front();
  for (FaceDetection& face : out) place(face, 0, 0, factor);
  for (const Tile& tile : tiles(image, thorough && out.empty())) {
    const int f = std::max(1, tile.size / kDetectorView);
    const Image8 part = shrink(image, tile.left, tile.top, tile.size, tile.size, f);
    const std::vector<std::vector<FaceDetection>> found = networks.detect(std::span(&part, 1));
    for (FaceDetection face : found.front()) {
      place(face, tile.left, tile.top, f);
      keep_new(out, face);
    }
  }
  return out;
}

FaceLandmarks find_landmarks(const FaceNetworks& networks, const Image8& image, const FaceRegion& region) {
  const int factor = std::max(1, static_cast<int>(region.size / kMeshView));
  if (factor == 1) return networks.landmarks(std::span(&image, 1), std::span(&region, 1), true).front();
  const int reach = static_cast<int>(std::ceil(region.size * 0.72)) + factor;  // half the square's diagonal
  const int left = static_cast<int>(std::floor(region.x)) - reach, top = static_cast<int>(std::floor(region.y)) - reach;
  const Image8 part = shrink(image, left, top, 2 * reach, 2 * reach, factor);
  const FaceRegion there{(region.x - left) / factor, (region.y - top) / factor, region.size / factor, region.angle};
  FaceLandmarks found = networks.landmarks(std::span(&part, 1), std::span(&there, 1), true).front();
  const auto f = static_cast<float>(factor);
  for (auto& p : found.points) p = {p[0] * f + static_cast<float>(left), p[1] * f + static_cast<float>(top), p[2] * f};
  return found;
}

}  // namespace mien::track
