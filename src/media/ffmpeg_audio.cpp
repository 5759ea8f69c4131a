// Sound decoding through FFmpeg: everything that is not plain WAV.
extern "C" {
#include <libavutil/channel_layout.h>
#include <libavutil/opt.h>
#include <libswresample/swresample.h>
}

#include <algorithm>
#include <cstring>
#include <vector>

#include "media/ffmpeg_input.h"
#include "media/sample_source.h"
#include "mien/base/error.h"

namespace mien::media {
namespace {

// Decoded frames as mono float at the rate of the first frame.
class Decoder {
 public:
  explicit Decoder(ByteSource source) : input_(std::move(source), AVMEDIA_TYPE_AUDIO) {
    rate_ = input_.decoder().sample_rate;
    if (rate_ < kMinRate || rate_ > kMaxRate) {
      throw Error(ErrorCode::kBadFile, fmt::format("{}: has a sample rate of {} Hz", input_.name(), rate_),
                  "convert it to 16-bit WAV");
    }
  }
  ~Decoder() { swr_free(&mixer_); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  int rate() const { return rate_; }
  double duration() const { return input_.duration(); }

  std::size_t read(std::span<float> block) {
    while (taken_ == ready_.size()) {
      AVFrame* frame = input_.next();
      if (frame == nullptr) return 0;
      mix(*frame);
    }
    const std::size_t count = std::min(block.size(), ready_.size() - taken_);
    std::copy_n(ready_.begin() + static_cast<std::ptrdiff_t>(taken_), count, block.begin());
    taken_ += count;
    return count;
  }

 private:
  // Streams may change their layout on the way (broadcasts do): the mixer follows.
  void follow(const AVFrame& frame) {
    if (mixer_ != nullptr && frame.format == format_ && frame.sample_rate == frame_rate_ &&
        frame.ch_layout.nb_channels == channels_) {
      return;
    }
    swr_free(&mixer_);
    format_ = frame.format;
    frame_rate_ = frame.sample_rate;
    channels_ = frame.ch_layout.nb_channels;
    AVChannelLayout from = {};
    if (frame.ch_layout.order == AV_CHANNEL_ORDER_UNSPEC) {
      av_channel_layout_default(&from, channels_);
    } else {
      av_channel_layout_copy(&from, &frame.ch_layout);
    }
    AVChannelLayout mono = AV_CHANNEL_LAYOUT_MONO;
    int result = swr_alloc_set_opts2(&mixer_, &mono, AV_SAMPLE_FMT_FLT, rate_, &from,
                                     static_cast<AVSampleFormat>(format_), frame_rate_, 0, nullptr);
    av_channel_layout_uninit(&from);
    if (result >= 0) result = av_opt_set_double(mixer_, "rematrix_maxval", 1.0, 0);  // a mean, not a sum
    if (result >= 0) result = swr_init(mixer_);
    if (result < 0) {
      throw Error(
          ErrorCode::kBadFile,
          fmt::format("{}: {} channels of sound cannot be mixed ({})", input_.name(), channels_, av_error(result)),
          "convert it to mono or stereo");
    }
  }

  // How many of the frame's samples lie before the end of an MP4 stream; -1 when that is not known.
  std::int64_t end_sample(const AVFrame& frame) const {
    const AVStream& stream = input_.stream();
    if (std::strstr(input_.format().iformat->name, "mp4") == nullptr || stream.duration <= 0 ||
        stream.start_time == AV_NOPTS_VALUE || frame.best_effort_timestamp == AV_NOPTS_VALUE ||
        frame.sample_rate != rate_) {
      return -1;
    }
    const std::int64_t left = stream.start_time + stream.duration - frame.best_effort_timestamp;
    return av_rescale_q(std::max<std::int64_t>(left, 0), stream.time_base, {1, rate_});
  }

  void mix(const AVFrame& frame) {
    follow(frame);
    const int room = swr_get_out_samples(mixer_, frame.nb_samples);
    ready_.resize(static_cast<std::size_t>(std::max(room, 0)));
    taken_ = 0;
    auto* out = reinterpret_cast<std::uint8_t*>(ready_.data());
    int got = swr_convert(mixer_, &out, room, const_cast<const std::uint8_t**>(frame.extended_data), frame.nb_samples);
    if (got < 0) {
      throw Error(ErrorCode::kBadFile, fmt::format("{}: {}", input_.name(), av_error(got)), "convert it to WAV");
    }
    // The last AAC frame of an MP4 file is padded; the file's own length tells by how much.
    if (const std::int64_t end = end_sample(frame); end >= 0) {
      got = static_cast<int>(std::clamp<std::int64_t>(end, 0, got));
    }
    ready_.resize(static_cast<std::size_t>(got));
  }

  FfmpegInput input_;
  SwrContext* mixer_ = nullptr;
  int rate_ = 0;
  int format_ = -1, frame_rate_ = 0, channels_ = 0;  // what the mixer is set to
  std::vector<float> ready_;
  std::size_t taken_ = 0;
};

}  // namespace

SampleSource open_with_ffmpeg(ByteSource source) {
  auto decoder = std::make_shared<Decoder>(std::move(source));
  return {decoder->rate(), decoder->duration(), [decoder](std::span<float> block) { return decoder->read(block); }};
}

}  // namespace mien::media
