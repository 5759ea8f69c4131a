// JPEG through libjpeg-turbo. Its errors leave by longjmp: the functions that call it therefore hold only plain data,
// and report to C++ callers that throw.
// jpeglib.h needs size_t and FILE before it.
// clang-format off
#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

#include "media/image_codecs.h"
#include "mien/base/error.h"

namespace mien::media {
namespace {

struct ErrorManager {
  jpeg_error_mgr base;  // first: libjpeg hands back a pointer to this
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
};

[[noreturn]] void leave(j_common_ptr common) {
  auto* manager = reinterpret_cast<ErrorManager*>(common->err);
  manager->base.format_message(common, manager->message);
  std::longjmp(manager->jump, 1);
}

// libjpeg paints grey over missing data and only warns; training on such a picture would be a silent defect.
void on_message(j_common_ptr common, int level) {
  if (level >= 0) return;
  switch (common->err->msg_code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
      leave(common);
    default:
      ++common->err->num_warnings;
  }
}

void install(ErrorManager& manager) {
  jpeg_std_error(&manager.base);
  manager.base.error_exit = leave;
  manager.base.emit_message = on_message;
  manager.message[0] = '\0';
}

struct Decoder {
  jpeg_decompress_struct jpeg = {};
  ErrorManager errors = {};
  Decoder() {
    jpeg.err = &errors.base;
    install(errors);
  }
  ~Decoder() { jpeg_destroy_decompress(&jpeg); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
};

bool begin(Decoder& decoder, const std::uint8_t* data, std::size_t bytes) {
  if (setjmp(decoder.errors.jump) != 0) return false;
  jpeg_create_decompress(&decoder.jpeg);
  jpeg_mem_src(&decoder.jpeg, data, bytes);
  return jpeg_read_header(&decoder.jpeg, TRUE) == JPEG_HEADER_OK;
}

bool read_pixels(Decoder& decoder, std::uint8_t* pixels, std::size_t stride) {
  if (setjmp(decoder.errors.jump) != 0) return false;
  jpeg_start_decompress(&decoder.jpeg);
  while (decoder.jpeg.output_scanline < decoder.jpeg.output_height) {
    JSAMPROW row = pixels + decoder.jpeg.output_scanline * stride;
    jpeg_read_scanlines(&decoder.jpeg, &row, 1);
  }
  jpeg_finish_decompress(&decoder.jpeg);
  return true;
}

struct Encoder {
  jpeg_compress_struct jpeg = {};
  ErrorManager errors = {};
  unsigned char* data = nullptr;
  unsigned long bytes = 0;
  Encoder() {
    jpeg.err = &errors.base;
    install(errors);
  }
  ~Encoder() {
    jpeg_destroy_compress(&jpeg);
    std::free(data);
  }
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;
};

bool compress(Encoder& encoder, const Image8* image, int quality) {
  if (setjmp(encoder.errors.jump) != 0) return false;
  jpeg_compress_struct& jpeg = encoder.jpeg;
  jpeg_create_compress(&jpeg);
  jpeg_mem_dest(&jpeg, &encoder.data, &encoder.bytes);
  jpeg.image_width = static_cast<JDIMENSION>(image->width);
  jpeg.image_height = static_cast<JDIMENSION>(image->height);
  jpeg.input_components = image->channels;
  jpeg.in_color_space = image->channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&jpeg);
  jpeg_set_quality(&jpeg, quality, TRUE);
  jpeg.comp_info[0].h_samp_factor = 1;  // 4:4:4: lips and eyes are small and coloured
  jpeg.comp_info[0].v_samp_factor = 1;
  jpeg_start_compress(&jpeg, TRUE);
  while (jpeg.next_scanline < jpeg.image_height) {
    auto* row = const_cast<JSAMPROW>(image->at(0, static_cast<int>(jpeg.next_scanline)));
    jpeg_write_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_compress(&jpeg);
  return true;
}

}  // namespace

Image8 decode_jpeg(const std::uint8_t* data, std::size_t bytes, const std::string& where) {
  Decoder decoder;
  const auto damaged = [&] {
    return Error(ErrorCode::kBadFile, fmt::format("{}: damaged JPEG ({})", where, decoder.errors.message),
                 "write the picture again");
  };
  if (!begin(decoder, data, bytes)) throw damaged();
  if (decoder.jpeg.num_components != 1 && decoder.jpeg.num_components != 3) {
    throw Error(ErrorCode::kUnsupported,
                fmt::format("{}: a JPEG with {} colour components", where, decoder.jpeg.num_components),
                "convert it to RGB or grey");
  }
  // A block of 64 pixels takes at least a bit; the coarsest legal subsampling has 4 such blocks in 1024 pixels.
  check_image_size(decoder.jpeg.image_width, decoder.jpeg.image_height, bytes, 2048, where);
  decoder.jpeg.out_color_space = decoder.jpeg.num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
  Image8 out(static_cast<int>(decoder.jpeg.image_width), static_cast<int>(decoder.jpeg.image_height),
             decoder.jpeg.num_components);
  if (!read_pixels(decoder, out.pixels.data(), static_cast<std::size_t>(out.width) * out.channels)) throw damaged();
  return out;
}

std::vector<std::uint8_t> encode_jpeg(const Image8& image, int quality) {
  if (image.width < 1 || image.height < 1 || (image.channels != 1 && image.channels != 3)) {
    throw Error(ErrorCode::kBadArgument,
                fmt::format("cannot write a picture of {}x{} with {} channels as JPEG", image.width, image.height,
                            image.channels),
                image.channels == 4 ? "write PNG, or drop the alpha channel" : "");
  }
  Encoder encoder;
  if (!compress(encoder, &image, quality)) {
    throw Error(ErrorCode::kInternal, fmt::format("libjpeg: {}", encoder.errors.message));
  }
  return {encoder.data, encoder.data + encoder.bytes};
}

}  // namespace mien::media
