// H.264 and AAC in MP4: the part of VideoWriter that talks to FFmpeg. Used by one thread at a time.
#pragma once

extern "C" {
#include <libswscale/swscale.h>
}

#include <deque>
#include <filesystem>
#include <span>
#include <string>

#include "media/ffmpeg_input.h"
#include "mien/base/file.h"
#include "mien/media/video.h"

namespace mien::media {

class VideoMuxer {
 public:
  VideoMuxer(const std::filesystem::path& path, const VideoWriterOptions& options);
  ~VideoMuxer();
  VideoMuxer(const VideoMuxer&) = delete;
  VideoMuxer& operator=(const VideoMuxer&) = delete;

  void frame(const Image8& rgb);
  // Sound is encoded only as far as there is picture: at the end it must be as long.
  void sound(std::span<const float> samples);
  void finish();

 private:
  struct Output {
    AVStream* stream = nullptr;
    CodecPtr codec;
    FramePtr frame;
  };

  void open_video();
  void open_audio();
  void open_file();
  void close_file();
  void encode_sound(std::int64_t until);  // samples
  void send(Output& output, const AVFrame* frame);
  void check(int result, const char* what) const;

  std::filesystem::path path_;
  VideoWriterOptions options_;
  AtomicFile file_;
  AVFormatContext* format_ = nullptr;
  SwsContext* scaler_ = nullptr;
  Output video_;
  Output audio_;
  PacketPtr packet_;
  std::deque<float> pending_;  // sound that waits for its picture
  std::int64_t frames_ = 0;
  std::int64_t sound_encoded_ = 0;  // samples given to the encoder
  bool header_written_ = false;
};

}  // namespace mien::media
