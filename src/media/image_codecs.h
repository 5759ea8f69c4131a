// The PNG and JPEG back ends of image.h. Both throw kBadFile naming `where`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "mien/media/image.h"

namespace mien::media {

constexpr int kMaxImageSide = 16384;

Image8 decode_png(const std::uint8_t* data, std::size_t bytes, const std::string& where);
Image8 decode_jpeg(const std::uint8_t* data, std::size_t bytes, const std::string& where);
std::vector<std::uint8_t> encode_jpeg(const Image8& image, int quality);

// Refuses sides outside 1..kMaxImageSide, and pictures of more than `max_pixels_per_byte` pixels per byte of file: no
// encoder makes such files, but a header of a few bytes can claim them, and would have us allocate gigabytes.
void check_image_size(std::uint64_t width, std::uint64_t height, std::size_t file_bytes,
                      std::uint64_t max_pixels_per_byte, const std::string& where);

}  // namespace mien::media
