// The wardrobe of the default head: skins, irises, hair, beards, brows, lashes and clothes, kept in the head model's
// file.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "mien/head/head_model.h"

namespace mien {

enum class StyleKind : std::uint8_t { kHair, kBeard, kMoustache, kBrows, kLashes, kClothes };
const char* style_kind_name(StyleKind kind);  // "hair", "beard", ...

// An encoded picture (JPEG or PNG), decoded by decode_image() of the media room. Alpha may lie in a picture of its own
// (grey, same size or smaller), since JPEG has none and compresses hair far better than PNG.
struct HeadTexture {
  std::string name;  // "young_caucasian_female", "brown"
  std::vector<std::uint8_t> colour;
  std::vector<std::uint8_t> alpha;  // empty when opaque
};

// Where one vertex of a style sits: on three head vertices, plus an offset (metres, head space); and how it is posed.
struct StyleBinding {
  Index3 vertices = Index3::Zero();
  Vec3 weights = Vec3(1, 0, 0);  // may be negative; sum 1
  Vec3 offset = Vec3::Zero();
  std::array<float, 2> skin_weights = {1,
                                       1};  // as HeadModel::skin_weights; long hair follows the head less further down
};

struct HeadStyle {
  std::string name;
  StyleKind kind = StyleKind::kHair;
  std::vector<StyleBinding> binding;  // [S]
  std::vector<Index3> faces;          // into binding
  std::vector<Vec2> uv;               // [0,1], v up
  std::vector<Index3> face_uv;        // as many as faces, into uv
  HeadTexture texture;
  std::vector<int> hidden_faces;  // head faces that this style covers and that must not be drawn (clothes), ascending
};

struct HeadAssets {
  std::vector<HeadTexture> skins;   // for HeadPart::kSkin, by "age_ethnicity_sex"
  std::vector<HeadTexture> irises;  // for kEyeLeft and kEyeRight
  HeadTexture teeth;                // for kTeethUpper, kTeethLower, kGums
  HeadTexture tongue;               // for kTongue
  HeadTexture lashes;               // for kLashes: the mesh's own lashes, with alpha
  HeadTexture brows;  // for kBrows: the mesh's own brows, with alpha; leave them out when a brow style is worn
  std::vector<HeadStyle> styles;

  // Throws kBadArgument listing the names that exist.
  const HeadTexture& skin(const std::string& name) const;
  const HeadTexture& iris(const std::string& name) const;
  const HeadStyle& style(StyleKind kind, const std::string& name) const;
  std::vector<std::string> style_names(StyleKind kind) const;

  // Reads the wardrobe from a head file and checks its indices against `model`. Throws kNotFound, kBadFile.
  static HeadAssets load(const std::filesystem::path& path, const HeadModel& model);
  static HeadAssets load(const SafetensorsFile& file, const HeadModel& model);
  void save(SafetensorsWriter& writer) const;
};

// Vertices [S] of a style. `head_space` are the model's vertices [V] before posing (HeadModel::deform); the result is
// posed.
void evaluate_style(const HeadModel& model, const HeadStyle& style, const std::vector<Vec3>& head_space,
                    const HeadPose& pose, std::vector<Vec3>& out);

}  // namespace mien
