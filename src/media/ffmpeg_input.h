// Opening and demuxing through FFmpeg. Only the ffmpeg_*.cpp files include this; a build without FFmpeg has none of
// them.
#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/frame.h>
}

#include <memory>
#include <string>
#include <vector>

#include "media/byte_source.h"

namespace mien::media {

struct AvDeleter {
  void operator()(AVFrame* p) const { av_frame_free(&p); }
  void operator()(AVPacket* p) const { av_packet_free(&p); }
  void operator()(AVCodecContext* p) const { avcodec_free_context(&p); }
};
using FramePtr = std::unique_ptr<AVFrame, AvDeleter>;
using PacketPtr = std::unique_ptr<AVPacket, AvDeleter>;
using CodecPtr = std::unique_ptr<AVCodecContext, AvDeleter>;

std::string av_error(int code);  // FFmpeg's words
void quiet_ffmpeg();             // FFmpeg's own log lines go to our debug log; safe to call often

// One stream of one file, decoded. All bytes come from the ByteSource: FFmpeg opens no file and no network address, so
// a hostile playlist reaches nothing.
class FfmpegInput {
 public:
  // Finds the best stream of `type` and opens its decoder. Throws kBadFile: not a media file, or none of `type` in it
  // (the message says what it holds instead).
  // `keep_going`: damage ends the stream or leaves a part out, and damage() tells of it, instead of an exception.
  FfmpegInput(ByteSource source, AVMediaType type, bool keep_going = false);
  ~FfmpegInput();
  FfmpegInput(const FfmpegInput&) = delete;
  FfmpegInput& operator=(const FfmpegInput&) = delete;

  // The next decoded frame, valid until the next call; nullptr at the end. Throws kBadFile for damage: packets that do
  // not decode beyond a few, or an end well before the container's own duration.
  AVFrame* next();

  // When every packet is shown, in ascending order, in units of the stream's time base; as far as the packets say so.
  // Decodes nothing, and leaves nothing for next().
  std::vector<std::int64_t> packet_times();

  const std::string& damage() const { return damage_; }  // in words; empty when there was none
  const AVFormatContext& format() const { return *format_; }
  const AVStream& stream() const { return *stream_; }
  const AVCodecContext& decoder() const { return *decoder_; }
  const std::string& name() const { return source_.name(); }
  double duration() const;  // seconds, of the stream or else of the container; 0 when unknown

 private:
  void open_container();
  void open_decoder(AVMediaType type);
  void close();
  bool send_packet();  // false when the demuxer has ended
  void note_damage(int code);
  void check_end();
  bool read_packet();                  // false at the end; the packet is the stream's
  void fail(const std::string& what);  // throws, or notes it down

  ByteSource source_;
  AVIOContext* io_ = nullptr;
  AVFormatContext* format_ = nullptr;
  const AVStream* stream_ = nullptr;
  CodecPtr decoder_;
  FramePtr frame_;
  PacketPtr packet_;
  std::string read_failure_;  // an exception may not cross FFmpeg: kept here and thrown behind it
  double decoded_until_ = 0;  // seconds from the stream's start
  int good_packets_ = 0;
  int bad_packets_ = 0;
  bool flushing_ = false;
  bool keep_going_ = false;
  std::string damage_;
};

}  // namespace mien::media
