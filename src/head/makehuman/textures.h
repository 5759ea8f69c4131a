// Pictures of the wardrobe: read, made small, encoded.
#pragma once

#include <filesystem>
#include <string>

#include "mien/head/head_assets.h"

namespace mien::makehuman {

struct TextureOptions {
  bool keep_alpha = true;
  int size = 512;    // pixels, square
  int quality = 85;  // JPEG, of colour and alpha
};
// Colour as JPEG; where the picture has transparent pixels, alpha as a grey JPEG beside it, and the colour under
// transparent pixels is filled from its surroundings, so that filtering does not draw dark rims.
HeadTexture pack_texture(const std::filesystem::path& path, const std::string& name, const TextureOptions& options);

}  // namespace mien::makehuman
