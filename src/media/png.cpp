// PNG through libpng.
#include <png.h>

#include <csetjmp>
#include <cstdio>
#include <cstring>

#include "media/image_codecs.h"
#include "mien/base/error.h"

namespace mien {
namespace {

png_uint_32 png_format(int channels) {
  return channels == 1 ? PNG_FORMAT_GRAY : channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_RGBA;
}

// Writing uses the simplified API, which keeps its own setjmp inside. Owns what libpng hangs on its control structure.
struct PngControl {
  png_image image = {};
  PngControl() { image.version = PNG_IMAGE_VERSION; }
  ~PngControl() { png_image_free(&image); }
  PngControl(const PngControl&) = delete;
  PngControl& operator=(const PngControl&) = delete;
};

}  // namespace

namespace media {
namespace {

// Reading uses the low-level API, whose errors leave by longjmp: the functions it passes through hold only plain data.
// (The simplified API would convert pixels by the gAMA chunk, as no other tool that people compare with does.)
struct Decoder {
  png_structp png = nullptr;
  png_infop info = nullptr;
  const std::uint8_t* data = nullptr;
  std::size_t left = 0;
  std::jmp_buf jump;
  char message[128] = "";
  Decoder(const std::uint8_t* bytes, std::size_t count) : data(bytes), left(count) {}
  ~Decoder() { png_destroy_read_struct(&png, &info, nullptr); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
};

[[noreturn]] void on_error(png_structp png, png_const_charp text) {
  auto* decoder = static_cast<Decoder*>(png_get_error_ptr(png));
  std::snprintf(decoder->message, sizeof decoder->message, "%s", text);
  std::longjmp(decoder->jump, 1);
}

void on_warning(png_structp, png_const_charp) {}

void read_bytes(png_structp png, png_bytep to, std::size_t count) {
  auto* decoder = static_cast<Decoder*>(png_get_io_ptr(png));
  if (count > decoder->left) png_error(png, "the file is truncated");
  std::memcpy(to, decoder->data, count);
  decoder->data += count;
  decoder->left -= count;
}

bool begin(Decoder& decoder) {
  if (setjmp(decoder.jump) != 0) return false;
  decoder.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &decoder, on_error, on_warning);
  decoder.info = decoder.png != nullptr ? png_create_info_struct(decoder.png) : nullptr;
  if (decoder.info == nullptr) return false;
  png_set_read_fn(decoder.png, &decoder, read_bytes);
  png_set_user_limits(decoder.png, 0x7fffffff, 0x7fffffff);  // check_image_size() has the better message
  png_set_chunk_malloc_max(decoder.png, 8u << 20);
  png_read_info(decoder.png, decoder.info);
  // Everything becomes 8 bits of grey, RGB or RGBA.
  const png_byte colour = png_get_color_type(decoder.png, decoder.info);
  const bool alpha =
      (colour & PNG_COLOR_MASK_ALPHA) != 0 || png_get_valid(decoder.png, decoder.info, PNG_INFO_tRNS) != 0;
  png_set_expand(decoder.png);
  png_set_scale_16(decoder.png);
  if (alpha && (colour & PNG_COLOR_MASK_COLOR) == 0) png_set_gray_to_rgb(decoder.png);
  png_set_interlace_handling(decoder.png);
  png_read_update_info(decoder.png, decoder.info);
  return true;
}

bool read_pixels(Decoder& decoder, std::uint8_t** rows) {
  if (setjmp(decoder.jump) != 0) return false;
  png_read_image(decoder.png, rows);
  png_read_end(decoder.png, nullptr);
  return true;
}

}  // namespace

Image8 decode_png(const std::uint8_t* data, std::size_t bytes, const std::string& where) {
  Decoder decoder(data, bytes);
  const auto damaged = [&] {
    return Error(ErrorCode::kBadFile, fmt::format("{}: damaged PNG ({})", where, decoder.message),
                 "write the picture again");
  };
  if (!begin(decoder)) throw damaged();
  const png_uint_32 width = png_get_image_width(decoder.png, decoder.info);
  const png_uint_32 height = png_get_image_height(decoder.png, decoder.info);
  // Deflate packs at most 1032 to 1; a pixel of a 1-bit PNG is an eighth of a byte.
  check_image_size(width, height, bytes, 1032 * 8, where);
  Image8 out(static_cast<int>(width), static_cast<int>(height), png_get_channels(decoder.png, decoder.info));
  if (png_get_rowbytes(decoder.png, decoder.info) != static_cast<std::size_t>(out.width) * out.channels)
    throw damaged();
  std::vector<std::uint8_t*> rows(height);
  for (png_uint_32 y = 0; y < height; ++y) rows[y] = out.at(0, static_cast<int>(y));
  if (!read_pixels(decoder, rows.data())) throw damaged();
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
