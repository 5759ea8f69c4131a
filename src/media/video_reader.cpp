// Video files in, through FFmpeg, as upright RGB frames.
extern "C" {
#include <libavutil/display.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
}

#include <algorithm>
#include <cmath>

#include "media/ffmpeg_input.h"
#include "mien/base/error.h"
#include "mien/media/video.h"

namespace mien {
namespace {

// How often the stored picture must be turned a quarter clockwise to stand upright (telephones store it lying).
int quarter_turns(const AVStream& stream) {
  const auto* matrix =
      reinterpret_cast<const std::int32_t*>(av_stream_get_side_data(&stream, AV_PKT_DATA_DISPLAYMATRIX, nullptr));
  if (matrix == nullptr) return 0;
  const double degrees = av_display_rotation_get(matrix);  // counter-clockwise turn of the stored picture
  if (std::isnan(degrees)) return 0;
  return (static_cast<int>(std::lround(-degrees / 90.0)) % 4 + 4) % 4;
}

Image8 turn(const Image8& image, int quarters) {
  if (quarters == 0) return image;
  const int w = image.width;
  const int h = image.height;
  Image8 out(quarters % 2 == 1 ? h : w, quarters % 2 == 1 ? w : h, 3);
  for (int y = 0; y < out.height; ++y) {
    for (int x = 0; x < out.width; ++x) {
      const std::uint8_t* from = quarters == 1   ? image.at(y, h - 1 - x)
                                 : quarters == 2 ? image.at(w - 1 - x, h - 1 - y)
                                                 : image.at(w - 1 - y, x);
      std::copy_n(from, 3, out.at(x, y));
    }
  }
  return out;
}

void add_tags(const AVDictionary* tags, std::map<std::string, std::string>& out) {
  const AVDictionaryEntry* tag = nullptr;
  while ((tag = av_dict_get(tags, "", tag, AV_DICT_IGNORE_SUFFIX)) != nullptr) out[tag->key] = tag->value;
}

}  // namespace

struct VideoReader::Impl {
  media::FfmpegInput input;
  VideoInfo info;
  SwsContext* scaler = nullptr;
  int turns = 0;

  explicit Impl(const std::filesystem::path& path) : input(media::ByteSource(path), AVMEDIA_TYPE_VIDEO) {
    const AVStream& stream = input.stream();
    const AVFormatContext& format = input.format();
    turns = quarter_turns(stream);
    info.width = turns % 2 == 1 ? stream.codecpar->height : stream.codecpar->width;
    info.height = turns % 2 == 1 ? stream.codecpar->width : stream.codecpar->height;
    const AVRational rate = stream.avg_frame_rate.num > 0 ? stream.avg_frame_rate : stream.r_frame_rate;
    info.fps = rate.den > 0 ? av_q2d(rate) : 0;
    info.duration = input.duration();
    for (unsigned i = 0; i < format.nb_streams; ++i) {
      info.has_audio |= format.streams[i]->codecpar->codec_type == AVMEDIA_TYPE_AUDIO;
    }
    add_tags(format.metadata, info.metadata);
  }
  ~Impl() { sws_freeContext(scaler); }

  Image8 convert(const AVFrame& frame) {
    const auto format = static_cast<AVPixelFormat>(frame.format);
    if (frame.width > 16384 || frame.height > 16384) {
      throw Error(ErrorCode::kBadFile, fmt::format("{}: frames of {}x{}", input.name(), frame.width, frame.height),
                  "make it smaller than 16384 pixels a side");
    }
    scaler =
        sws_getCachedContext(scaler, frame.width, frame.height, format, frame.width, frame.height, AV_PIX_FMT_RGB24,
                             SWS_BILINEAR | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT, nullptr, nullptr, nullptr);
    if (scaler == nullptr) {
      const char* name = av_get_pix_fmt_name(format);
      throw Error(ErrorCode::kUnsupported,
                  fmt::format("{}: pixels of kind {} cannot be read", input.name(), name != nullptr ? name : "unknown"),
                  "convert the video to yuv420p");
    }
    // Untagged video follows the custom of players: BT.709 from 720 lines on, BT.601 below.
    const bool is_709 =
        frame.colorspace == AVCOL_SPC_BT709 || (frame.colorspace == AVCOL_SPC_UNSPECIFIED && frame.height >= 720);
    const bool is_2020 = frame.colorspace == AVCOL_SPC_BT2020_NCL || frame.colorspace == AVCOL_SPC_BT2020_CL;
    const int* matrix = sws_getCoefficients(is_709 ? SWS_CS_ITU709 : is_2020 ? SWS_CS_BT2020 : SWS_CS_ITU601);
    const bool full_range = frame.color_range == AVCOL_RANGE_JPEG || format == AV_PIX_FMT_YUVJ420P ||
                            format == AV_PIX_FMT_YUVJ422P || format == AV_PIX_FMT_YUVJ444P;
    sws_setColorspaceDetails(scaler, matrix, full_range ? 1 : 0, matrix, 1, 0, 1 << 16, 1 << 16);
    Image8 out(frame.width, frame.height, 3);
    std::uint8_t* const planes[4] = {out.pixels.data(), nullptr, nullptr, nullptr};
    const int strides[4] = {frame.width * 3, 0, 0, 0};
    sws_scale(scaler, frame.data, frame.linesize, 0, frame.height, planes, strides);
    return turn(out, turns);
  }
};

VideoReader::VideoReader(const std::filesystem::path& path) : impl_(new Impl(path)) {}
VideoReader::~VideoReader() {
  delete impl_;
}
const VideoInfo& VideoReader::info() const {
  return impl_->info;
}

bool VideoReader::read(Image8& frame) {
  const AVFrame* decoded = impl_->input.next();
  if (decoded == nullptr) return false;
  frame = impl_->convert(*decoded);
  return true;
}

bool have_ffmpeg() {
  return true;
}

}  // namespace mien
