#include "head/makehuman/textures.h"

#include <algorithm>

#include "mien/media/image.h"

namespace mien::makehuman {
namespace {

constexpr int kFillRounds = 24;
constexpr std::uint8_t kSolid = 40;  // alpha from which a pixel's colour is trusted

// Colour grows from trusted pixels into the others, a pixel a round; what is never reached gets the mean colour.
Image8 filled_colour(const Image8& rgba) {
  Image8 out(rgba.width, rgba.height, 3);
  std::vector<bool> known(static_cast<std::size_t>(rgba.width) * rgba.height, false);
  std::array<double, 3> sum{};
  std::size_t count = 0;
  for (int y = 0; y < rgba.height; ++y) {
    for (int x = 0; x < rgba.width; ++x) {
      const std::uint8_t* from = rgba.at(x, y);
      std::copy_n(from, 3, out.at(x, y));
      if (from[3] < kSolid) continue;
      known[static_cast<std::size_t>(y) * rgba.width + x] = true;
      for (std::size_t c = 0; c < 3; ++c) sum[c] += from[c];
      ++count;
    }
  }
  for (int round = 0; round < kFillRounds; ++round) {
    const std::vector<bool> before = known;
    for (int y = 0; y < out.height; ++y) {
      for (int x = 0; x < out.width; ++x) {
        const std::size_t here = static_cast<std::size_t>(y) * out.width + x;
        if (before[here]) continue;
        std::array<int, 3> near{};
        int neighbours = 0;
        for (const auto& [dx, dy] : {std::pair(-1, 0), std::pair(1, 0), std::pair(0, -1), std::pair(0, 1)}) {
          const int nx = x + dx, ny = y + dy;
          if (nx < 0 || ny < 0 || nx >= out.width || ny >= out.height ||
              !before[static_cast<std::size_t>(ny) * out.width + nx])
            continue;
          for (std::size_t c = 0; c < 3; ++c) near[c] += out.at(nx, ny)[c];
          ++neighbours;
        }
        if (neighbours == 0) continue;
        for (std::size_t c = 0; c < 3; ++c) out.at(x, y)[c] = static_cast<std::uint8_t>(near[c] / neighbours);
        known[here] = true;
      }
    }
  }
  for (int y = 0; y < out.height && count > 0; ++y) {
    for (int x = 0; x < out.width; ++x) {
      if (known[static_cast<std::size_t>(y) * out.width + x]) continue;
      for (std::size_t c = 0; c < 3; ++c)
        out.at(x, y)[c] = static_cast<std::uint8_t>(sum[c] / static_cast<double>(count));
    }
  }
  return out;
}

Image8 channel(const Image8& image, int c) {
  Image8 out(image.width, image.height, 1);
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) *out.at(x, y) = image.at(x, y)[c];
  }
  return out;
}

Image8 without_alpha(const Image8& image) {
  Image8 out(image.width, image.height, 3);
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) std::copy_n(image.at(x, y), 3, out.at(x, y));
  }
  return out;
}

}  // namespace

HeadTexture pack_texture(const std::filesystem::path& path, const std::string& name, const TextureOptions& options) {
  Image8 image = read_image(path);
  if (image.width != options.size || image.height != options.size)
    image = resize_image(image, options.size, options.size);
  HeadTexture texture;
  texture.name = name;
  bool transparent = false;
  for (int y = 0; y < image.height && image.channels == 4; ++y) {
    for (int x = 0; x < image.width; ++x) transparent = transparent || image.at(x, y)[3] < 250;
  }
  if (transparent && options.keep_alpha) {
    texture.colour = encode_jpeg(filled_colour(image), options.quality);
    texture.alpha = encode_jpeg(channel(image, 3), options.quality);
  } else {
    texture.colour = encode_jpeg(image.channels == 4 ? without_alpha(image) : image, options.quality);
  }
  return texture;
}

}  // namespace mien::makehuman
