// The avatar file, NAME.mien: one safetensors file with everything that draws a person. Described in docs/avatar.md.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mien/base/json.h"
#include "mien/field_avatar/field_avatar.h"
#include "mien/gaussian_avatar/gaussian_avatar.h"
#include "mien/media/image.h"
#include "mien/speech/sound_context.h"

namespace mien {

// Of the file; readers refuse newer ones. 2 added colour modes, 3 G2ANet, 4 bytes for the directions' colours and the
// modes of large avatars, 5 G2ANet that hears instead of seeing geometry, 6 the pixel filter, 7 several appearances, 8
// fields; a file is written as the oldest version that has what it holds.
constexpr int kAvatarVersion = 8;
constexpr int kCompactFrom = 50000;  // Gaussians

struct AvatarAppearance {
  std::string name;
  Image8 thumbnail;  // RGB, may be empty
};

struct Avatar {
  std::string name;
  std::string renderer = "gaussians";         // or "field"
  std::vector<AvatarAppearance> appearances;  // at least one; those of gaussian.looks in its order, where it has any
  std::string licence = "not stated";
  std::string consent;               // what the person agreed to, in words
  Camera front;                      // how the person was framed from the front; other views turn about `focus`
  Vec3 focus = Vec3::Zero();         // world point that cameras look at, metres
  Json training = Json::object();    // summary: capture, steps, seconds, hardware
  Json metrics = Json::object();     // what evaluation printed
  GaussianAvatar gaussian;           // of renderer "gaussians"; else empty
  std::optional<FieldAvatar> field;  // of renderer "field"

  const HeadModel& head() const { return field ? field->head : gaussian.head; }

  // Throws kNotFound; kBadFile for damage (also indices out of range, NaN, sizes that do not agree); kUnsupported for a
  // newer version or another renderer, saying which.
  static Avatar load(const std::filesystem::path& path);
  // Atomic. Shapes and colours are stored as F16, positions as F32; from kCompactFrom Gaussians on, colours by
  // direction and modes as bytes.
  void save(const std::filesystem::path& path) const;

  // Index of an appearance; throws kBadArgument, listing those that exist.
  int appearance_index(const std::string& name) const;
  std::vector<std::string> appearance_names() const;
  // Weights of all appearances for "beach" or "beach:0.3,studio:0.7"; "": the first alone. Throws as
  // parse_appearance_mix() does.
  AppearanceMix appearance_mix(const std::string& text) const;
};

// The header alone, as JSON, without reading the tensors: for `mien inspect`.
Json read_avatar_header(const std::filesystem::path& path);

// Drops Gaussians that are never seen: opacity below `least`. Returns how many went.
int prune_gaussians(GaussianAvatar& avatar, float least_opacity);

// The shipped avatar of that name ("ada"), or a path to a file. Looks in MIEN_MODELS, beside the program, in the source
// tree's models/. Throws kNotFound, listing what exists.
std::filesystem::path find_avatar(const std::string& name_or_path);
// Where an avatar's own speech networks lie when it has some: me.mien, me.speech.safetensors beside it.
std::filesystem::path own_speech_networks(const std::filesystem::path& avatar);
// What an avatar without geometry hears, made by the shipped speech networks' encoder; null for avatars with geometry.
// Throws kNotFound without that file, kUnsupported when the avatar was trained on another encoder.
std::shared_ptr<const SoundContext> find_sound_context(const GaussianAvatar& avatar);
// A shipped file of the models folder, by file name ("speech.safetensors"). Throws kNotFound with the mend.
std::filesystem::path find_model(const std::string& file_name);

}  // namespace mien
