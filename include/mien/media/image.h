// Images in memory, and PNG and JPEG files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace mien {

// Row-major, interleaved, sRGB. `channels` is 1 (grey, matte), 3 (RGB) or 4 (RGBA, straight alpha).
struct Image8 {
  int width = 0, height = 0, channels = 0;
  std::vector<std::uint8_t> pixels;  // [height, width, channels], 0..255

  Image8() = default;
  Image8(int w, int h, int c, std::uint8_t value = 0)
      : width(w), height(h), channels(c), pixels(static_cast<std::size_t>(w) * h * c, value) {}
  std::uint8_t* at(int x, int y) { return pixels.data() + (static_cast<std::size_t>(y) * width + x) * channels; }
  const std::uint8_t* at(int x, int y) const {
    return pixels.data() + (static_cast<std::size_t>(y) * width + x) * channels;
  }
};

// As above in float, [0,1] nominal.
struct ImageF {
  int width = 0, height = 0, channels = 0;
  std::vector<float> pixels;

  ImageF() = default;
  ImageF(int w, int h, int c, float value = 0)
      : width(w), height(h), channels(c), pixels(static_cast<std::size_t>(w) * h * c, value) {}
  float* at(int x, int y) { return pixels.data() + (static_cast<std::size_t>(y) * width + x) * channels; }
  const float* at(int x, int y) const { return pixels.data() + (static_cast<std::size_t>(y) * width + x) * channels; }
};

Image8 to_8bit(const ImageF& image);  // clamps to [0,1], rounds to nearest
ImageF to_float(const Image8& image);

// Reads PNG or JPEG, told apart by content. Limits: 16384 pixels a side. Throws kNotFound, kBadFile.
Image8 read_image(const std::filesystem::path& path);
// The same from memory; `where` names the source in errors.
Image8 decode_image(const std::uint8_t* data, std::size_t bytes, const std::string& where);
// By extension: .png (lossless), .jpg/.jpeg (quality 0..100, 4:4:4; RGBA is refused). Atomic.
void write_image(const std::filesystem::path& path, const Image8& image, int jpeg_quality = 95);
std::vector<std::uint8_t> encode_png(const Image8& image);
// 4:4:4, quality 0..100, 1 or 3 channels (kBadArgument otherwise).
std::vector<std::uint8_t> encode_jpeg(const Image8& image, int quality);

// Pictures side by side in rows of `columns`, padded with `background`; all converted to RGB. For contact sheets.
Image8 tile_images(const std::vector<Image8>& images, int columns, int gap = 4, std::uint8_t background = 255);
// Area-averaging reduction or bilinear enlargement.
Image8 resize_image(const Image8& image, int width, int height);
// Draws ASCII text with a built-in bitmap font (8x8 cells times `scale`), top-left at (x, y), clipped. For sheets.
void draw_text(Image8& image, int x, int y, const std::string& text, int scale = 1, std::uint8_t r = 0,
               std::uint8_t g = 0, std::uint8_t b = 0);

}  // namespace mien
