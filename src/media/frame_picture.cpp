#include "media/frame_picture.h"

extern "C" {
#include <libavutil/display.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
}

#include <algorithm>
#include <cmath>

#include "media/fields.h"
#include "mien/base/error.h"

namespace mien::media {
namespace {

constexpr int kLargestSide = 16384;

Image8 turn(Image8 image, const Orientation& o) {
  if (o.a == 1 && o.d == 1) return image;
  const int w = image.width, h = image.height;
  Image8 out(o.lying() ? h : w, o.lying() ? w : h, 3);
  const int x0 = o.a + o.b < 0 ? w - 1 : 0, y0 = o.c + o.d < 0 ? h - 1 : 0;
  for (int y = 0; y < out.height; ++y) {
    for (int x = 0; x < out.width; ++x)
      std::copy_n(image.at(x0 + o.a * x + o.b * y, y0 + o.c * x + o.d * y), 3, out.at(x, y));
  }
  return out;
}

// Untagged video follows the custom of players: BT.709 from 720 lines on, BT.601 below.
void set_colours(SwsContext* scaler, const AVFrame& frame) {
  const bool is_709 =
      frame.colorspace == AVCOL_SPC_BT709 || (frame.colorspace == AVCOL_SPC_UNSPECIFIED && frame.height >= 720);
  const bool is_2020 = frame.colorspace == AVCOL_SPC_BT2020_NCL || frame.colorspace == AVCOL_SPC_BT2020_CL;
  const int* matrix = sws_getCoefficients(is_709 ? SWS_CS_ITU709 : is_2020 ? SWS_CS_BT2020 : SWS_CS_ITU601);
  const auto format = static_cast<AVPixelFormat>(frame.format);
  const bool full_range = frame.color_range == AVCOL_RANGE_JPEG || format == AV_PIX_FMT_YUVJ420P ||
                          format == AV_PIX_FMT_YUVJ422P || format == AV_PIX_FMT_YUVJ444P;
  sws_setColorspaceDetails(scaler, matrix, full_range ? 1 : 0, matrix, 1, 0, 1 << 16, 1 << 16);
}

}  // namespace

Orientation orientation_of(const AVStream& stream) {
  const auto* m =
      reinterpret_cast<const std::int32_t*>(av_stream_get_side_data(&stream, AV_PKT_DATA_DISPLAYMATRIX, nullptr));
  if (m == nullptr) return {};
  const double size = std::max({std::abs(double{1} * m[0]), std::abs(double{1} * m[1]), 1.0});
  const auto part = [&](int i) { return static_cast<int>(std::lround(std::clamp(m[i] / size, -1.0, 1.0))); };
  const Orientation o{part(0), part(1), part(3), part(4)};
  const bool quarter =
      std::abs(o.a) + std::abs(o.b) == 1 && o.a * o.c + o.b * o.d == 0 && std::abs(o.c) + std::abs(o.d) == 1;
  return quarter ? o : Orientation{};
}

FramePicture::FramePicture(const FfmpegInput& input, bool square_pixels)
    : name_(input.name()),
      orientation_(orientation_of(input.stream())),
      width_(input.stream().codecpar->width),
      height_(input.stream().codecpar->height),
      square_(square_pixels) {
  if (!square_) return;
  const AVStream& stream = input.stream();
  const AVRational shape =
      stream.sample_aspect_ratio.num > 0 ? stream.sample_aspect_ratio : stream.codecpar->sample_aspect_ratio;
  const double ratio = shape.num > 0 && shape.den > 0 ? av_q2d(shape) : 1;
  oblong_ = std::abs(ratio - 1) > 0.01 && ratio > 0.2 && ratio < 5;
  if (!oblong_) return;
  if (ratio > 1) {
    width_ = std::min(static_cast<int>(std::lround(width_ * ratio)), kLargestSide);
  } else {
    height_ = std::min(static_cast<int>(std::lround(height_ / ratio)), kLargestSide);
  }
}

FramePicture::~FramePicture() {
  sws_freeContext(scaler_);
}

Image8 FramePicture::to_rgb(const AVFrame& frame, int first, int step, int width, int height) {
  const auto format = static_cast<AVPixelFormat>(frame.format);
  const int lines = (frame.height - first + step - 1) / step;
  const bool same_size = width == frame.width && height == lines;
  const int filter = (same_size ? SWS_BILINEAR : SWS_BICUBIC) | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT;
  scaler_ = sws_getCachedContext(scaler_, frame.width, lines, format, width, height, AV_PIX_FMT_RGB24, filter, nullptr,
                                 nullptr, nullptr);
  if (scaler_ == nullptr) {
    const char* kind = av_get_pix_fmt_name(format);
    throw Error(ErrorCode::kUnsupported,
                fmt::format("{}: pixels of kind {} cannot be read", name_, kind != nullptr ? kind : "unknown"),
                "convert the video to yuv420p");
  }
  set_colours(scaler_, frame);
  const std::uint8_t* from[4] = {};
  int from_strides[4] = {};
  for (int i = 0; i < 4 && frame.data[i] != nullptr; ++i) {
    const bool palette = i == 1 && (av_pix_fmt_desc_get(format)->flags & AV_PIX_FMT_FLAG_PAL) != 0;
    from[i] = frame.data[i] + (palette ? 0 : first * frame.linesize[i]);
    from_strides[i] = frame.linesize[i] * step;
  }
  Image8 out(width, height, 3);
  std::uint8_t* const planes[4] = {out.pixels.data(), nullptr, nullptr, nullptr};
  const int strides[4] = {width * 3, 0, 0, 0};
  sws_scale(scaler_, from, from_strides, 0, lines, planes, strides);
  return out;
}

Image8 FramePicture::convert(const AVFrame& frame, bool interlaced) {
  if (frame.width > kLargestSide || frame.height > kLargestSide || frame.width < 1 || frame.height < 1) {
    throw Error(ErrorCode::kBadFile, fmt::format("{}: frames of {}x{}", name_, frame.width, frame.height),
                "make it smaller than 16384 pixels a side");
  }
  const int width = square_ ? width_ : frame.width, height = square_ ? height_ : frame.height;
  if (!interlaced || frame.height < 4 || frame.height % 4 != 0)
    return turn(to_rgb(frame, 0, 1, width, height), orientation_);
  const int lines = frame.height / 2;
  Image8 woven = weave_fields(to_rgb(frame, 0, 2, frame.width, lines), to_rgb(frame, 1, 2, frame.width, lines));
  if (woven.width != width || woven.height != height) woven = resize_image(woven, width, height);
  return turn(std::move(woven), orientation_);
}

}  // namespace mien::media
