// PNG through libpng's simplified API, which keeps its own setjmp inside, so no C++ frame is ever jumped over.
#include <png.h>

#include "media/image_codecs.h"
#include "mien/base/error.h"

namespace mien {
namespace {

png_uint_32 png_format(int channels) {
  return channels == 1 ? PNG_FORMAT_GRAY : channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_RGBA;
}

// Owns what libpng hangs on the control structure.
struct PngControl {
  png_image image = {};
  PngControl() { image.version = PNG_IMAGE_VERSION; }
  ~PngControl() { png_image_free(&image); }
  PngControl(const PngControl&) = delete;
  PngControl& operator=(const PngControl&) = delete;
};

}  // namespace

namespace media {

Image8 decode_png(const std::uint8_t* data, std::size_t bytes, const std::string& where) {
  PngControl png;
  const auto damaged = [&] {
    return Error(ErrorCode::kBadFile, fmt::format("{}: damaged PNG ({})", where, png.image.message),
                 "write the picture again");
  };
  if (png_image_begin_read_from_memory(&png.image, data, bytes) == 0) throw damaged();
  // Deflate packs at most 1032 to 1; a pixel of a 1-bit PNG is an eighth of a byte.
  check_image_size(png.image.width, png.image.height, bytes, 1032 * 8, where);
  const bool colour = (png.image.format & PNG_FORMAT_FLAG_COLOR) != 0;
  const bool alpha = (png.image.format & PNG_FORMAT_FLAG_ALPHA) != 0;
  Image8 out(static_cast<int>(png.image.width), static_cast<int>(png.image.height), alpha ? 4 : colour ? 3 : 1);
  png.image.format = png_format(out.channels);
  if (png_image_finish_read(&png.image, nullptr, out.pixels.data(), 0, nullptr) == 0) throw damaged();
  return out;
}

}  // namespace media

std::vector<std::uint8_t> encode_png(const Image8& image) {
  if (image.width < 1 || image.height < 1 || (image.channels != 1 && image.channels != 3 && image.channels != 4)) {
    throw Error(ErrorCode::kBadArgument, fmt::format("cannot write a picture of {}x{} with {} channels as PNG",
                                                     image.width, image.height, image.channels));
  }
  PngControl png;
  png.image.width = static_cast<png_uint_32>(image.width);
  png.image.height = static_cast<png_uint_32>(image.height);
  png.image.format = png_format(image.channels);
  // Mattes are written by the thousand and flat: filtering them costs time and gains nothing.
  if (image.channels == 1) png.image.flags = PNG_IMAGE_FLAG_FAST;
  std::vector<std::uint8_t> bytes(PNG_IMAGE_PNG_SIZE_MAX(png.image));
  png_alloc_size_t size = bytes.size();
  if (png_image_write_to_memory(&png.image, bytes.data(), &size, 0, image.pixels.data(), 0, nullptr) == 0) {
    throw Error(ErrorCode::kInternal, fmt::format("libpng: {}", png.image.message));
  }
  bytes.resize(size);
  return bytes;
}

}  // namespace mien
