#include "mien/media/image.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstring>

#include "media/image_codecs.h"
#include "mien/base/error.h"
#include "mien/base/file.h"

namespace mien {
namespace media {

void check_image_size(std::uint64_t width, std::uint64_t height, std::size_t file_bytes,
                      std::uint64_t max_pixels_per_byte, const std::string& where) {
  if (width < 1 || height < 1 || width > kMaxImageSide || height > kMaxImageSide) {
    throw Error(ErrorCode::kBadFile, fmt::format("{}: a picture of {}x{} pixels", where, width, height),
                fmt::format("sides of 1 to {} are allowed", kMaxImageSide));
  }
  if (width * height / max_pixels_per_byte > file_bytes) {
    throw Error(ErrorCode::kBadFile,
                fmt::format("{}: claims {}x{} pixels in {} bytes", where, width, height, file_bytes),
                "the file is truncated or its header is damaged");
  }
}

}  // namespace media

Image8 to_8bit(const ImageF& image) {
  Image8 out(image.width, image.height, image.channels);
  for (std::size_t i = 0; i < image.pixels.size(); ++i) {
    // Written so that NaN becomes 0.
    const float value = image.pixels[i] > 0.0f ? std::min(image.pixels[i], 1.0f) : 0.0f;
    out.pixels[i] = static_cast<std::uint8_t>(value * 255.0f + 0.5f);
  }
  return out;
}

ImageF to_float(const Image8& image) {
  ImageF out(image.width, image.height, image.channels);
  for (std::size_t i = 0; i < image.pixels.size(); ++i) out.pixels[i] = static_cast<float>(image.pixels[i]) / 255.0f;
  return out;
}

Image8 decode_image(const std::uint8_t* data, std::size_t bytes, const std::string& where) {
  if (bytes == 0) throw Error(ErrorCode::kBadFile, where + ": is empty", "write the picture again");
  static constexpr std::uint8_t kPng[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  if (bytes >= sizeof kPng && std::memcmp(data, kPng, sizeof kPng) == 0) return media::decode_png(data, bytes, where);
  if (bytes >= 3 && data[0] == 0xff && data[1] == 0xd8 && data[2] == 0xff) {
    return media::decode_jpeg(data, bytes, where);
  }
  throw Error(ErrorCode::kBadFile, where + ": is neither PNG nor JPEG", "convert it to PNG or JPEG");
}

Image8 read_image(const std::filesystem::path& path) {
  const std::vector<std::uint8_t> bytes = read_file(path, std::size_t{1} << 30);
  return decode_image(bytes.data(), bytes.size(), path.string());
}

std::vector<std::uint8_t> encode_jpeg(const Image8& image, int quality) {
  if (quality < 0 || quality > 100) {
    throw Error(ErrorCode::kBadArgument, fmt::format("JPEG quality {}", quality), "use 0 to 100");
  }
  return media::encode_jpeg(image, quality);
}

void write_image(const std::filesystem::path& path, const Image8& image, int jpeg_quality) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  std::vector<std::uint8_t> bytes;
  if (extension == ".png") {
    bytes = encode_png(image);
  } else if (extension == ".jpg" || extension == ".jpeg") {
    if (jpeg_quality < 0 || jpeg_quality > 100) {
      throw Error(ErrorCode::kBadArgument, fmt::format("JPEG quality {}", jpeg_quality), "use 0 to 100");
    }
    bytes = media::encode_jpeg(image, jpeg_quality);
  } else {
    throw Error(ErrorCode::kBadArgument, fmt::format("{}: unknown kind of picture", path.string()),
                "name it .png, .jpg or .jpeg");
  }
  write_file(path, bytes.data(), bytes.size());
}

namespace {

Image8 to_rgb(const Image8& image, std::uint8_t background) {
  if (image.channels == 3) return image;
  Image8 out(image.width, image.height, 3);
  const std::size_t count = static_cast<std::size_t>(image.width) * image.height;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint8_t* from = image.pixels.data() + i * image.channels;
    for (int c = 0; c < 3; ++c) {
      const int value = image.channels == 1 ? from[0] : (from[c] * from[3] + background * (255 - from[3]) + 127) / 255;
      out.pixels[i * 3 + c] = static_cast<std::uint8_t>(value);
    }
  }
  return out;
}

// The input pixels that make one output pixel, along one axis.
struct Tap {
  int first = 0;
  std::vector<float> weights;
};

std::vector<Tap> make_taps(int from, int to) {
  std::vector<Tap> taps(static_cast<std::size_t>(to));
  const double step = static_cast<double>(from) / to;
  for (int i = 0; i < to; ++i) {
    Tap& tap = taps[i];
    if (step >= 1) {  // reduction: the share of each input pixel that the output pixel covers
      const double low = i * step;
      const double high = std::min<double>(from, (i + 1) * step);
      tap.first = static_cast<int>(low);
      for (int x = tap.first; x < from && x < high; ++x) {
        const double share = (std::min<double>(x + 1, high) - std::max<double>(x, low)) / step;
        tap.weights.push_back(static_cast<float>(share));
      }
    } else {  // enlargement: between the two nearest pixel centres
      const double centre = std::clamp((i + 0.5) * step - 0.5, 0.0, from - 1.0);
      tap.first = std::min(static_cast<int>(centre), std::max(from - 2, 0));
      const auto share = static_cast<float>(centre - tap.first);
      tap.weights = {1 - share};
      if (from > 1) tap.weights.push_back(share);
    }
  }
  return taps;
}

}  // namespace

