#include "mien/media/steady_video.h"

#include <algorithm>
#include <cmath>

#include "media/ffmpeg_input.h"
#include "media/frame_picture.h"
#include "media/frame_times.h"
#include "mien/base/error.h"

namespace mien {
namespace {

bool is_interlaced(const AVFrame& frame) {
#ifdef AV_FRAME_FLAG_INTERLACED
  return (frame.flags & AV_FRAME_FLAG_INTERLACED) != 0;
#else
  return frame.interlaced_frame != 0;
#endif
}

// A decoded frame and when it is shown: seconds after the first one.
struct TimedFrame {
  media::FramePtr frame{av_frame_alloc()};
  double time = 0;
  bool there = false;
};

const std::filesystem::path& file_only(const std::filesystem::path& path) {
  if (path == "-")
    throw Error(ErrorCode::kBadArgument, "standard input cannot be read twice, as tracking must",
                "give the name of a video file");
  return path;
}

}  // namespace

struct SteadyVideoReader::Impl {
  media::FfmpegInput input;
  media::FramePicture picture;
  SteadyVideoInfo info;
  double native_fps = 0;
  TimedFrame now, next;
  double clock_shift = 0;  // added to the file's times to close jumps
  double last_time = 0;    // of the frame decoded last
  std::int64_t first_stamp = AV_NOPTS_VALUE;
  int position = 0;
  Image8 last;  // the picture of `now`, once converted
  bool converted = false, interlace_noted = false, clock_noted = false;

  Impl(const std::filesystem::path& path, const SteadyVideoOptions& options)
      : input(media::ByteSource(file_only(path)), AVMEDIA_TYPE_VIDEO, true), picture(input, true) {
    plan(path, options);
    fetch();
    if (!next.there) {
      throw Error(ErrorCode::kBadFile,
                  fmt::format("{}: no picture of it can be decoded{}", input.name(),
                              input.damage().empty() ? "" : " (it " + input.damage() + ")"),
                  "copy or record the file again");
    }
    advance();
  }

  void plan(const std::filesystem::path& path, const SteadyVideoOptions& options) {
    const AVStream& stream = input.stream();
    const std::vector<std::int64_t> stamps =
        media::FfmpegInput(media::ByteSource(path), AVMEDIA_TYPE_VIDEO, true).packet_times();
    std::vector<double> times(stamps.size());
    for (std::size_t i = 0; i < times.size(); ++i)
      times[i] = static_cast<double>(stamps[i] - stamps.front()) * av_q2d(stream.time_base);
    const AVRational promised = stream.avg_frame_rate.num > 0 ? stream.avg_frame_rate : stream.r_frame_rate;
    const media::SteadyRate rate =
        media::steady_rate(times, promised.den > 0 ? av_q2d(promised) : 0, input.duration(), options.most_fps);
    native_fps = rate.native;
    info.width = picture.width();
    info.height = picture.height();
    info.fps = rate.fps;
    info.frames = std::max(1, static_cast<int>(std::min(std::floor(rate.seconds * rate.fps + 0.49), 1e9)));
    info.notes = rate.notes;
    if (picture.oblong_pixels())
      info.notes.push_back(fmt::format("oblong pixels: made square, {}x{}", info.width, info.height));
    if (!stamps.empty())
      find_audio(static_cast<double>(stamps.front()) * av_q2d(stream.time_base));
    else
      find_audio(0);
  }

  void find_audio(double video_start) {
    const AVFormatContext& format = input.format();
    const int best = av_find_best_stream(const_cast<AVFormatContext*>(&format), AVMEDIA_TYPE_AUDIO, -1, -1, nullptr, 0);
    info.has_audio = best >= 0;
    if (best < 0) return;
    const AVStream& audio = *format.streams[best];
    if (audio.start_time != AV_NOPTS_VALUE)
      info.audio_start = static_cast<double>(audio.start_time) * av_q2d(audio.time_base) - video_start;
    if (std::abs(info.audio_start) > kLongestOffset) info.audio_start = 0;
  }

  // Decodes the frame after `next`.
  void fetch() {
    av_frame_unref(next.frame.get());
    const AVFrame* decoded = input.next();
    next.there = decoded != nullptr;
    if (decoded == nullptr) return;
    if (av_frame_ref(next.frame.get(), decoded) < 0) throw Error(ErrorCode::kIo, "out of memory");
    const std::int64_t stamp = decoded->best_effort_timestamp;
    const bool first = first_stamp == AV_NOPTS_VALUE && !now.there;
    if (first) first_stamp = stamp == AV_NOPTS_VALUE ? 0 : stamp;
    double time = last_time + 1 / native_fps;
    if (first)
      time = 0;
    else if (stamp != AV_NOPTS_VALUE)
      time = static_cast<double>(stamp - first_stamp) * av_q2d(input.stream().time_base) + clock_shift;
    if (time > last_time + media::kLongestPause || time < last_time - 0.001) {
      clock_shift += last_time + 1 / native_fps - time;
      time = last_time + 1 / native_fps;
      if (!clock_noted) info.notes.push_back("the time stamps jump: closed up");
      clock_noted = true;
    }
    next.time = last_time = time;
  }

  void advance() {
    std::swap(now, next);
    converted = false;
    fetch();
  }

  // Makes `now` the frame of the next position; false at the end.
  bool find() {
    const double moment = (position + 0.5) / info.fps;
    while (next.there && next.time <= moment) advance();
    if (!next.there && moment > now.time + 1 / native_fps) return false;
    ++position;
    return true;
  }

  const Image8& show() {
    if (!converted) {
      const bool interlaced = is_interlaced(*now.frame);
      if (interlaced && !interlace_noted)
        info.notes.push_back("interlaced: the two fields of a frame are joined where the picture stands still");
      interlace_noted |= interlaced;
      last = picture.convert(*now.frame, interlaced);
      converted = true;
    }
    return last;
  }

  static constexpr double kLongestOffset = 60;  // seconds between sound and picture that are believed
};

SteadyVideoReader::SteadyVideoReader(const std::filesystem::path& path, const SteadyVideoOptions& options)
    : impl_(std::make_unique<Impl>(path, options)) {}
SteadyVideoReader::~SteadyVideoReader() = default;
const SteadyVideoInfo& SteadyVideoReader::info() const {
  return impl_->info;
}
int SteadyVideoReader::position() const {
  return impl_->position;
}
const std::string& SteadyVideoReader::damage() const {
  return impl_->input.damage();
}
bool SteadyVideoReader::skip() {
  return impl_->find();
}

bool SteadyVideoReader::read(Image8& frame) {
  if (!impl_->find()) return false;
  frame = impl_->show();
  return true;
}

}  // namespace mien
