// Where the networks lie in the npm packages that scripts/setup fetches.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace mien {

enum class FaceModel { kDetector, kMesh, kAttentionMesh, kSegmentation };

struct ModelFile {
  std::vector<std::uint8_t> bytes;
  std::string name;  // for errors
};

// Throws kNotFound when the package is absent, kBadFile when it is not the pinned version.
ModelFile read_face_model(const std::filesystem::path& packages, FaceModel model);

}  // namespace mien
