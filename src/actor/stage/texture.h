// Textures in linear light, and maps of any texel type with bilinear reading.
#pragma once

#include <algorithm>
#include <vector>

#include "actor/stage/colour.h"
#include "mien/head/head_assets.h"

namespace mien::stage {

// A rectangle of texels; reading is bilinear and clamps at the border. Coordinates in texels, centres at +0.5.
template <typename Texel>
struct Map {
  int width = 0, height = 0;
  std::vector<Texel> texels;

  Map() = default;
  Map(int w, int h, const Texel& value) : width(w), height(h), texels(static_cast<std::size_t>(w) * h, value) {}
  std::size_t index(int x, int y) const { return static_cast<std::size_t>(y) * width + x; }
  Texel& at(int x, int y) { return texels[index(x, y)]; }
  const Texel& at(int x, int y) const { return texels[index(x, y)]; }

  Texel sample(float x, float y) const {
    x = std::clamp(x - 0.5f, 0.0f, static_cast<float>(width - 1) - 1e-3f);
    y = std::clamp(y - 0.5f, 0.0f, static_cast<float>(height - 1) - 1e-3f);
    const int ix = static_cast<int>(x), iy = static_cast<int>(y);
    const float fx = x - static_cast<float>(ix), fy = y - static_cast<float>(iy);
    const Texel* row = texels.data() + index(ix, iy);
    const Texel* next = row + (iy + 1 < height ? width : 0);
    const int right = ix + 1 < width ? 1 : 0;
    return row[0] * ((1 - fx) * (1 - fy)) + row[right] * (fx * (1 - fy)) + next[0] * ((1 - fx) * fy) +
           next[right] * (fx * fy);
  }
};

// A picture of the wardrobe.
struct Texture {
  Map<Texel4> map;
  Rgb mean = Rgb::Zero();  // of the opaque part

  Texel4 sample(const Vec2& uv) const {
    return map.sample(uv.x() * static_cast<float>(map.width), (1 - uv.y()) * static_cast<float>(map.height));
  }
  float alpha(const Vec2& uv) const;
};

// Decodes; joins the alpha picture; fills the colour of see-through texels from their neighbours, so that bilinear
// reading at the rim of a card does not pick up the painter's background.
Texture decode_texture(const HeadTexture& source);

}  // namespace mien::stage
