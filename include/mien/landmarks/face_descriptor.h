// Numbers that tell faces apart: near each other for one person, far for two.
#pragma once

#include <array>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "mien/media/image.h"

namespace mien {

struct FaceDescriberOptions {
  // Folder with @vladmandic/face-api as scripts/setup unpacks it; empty: npm/ in cache_folder().
  std::filesystem::path packages;
  std::string device = "cpu";  // "cuda", "cuda:1"
};

// The face recognition network of dlib (weights in the public domain, in the packing of face-api, MIT). Immutable and
// thread-safe.
class FaceDescriber {
 public:
  // Throws kNotFound (naming the set-up command), kBadFile, kMissingFeature for a device that is not there.
  explicit FaceDescriber(const FaceDescriberOptions& options = {});
  ~FaceDescriber();
  FaceDescriber(FaceDescriber&&) noexcept;
  FaceDescriber& operator=(FaceDescriber&&) noexcept;

  // 128 numbers of unit length for the face with these landmarks (468 or 478, pixels; kBadArgument for fewer). Two
  // pictures of one person are usually less than 0.38 apart (Euclidean), of two people more.
  std::vector<float> describe(const Image8& image, std::span<const std::array<float, 3>> landmarks) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mien
