// Builds heads from models that others publish and users bring: ICT-FaceKit and FLAME. Nothing of either comes with
// Mien. Both need the default head: its landmarks, regions and skin weights are laid over the other surface, so that
// whatever takes a HeadModel takes these too.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "mien/head/head_model.h"

namespace mien {

struct OutsideHead {
  HeadModel model;
  std::vector<std::string> missing;  // ARKit expressions that do nothing, since the model has no such movement
  std::vector<std::string> carried;  // and those taken over from the default head, since the model cannot make them
  std::vector<std::string> notes;    // for people: what else is not as with the default head
};

struct IctOptions {
  std::filesystem::path folder;  // a clone of ICT-FaceKit, or its folder FaceXModel
  int identity_modes = 100;      // the first so many of its identity shapes; fewer when there are fewer
};
// The id is "ict-facekit-1". Throws kNotFound and kBadFile naming the file.
OutsideHead build_ict_head(const IctOptions& options, const HeadModel& reference);

struct FlameOptions {
  std::filesystem::path model;      // FLAME's .pkl as published, or an .npz with the same arrays
  std::filesystem::path landmarks;  // mediapipe_landmark_embedding.npz (better) or flame_static_embedding.pkl
  int identity_modes = 100;         // of FLAME's shape space
};
// The id is "flame-1". ARKit's expressions are made from FLAME's expression space and jaw, as near as they come to the
// default head's. Throws kNotFound, kBadFile, kUnsupported.
OutsideHead build_flame_head(const FlameOptions& options, const HeadModel& reference);

// One safetensors file that HeadModel::load() reads (with an empty wardrobe), atomically.
void save_head(const OutsideHead& head, const std::filesystem::path& path);

}  // namespace mien
