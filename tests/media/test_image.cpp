#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <fstream>

#include "media_tools.h"
#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/base/random.h"
#include "mien/media/image.h"

namespace mien {
namespace {

namespace fs = std::filesystem;

Image8 noise(int width, int height, int channels, int seed) {
  Image8 image(width, height, channels);
  Random random(seed);
  for (std::uint8_t& pixel : image.pixels) pixel = static_cast<std::uint8_t>(random.below(256));
  return image;
}

Image8 smooth(int width, int height) {
  Image8 image(width, height, 3);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < 3; ++c) {
        image.at(x, y)[c] = static_cast<std::uint8_t>(127 + 100 * std::sin(0.1 * x + 0.07 * y * (c + 1)));
      }
    }
  }
  return image;
}

std::vector<std::uint8_t> jpeg_bytes(const Image8& image) {
  const fs::path path = fs::temp_directory_path() / fmt::format("mien_image_{}.jpg", ::getpid());
  write_image(path, image);
  std::vector<std::uint8_t> bytes = read_file(path);
  fs::remove(path);
  return bytes;
}

TEST(Image, PngKeepsEveryPixel) {
  for (const int channels : {1, 3, 4}) {
    const Image8 image = noise(37, 21, channels, channels);
    const std::vector<std::uint8_t> bytes = encode_png(image);
    const Image8 back = decode_image(bytes.data(), bytes.size(), "memory");
    EXPECT_EQ(back.width, 37);
    EXPECT_EQ(back.height, 21);
    EXPECT_EQ(back.channels, channels);
    EXPECT_EQ(back.pixels, image.pixels);
  }
}

TEST(Image, JpegIsCloseAndFullChroma) {
  const Image8 image = smooth(64, 48);
  const std::vector<std::uint8_t> bytes = jpeg_bytes(image);
  const Image8 back = decode_image(bytes.data(), bytes.size(), "memory");
  ASSERT_EQ(back.pixels.size(), image.pixels.size());
  double error = 0;
  for (std::size_t i = 0; i < image.pixels.size(); ++i) error += std::abs(int{back.pixels[i]} - image.pixels[i]);
  EXPECT_LT(error / static_cast<double>(image.pixels.size()), 1.5);
  // Alternating red and green columns come out grey-brown when chroma is subsampled.
  Image8 stripes(16, 16, 3);
  for (int y = 0; y < 16; ++y) {
    for (int x = 0; x < 16; ++x) stripes.at(x, y)[x % 2] = 255;
  }
  const std::vector<std::uint8_t> striped = jpeg_bytes(stripes);
  const Image8 sharp = decode_image(striped.data(), striped.size(), "memory");
  EXPECT_GT(sharp.at(8, 8)[0], 200);
  EXPECT_LT(sharp.at(9, 8)[0], 55);
}

TEST(Image, RefusesWhatItCannotWrite) {
  const fs::path folder = fs::temp_directory_path();
  EXPECT_THROW(write_image(folder / "mien_x.jpg", Image8(4, 4, 4)), Error);
  EXPECT_THROW(write_image(folder / "mien_x.bmp", Image8(4, 4, 3)), Error);
  EXPECT_THROW(write_image(folder / "mien_x.png", Image8()), Error);
  EXPECT_THROW(write_image(folder / "absent_folder" / "x.png", Image8(4, 4, 3)), Error);
}

TEST(Image, EveryTruncationIsRefused) {
  const std::vector<std::uint8_t> png = encode_png(smooth(24, 16));
  const std::vector<std::uint8_t> jpeg = jpeg_bytes(smooth(24, 16));
  for (const std::vector<std::uint8_t>* file : {&png, &jpeg}) {
    // Both end in a marker without pixels (IEND, EOI); all before it must be there.
    const std::size_t end = file->size() - (file == &png ? 12 : 2);
    for (std::size_t length = 0; length < end; ++length) {
      const std::vector<std::uint8_t> part(file->begin(), file->begin() + static_cast<std::ptrdiff_t>(length));
      EXPECT_THROW(decode_image(part.data(), part.size(), "memory"), Error) << length << " of " << file->size();
    }
  }
}