Image8 resize_image(const Image8& image, int width, int height) {
  if (image.width < 1 || image.height < 1 || width < 1 || height < 1 || width > media::kMaxImageSide ||
      height > media::kMaxImageSide) {
    throw Error(ErrorCode::kBadArgument,
                fmt::format("cannot resize a picture of {}x{} to {}x{}", image.width, image.height, width, height));
  }
  const int channels = image.channels;
  const std::vector<Tap> columns = make_taps(image.width, width);
  const std::vector<Tap> rows = make_taps(image.height, height);
  ImageF narrow(width, image.height, channels);
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < width; ++x) {
      float* to = narrow.at(x, y);
      const std::uint8_t* from = image.at(columns[x].first, y);
      for (const float weight : columns[x].weights) {
        for (int c = 0; c < channels; ++c) to[c] += weight * static_cast<float>(from[c]);
        from += channels;
      }
    }
  }
  Image8 out(width, height, channels);
  const std::size_t stride = static_cast<std::size_t>(width) * channels;
  std::vector<float> line(stride);
  for (int y = 0; y < height; ++y) {
    std::fill(line.begin(), line.end(), 0.5f);  // rounds to nearest below
    const float* from = narrow.at(0, rows[y].first);
    for (const float weight : rows[y].weights) {
      for (std::size_t i = 0; i < stride; ++i) line[i] += weight * from[i];
      from += stride;
    }
    std::uint8_t* to = out.at(0, y);
    for (std::size_t i = 0; i < stride; ++i) to[i] = static_cast<std::uint8_t>(std::clamp(line[i], 0.0f, 255.0f));
  }
  return out;
}

Image8 tile_images(const std::vector<Image8>& images, int columns, int gap, std::uint8_t background) {
  if (images.empty() || columns < 1 || gap < 0) {
    throw Error(ErrorCode::kBadArgument,
                fmt::format("cannot tile {} pictures in {} columns with a gap of {}", images.size(), columns, gap));
  }
  const int count = static_cast<int>(images.size());
  columns = std::min(columns, count);
  const int rows = (count + columns - 1) / columns;
  int cell_width = 0;
  int cell_height = 0;
  for (const Image8& image : images) {
    cell_width = std::max(cell_width, image.width);
    cell_height = std::max(cell_height, image.height);
  }
  Image8 sheet(columns * cell_width + (columns + 1) * gap, rows * cell_height + (rows + 1) * gap, 3, background);
  for (int i = 0; i < count; ++i) {
    if (images[i].pixels.empty()) continue;
    const Image8 rgb = to_rgb(images[i], background);
    const int left = gap + (i % columns) * (cell_width + gap);
    const int top = gap + (i / columns) * (cell_height + gap);
    for (int y = 0; y < rgb.height; ++y) {
      std::memcpy(sheet.at(left, top + y), rgb.at(0, y), static_cast<std::size_t>(rgb.width) * 3);
    }
  }
  return sheet;
}

}  // namespace mien
