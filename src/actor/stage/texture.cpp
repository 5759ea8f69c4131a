#include "actor/stage/texture.h"

#include "mien/base/error.h"
#include "mien/media/image.h"

namespace mien::stage {
namespace {

// Push and pull: the colour of empty texels comes from the mean of what is opaque around them, coarse to fine.
void fill_empty(Map<Texel4>& map) {
  if (map.width < 2 || map.height < 2) return;
  Map<Texel4> half((map.width + 1) / 2, (map.height + 1) / 2, Texel4::Zero());
  for (int y = 0; y < half.height; ++y) {
    for (int x = 0; x < half.width; ++x) {
      Texel4 sum = Texel4::Zero();
      for (int k = 0; k < 4; ++k) {
        const Texel4& t = map.at(std::min(2 * x + (k & 1), map.width - 1), std::min(2 * y + (k >> 1), map.height - 1));
        const float w = t[3] > 0.5f ? t[3] : 0;
        sum.head<3>() += w * t.head<3>();
        sum[3] += w;
      }
      if (sum[3] > 0) half.at(x, y) << sum.head<3>() / sum[3], 1;
    }
  }
  bool holes = false;
  for (const Texel4& t : half.texels) holes = holes || t[3] == 0;
  if (holes) fill_empty(half);
  for (int y = 0; y < map.height; ++y) {
    for (int x = 0; x < map.width; ++x) {
      Texel4& t = map.at(x, y);
      if (t[3] <= 0.5f) t.head<3>() = mix<Rgb>(half.at(x / 2, y / 2).head<3>(), t.head<3>(), t[3]);
    }
  }
}

}  // namespace

float Texture::alpha(const Vec2& uv) const {
  const float x = uv.x() * static_cast<float>(map.width) - 0.5f;
  const float y = (1 - uv.y()) * static_cast<float>(map.height) - 0.5f;
  const int ix = static_cast<int>(std::floor(x)), iy = static_cast<int>(std::floor(y));
  const float fx = x - static_cast<float>(ix), fy = y - static_cast<float>(iy);
  const int x0 = std::clamp(ix, 0, map.width - 1), x1 = std::clamp(ix + 1, 0, map.width - 1);
  const int y0 = std::clamp(iy, 0, map.height - 1), y1 = std::clamp(iy + 1, 0, map.height - 1);
  return (map.at(x0, y0)[3] * (1 - fx) + map.at(x1, y0)[3] * fx) * (1 - fy) +
         (map.at(x0, y1)[3] * (1 - fx) + map.at(x1, y1)[3] * fx) * fy;
}

Texture decode_texture(const HeadTexture& source) {
  const std::string where = "head texture " + source.name;
  const Image8 colour = decode_image(source.colour.data(), source.colour.size(), where);
  Image8 alpha;
  if (!source.alpha.empty()) {
    alpha = decode_image(source.alpha.data(), source.alpha.size(), where + " (alpha)");
    if (alpha.width != colour.width || alpha.height != colour.height) {
      alpha = resize_image(alpha, colour.width, colour.height);
    }
  }
  std::array<float, 256> linear{};
  for (int i = 0; i < 256; ++i) linear[i] = srgb_to_linear(static_cast<float>(i) / 255);
  Texture texture;
  texture.map = Map<Texel4>(colour.width, colour.height, Texel4::Zero());
  Rgb sum = Rgb::Zero();
  float weight = 0;
  for (int y = 0; y < colour.height; ++y) {
    for (int x = 0; x < colour.width; ++x) {
      const std::uint8_t* p = colour.at(x, y);
      const bool grey = colour.channels == 1;
      Texel4& t = texture.map.at(x, y);
      t << linear[p[0]], linear[p[grey ? 0 : 1]], linear[p[grey ? 0 : 2]], 1;
      if (colour.channels == 4) t[3] = static_cast<float>(p[3]) / 255;
      if (alpha.width > 0) t[3] = static_cast<float>(alpha.at(x, y)[0]) / 255;
      sum += t[3] * t.head<3>();
      weight += t[3];
    }
  }
  if (weight > 0) texture.mean = sum / weight;
  fill_empty(texture.map);
  return texture;
}

}  // namespace mien::stage