TEST(Image, FlippedBytesNeverCrash) {
  int refused = 0;
  for (const std::vector<std::uint8_t>& file : {encode_png(smooth(24, 16)), jpeg_bytes(smooth(24, 16))}) {
    Random random(7);
    for (int trial = 0; trial < 1500; ++trial) {
      std::vector<std::uint8_t> damaged = file;
      for (int flips = 0; flips < 1 + trial % 3; ++flips) {
        damaged[random.below(static_cast<std::uint32_t>(damaged.size()))] ^=
            static_cast<std::uint8_t>(1 + random.below(255));
      }
      try {
        const Image8 image = decode_image(damaged.data(), damaged.size(), "memory");
        EXPECT_EQ(image.pixels.size(), static_cast<std::size_t>(image.width) * image.height * image.channels);
      } catch (const Error&) {
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 1000);
}

TEST(Image, HostileSizesAreRefusedBeforeAllocating) {
  std::vector<std::uint8_t> png = encode_png(Image8(16, 16, 1));
  // IHDR width and height to 16000 each, with the right checksum, in a file of some hundred bytes.
  const auto crc = [](const std::uint8_t* data, std::size_t size) {
    std::uint32_t value = 0xffffffffu;
    for (std::size_t i = 0; i < size; ++i) {
      value ^= data[i];
      for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ (0xedb88320u & (0u - (value & 1u)));
    }
    return ~value;
  };
  png[18] = png[22] = 16000 >> 8;
  png[19] = png[23] = 16000 & 255;
  const std::uint32_t sum = crc(png.data() + 12, 17);
  for (int i = 0; i < 4; ++i) png[29 + i] = static_cast<std::uint8_t>(sum >> (24 - 8 * i));
  try {
    decode_image(png.data(), png.size(), "memory");
    FAIL() << "a hostile size was accepted";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("claims 16000x16000"), std::string::npos) << error.what();
  }
}

// Kinds of PNG that we do not write ourselves; the pixels of one source, as the ffmpeg program stores them.
TEST(Image, PngOfOtherWriters) {
  MIEN_NEED_PROGRAM("ffmpeg");
  const fs::path folder = fs::temp_directory_path() / fmt::format("mien_png_{}", ::getpid());
  fs::create_directories(folder);
  const Image8 image = smooth(40, 30);
  write_image(folder / "a.png", image);
  for (const char* format : {"rgb24", "rgba", "gray", "rgb48be", "gray16be", "ya8", "monob", "pal8"}) {
    ASSERT_TRUE(shell(fmt::format("ffmpeg -nostdin -y -i '{0}/a.png' -pix_fmt {1} -color_trc bt709 '{0}/b.png'",
                                  folder.string(), format)));
    const Image8 read = read_image(folder / "b.png");
    const std::string name = format;
    EXPECT_EQ(read.channels, name == "rgba" || name == "ya8" ? 4 : name[0] == 'r' || name == "pal8" ? 3 : 1) << format;
    const int tolerance = name == "rgb48be" ? 1 : 0;       // the program widens to 16 bits in its own way
    for (int i = 0; i < 40 * 30 && name[0] == 'r'; ++i) {  // the lossless ones: a gamma tag must change nothing
      for (int c = 0; c < 3; ++c)
        ASSERT_NEAR(read.pixels[i * read.channels + c], image.pixels[i * 3 + c], tolerance) << format;
    }
  }
  fs::remove_all(folder);
}

TEST(Image, ErrorsNameTheFile) {
  const fs::path path = fs::temp_directory_path() / fmt::format("mien_image_{}.png", ::getpid());
  EXPECT_THROW(read_image(path), Error);
  std::ofstream(path) << "this is text";
  try {
    read_image(path);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(path.string()), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("neither PNG nor JPEG"), std::string::npos);
  }
  std::ofstream(path, std::ios::trunc).close();
  EXPECT_THROW(read_image(path), Error);
  fs::remove(path);
}

