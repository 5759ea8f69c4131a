// Faces in pictures: where they are, 468 or 478 landmarks on each, and which pixels belong to the person. The networks
// are MediaPipe's (Apache-2.0), fetched by scripts/setup; they run on LibTorch, whose headers stay out of here.
//
// Positions are in pixels of the picture, continuous: the middle of the first pixel is (0.5, 0.5).
#pragma once

#include <array>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "mien/media/image.h"

namespace mien {

// A square, turned by `angle` radians (positive: clockwise on the screen) about its centre.
struct FaceRegion {
  double x = 0, y = 0, size = 0, angle = 0;
};

struct FaceDetection {
  double left = 0, top = 0, right = 0, bottom = 0;
  std::array<std::array<double, 2>, 6>
      keypoints{};   // the subject's right eye, left eye, nose, mouth, right ear, left ear
  double score = 0;  // 0..1
};

struct FaceLandmarks {
  // x, y, z: z in pixels too, smaller is nearer, from the middle of the head. 468 points of the face mesh, then, where
  // asked for, five of each iris: 468..472 the subject's right one, 473..477 the left one, the centre first.
  std::vector<std::array<float, 3>> points;
  double presence = 0;  // 0..1: how likely the region shows a face at all; below 0.5 the points mean nothing
};

struct FaceNetworkOptions {
  // Folder with @mediapipe/face_mesh and @mediapipe/selfie_segmentation as scripts/setup unpacks them; empty: npm/ in
  // cache_folder().
  std::filesystem::path packages;
  std::string device = "cpu";  // "cuda", "cuda:1"
  double least_score = 0.5;    // detections below are left out
  int batch = 32;              // pictures that go through a network at once, at most
};

// Immutable and thread-safe; uses all threads. Every function takes any number of RGB or RGBA pictures of any sizes (at
// least one pixel; kBadArgument for grey ones) and answers one by one, in order.
class FaceNetworks {
 public:
  // Throws kNotFound (naming the set-up command), kBadFile, kUnsupported for the networks' files, kBadArgument for
  // options out of range, kMissingFeature for a device that is not there.
  explicit FaceNetworks(const FaceNetworkOptions& options = {});
  ~FaceNetworks();
  FaceNetworks(FaceNetworks&&) noexcept;
  FaceNetworks& operator=(FaceNetworks&&) noexcept;

  // All faces of at least about a tenth of the picture's longer side, the surest first.
  std::vector<std::vector<FaceDetection>> detect(std::span<const Image8> images) const;

  // regions[i] is where the face of images[i] is. `attention`: 478 points from the slower network, which looks twice at
  // lips and eyes; otherwise 468.
  std::vector<FaceLandmarks> landmarks(std::span<const Image8> images, std::span<const FaceRegion> regions,
                                       bool attention) const;

  // How much each pixel belongs to a person, [0,1]: one channel, of the picture's size. The network sees 256 x 256.
  std::vector<ImageF> person_masks(std::span<const Image8> images) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Where landmarks() should look: one and a half times the face, eyes level. From a detection for the first picture of a
// video, from the last picture's landmarks after that. Throws kBadArgument for fewer than 468 points.
FaceRegion face_region(const FaceDetection& detection);
FaceRegion face_region(const FaceLandmarks& landmarks);

}  // namespace mien
