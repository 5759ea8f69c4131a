#include "media/video_muxer.h"

extern "C" {
#include <libavutil/channel_layout.h>
#include <libavutil/opt.h>
}

#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>

#include "mien/base/error.h"
#include "mien/base/parallel.h"

namespace mien::media {
namespace {

constexpr const char* kPresets[] = {"ultrafast", "superfast", "veryfast", "faster",  "fast",
                                    "medium",    "slow",      "slower",   "veryslow"};
constexpr int kMovieTimescale = 90000;  // movie time scale: the MP4 header's unit of duration, common to both streams

}  // namespace

VideoMuxer::VideoMuxer(const std::filesystem::path& path, const VideoWriterOptions& options)
    : path_(path), options_(options), file_(path), packet_(av_packet_alloc()) {
  quiet_ffmpeg();
  try {
    check(avformat_alloc_output_context2(&format_, nullptr, "mp4", file_.temporary_path().c_str()),
          "start an MP4 file");
    open_video();
    if (options_.audio_rate > 0) open_audio();
    open_file();
  } catch (...) {
    close_file();
    throw;
  }
}

VideoMuxer::~VideoMuxer() {
  close_file();
}

void VideoMuxer::close_file() {
  sws_freeContext(scaler_);
  scaler_ = nullptr;
  if (format_ != nullptr) avio_closep(&format_->pb);
  avformat_free_context(format_);
  format_ = nullptr;
}

void VideoMuxer::check(int result, const char* what) const {
  if (result >= 0) return;
  const bool full = result == AVERROR(ENOSPC) || result == AVERROR(EFBIG);
  throw Error(
      ErrorCode::kIo, fmt::format("{}: cannot {} ({})", path_.string(), what, av_error(result)),
      full ? "the disk is full: free some space and try again" : "check the folder and the options of the video");
}

void VideoMuxer::open_video() {
  const AVCodec* codec = avcodec_find_encoder_by_name("libx264");
  if (codec == nullptr) {
    throw Error(ErrorCode::kMissingFeature, path_.string() + ": this FFmpeg has no H.264 encoder (libx264)",
                "install an FFmpeg built with libx264");
  }
  if (std::find(std::begin(kPresets), std::end(kPresets), options_.preset) == std::end(kPresets)) {
    throw Error(ErrorCode::kBadArgument, fmt::format("{}: unknown x264 preset \"{}\"", path_.string(), options_.preset),
                fmt::format("use one of {}", fmt::join(kPresets, ", ")));
  }
  video_.codec.reset(avcodec_alloc_context3(codec));
  AVCodecContext& c = *video_.codec;
  c.width = options_.width;
  c.height = options_.height;
  c.pix_fmt = AV_PIX_FMT_YUV420P;
  c.time_base = {1, options_.fps};
  c.framerate = {options_.fps, 1};
  c.gop_size = 2 * options_.fps;
  c.thread_count = thread_count();
  c.color_range = AVCOL_RANGE_MPEG;
  c.colorspace = AVCOL_SPC_BT709;
  c.color_primaries = AVCOL_PRI_BT709;
  c.color_trc = AVCOL_TRC_BT709;
  c.chroma_sample_location = AVCHROMA_LOC_LEFT;
  c.flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  check(av_opt_set(c.priv_data, "preset", options_.preset.c_str(), 0), "set the x264 preset");
  check(av_opt_set_double(c.priv_data, "crf", options_.crf, 0), "set the quality");
  const int opened = avcodec_open2(&c, codec, nullptr);
  if (opened < 0) {
    throw Error(ErrorCode::kBadArgument,
                fmt::format("{}: x264 refuses {}x{} at {} frames/s ({})", path_.string(), options_.width,
                            options_.height, options_.fps, av_error(opened)),
                "use another size");
  }
  video_.stream = avformat_new_stream(format_, nullptr);
  video_.stream->time_base = c.time_base;
  video_.stream->avg_frame_rate = c.framerate;
  check(avcodec_parameters_from_context(video_.stream->codecpar, &c), "describe the video");

  video_.frame.reset(av_frame_alloc());
  video_.frame->format = AV_PIX_FMT_YUV420P;
  video_.frame->width = c.width;
  video_.frame->height = c.height;
  video_.frame->color_range = c.color_range;
  video_.frame->colorspace = c.colorspace;
  video_.frame->color_primaries = c.color_primaries;
  video_.frame->color_trc = c.color_trc;
  check(av_frame_get_buffer(video_.frame.get(), 0), "allocate a frame");
  scaler_ = sws_getContext(c.width, c.height, AV_PIX_FMT_RGB24, c.width, c.height, AV_PIX_FMT_YUV420P, SWS_BILINEAR,
                           nullptr, nullptr, nullptr);
  if (scaler_ == nullptr) throw Error(ErrorCode::kInternal, "libswscale cannot convert RGB to YUV");
  const int* matrix = sws_getCoefficients(SWS_CS_ITU709);
  sws_setColorspaceDetails(scaler_, matrix, 1, matrix, 0, 0, 1 << 16, 1 << 16);
}

void VideoMuxer::open_audio() {
  const AVCodec* codec = avcodec_find_encoder(AV_CODEC_ID_AAC);
  if (codec == nullptr) {
    throw Error(ErrorCode::kMissingFeature, path_.string() + ": this FFmpeg has no AAC encoder",
                "install a full FFmpeg");
  }
  audio_.codec.reset(avcodec_alloc_context3(codec));
  AVCodecContext& c = *audio_.codec;
  c.sample_rate = options_.audio_rate;
  c.sample_fmt = AV_SAMPLE_FMT_FLTP;
  c.bit_rate = options_.audio_bitrate;
  c.time_base = {1, options_.audio_rate};
  c.flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  c.ch_layout = AV_CHANNEL_LAYOUT_MONO;
  const int opened = avcodec_open2(&c, codec, nullptr);
  if (opened < 0) {
    throw Error(ErrorCode::kBadArgument,
                fmt::format("{}: AAC refuses {} Hz ({})", path_.string(), options_.audio_rate, av_error(opened)),
                "use 16000, 24000, 44100 or 48000");
  }
  audio_.stream = avformat_new_stream(format_, nullptr);
  audio_.stream->time_base = c.time_base;
  check(avcodec_parameters_from_context(audio_.stream->codecpar, &c), "describe the sound");
  audio_.frame.reset(av_frame_alloc());
  audio_.frame->format = c.sample_fmt;
  audio_.frame->sample_rate = c.sample_rate;
  audio_.frame->nb_samples = c.frame_size;
  check(av_channel_layout_copy(&audio_.frame->ch_layout, &c.ch_layout), "describe the sound");
  check(av_frame_get_buffer(audio_.frame.get(), 0), "allocate a frame");
}

void VideoMuxer::open_file() {
  for (const auto& [key, value] : options_.metadata) av_dict_set(&format_->metadata, key.c_str(), value.c_str(), 0);
  check(avio_open(&format_->pb, ("file:" + file_.temporary_path().string()).c_str(), AVIO_FLAG_WRITE), "write");
  // faststart reads the file again by its name.
  AVDictionary* options = nullptr;
  av_dict_set(&options, "movflags", "+faststart+use_metadata_tags", 0);
  av_dict_set_int(&options, "movie_timescale", kMovieTimescale, 0);
  const int result = avformat_write_header(format_, &options);
  av_dict_free(&options);
  check(result, "write");
  header_written_ = true;
}

void VideoMuxer::send(Output& output, const AVFrame* frame) {
  check(avcodec_send_frame(output.codec.get(), frame), "encode");
  for (;;) {
    const int result = avcodec_receive_packet(output.codec.get(), packet_.get());
    if (result == AVERROR(EAGAIN) || result == AVERROR_EOF) return;
    check(result, "encode");
    if (&output == &video_)
      packet_->duration = 1;  // x264 leaves it open, and the last frame must last as long as others
    packet_->stream_index = output.stream->index;
    av_packet_rescale_ts(packet_.get(), output.codec->time_base, output.stream->time_base);
    check(av_interleaved_write_frame(format_, packet_.get()), "write");
    if (format_->pb->error < 0) check(format_->pb->error, "write");
  }
}

void VideoMuxer::frame(const Image8& rgb) {
  AVFrame* frame = video_.frame.get();
  check(av_frame_make_writable(frame), "allocate a frame");
  const std::uint8_t* const planes[4] = {rgb.pixels.data(), nullptr, nullptr, nullptr};
  const int strides[4] = {rgb.width * 3, 0, 0, 0};
  sws_scale(scaler_, planes, strides, 0, rgb.height, frame->data, frame->linesize);
  frame->pts = frames_++;
  send(video_, frame);
  if (audio_.stream != nullptr) encode_sound(frames_ * options_.audio_rate / options_.fps);
}

void VideoMuxer::sound(std::span<const float> samples) {
  if (audio_.stream == nullptr) return;
  for (const float sample : samples) {  // the encoder refuses what is not a number
    pending_.push_back(std::isfinite(sample) ? std::clamp(sample, -1.0f, 1.0f) : 0.0f);
  }
}

// Whole AAC frames of the sound that lies before sample `until`.
void VideoMuxer::encode_sound(std::int64_t until) {
  const int size = audio_.codec->frame_size;
  while (sound_encoded_ + size <= until && pending_.size() >= static_cast<std::size_t>(size)) {
    AVFrame* frame = audio_.frame.get();
    check(av_frame_make_writable(frame), "allocate a frame");
    frame->nb_samples = size;
    auto* to = reinterpret_cast<float*>(frame->data[0]);
    std::copy_n(pending_.begin(), size, to);
    pending_.erase(pending_.begin(), pending_.begin() + size);
    frame->pts = sound_encoded_;
    sound_encoded_ += size;
    send(audio_, frame);
  }
}

void VideoMuxer::finish() {
  if (frames_ == 0) {
    throw Error(ErrorCode::kBadArgument, path_.string() + ": a video without frames cannot be written",
                "write at least one frame");
  }
  if (audio_.stream != nullptr) {
    const std::int64_t total = std::llround(static_cast<double>(frames_) * options_.audio_rate / options_.fps);
    pending_.resize(static_cast<std::size_t>(total - sound_encoded_), 0.0f);
    encode_sound(total);
    if (const auto rest = static_cast<int>(pending_.size()); rest > 0) {
      AVFrame* frame = audio_.frame.get();
      check(av_frame_make_writable(frame), "allocate a frame");
      frame->nb_samples = rest;  // the last AAC frame may be short; its duration then is, too
      std::copy_n(pending_.begin(), rest, reinterpret_cast<float*>(frame->data[0]));
      frame->pts = sound_encoded_;
      send(audio_, frame);
    }
    send(audio_, nullptr);
  }
  send(video_, nullptr);
  check(av_write_trailer(format_), "complete the file");
  avio_flush(format_->pb);
  check(format_->pb->error, "write");
  check(avio_closep(&format_->pb), "close");
  file_.commit();
}

}  // namespace mien::media