TEST(Image, ResizeKeepsMeansAndPositions) {
  const Image8 image = noise(30, 20, 3, 3);
  const Image8 half = resize_image(image, 15, 10);
  for (int y = 0; y < 10; ++y) {
    for (int x = 0; x < 15; ++x) {
      for (int c = 0; c < 3; ++c) {
        const double mean = (image.at(2 * x, 2 * y)[c] + image.at(2 * x + 1, 2 * y)[c] + image.at(2 * x, 2 * y + 1)[c] +
                             image.at(2 * x + 1, 2 * y + 1)[c]) /
                            4.0;
        EXPECT_NEAR(half.at(x, y)[c], mean, 0.51);
      }
    }
  }
  EXPECT_EQ(resize_image(image, 30, 20).pixels, image.pixels);
  Image8 ramp(8, 1, 1);  // a ramp stays a ramp when enlarged
  for (int x = 0; x < 8; ++x) *ramp.at(x, 0) = static_cast<std::uint8_t>(20 * x);
  const Image8 wide = resize_image(ramp, 32, 3);
  for (int x = 2; x < 30; ++x) EXPECT_NEAR(*wide.at(x, 1), 20 * ((x + 0.5) / 4 - 0.5), 0.51);
  const Image8 third = resize_image(noise(31, 17, 1, 9), 10, 7);  // uneven shares still sum to one
  double mean = 0;
  for (const std::uint8_t pixel : third.pixels) mean += pixel / 70.0;
  EXPECT_NEAR(mean, 127, 12);
  const Image8 white = resize_image(Image8(31, 17, 1, 255), 10, 7);
  for (const std::uint8_t pixel : white.pixels) EXPECT_EQ(pixel, 255);
}

TEST(Image, TilesAndText) {
  std::vector<Image8> pictures = {Image8(10, 8, 3, 10), Image8(6, 8, 1, 20), Image8(10, 4, 4, 30)};
  const Image8 sheet = tile_images(pictures, 2, 4, 200);
  EXPECT_EQ(sheet.width, 2 * 10 + 3 * 4);
  EXPECT_EQ(sheet.height, 2 * 8 + 3 * 4);
  EXPECT_EQ(sheet.at(4, 4)[0], 10);
  EXPECT_EQ(sheet.at(4 + 10 + 4, 4)[2], 20);
  EXPECT_EQ(sheet.at(4, 4 + 8 + 4)[1], (30 * 30 + 200 * 225 + 127) / 255);
  EXPECT_EQ(sheet.at(0, 0)[0], 200);

  Image8 page(64, 8, 1, 255);
  draw_text(page, 0, 0, "I-", 1);
  EXPECT_EQ(*page.at(3, 2), 0);    // the stem of I
  EXPECT_EQ(*page.at(1, 3), 255);  // beside it
  EXPECT_EQ(*page.at(9, 3), 0);    // the dash
  EXPECT_EQ(*page.at(9, 2), 255);
  draw_text(page, 60, -3, "clipped\n\xff", 3);  // outside the picture: no crash
  draw_text(page, -1000, 5, "clipped", 3);
}

TEST(Image, FloatConversionRoundsAndClamps) {
  ImageF image(4, 1, 1);
  image.pixels = {-1.0f, 0.5f, 2.0f, std::nanf("")};
  EXPECT_EQ(to_8bit(image).pixels, (std::vector<std::uint8_t>{0, 128, 255, 0}));
  const Image8 all = noise(16, 16, 3, 5);
  EXPECT_EQ(to_8bit(to_float(all)).pixels, all.pixels);
}

}  // namespace
}  // namespace mien
