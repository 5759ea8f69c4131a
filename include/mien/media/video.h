// Video files through FFmpeg: H.264 and AAC in MP4 out, anything in.
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>

#include "mien/media/image.h"

namespace mien {

struct VideoWriterOptions {
  int width = 512, height = 512;  // even numbers
  int fps = 30;
  int crf = 18;                     // x264 quality, lower is better
  std::string preset = "veryfast";  // x264 preset
  int audio_rate = 16000;           // Hz of the samples given to write_audio(); 0 = no sound
  int audio_bitrate = 96000;
  std::map<std::string, std::string> metadata;  // container tags (provenance)
};

// Writes to a temporary name; finish() completes the file and renames it. Without finish() nothing is left behind.
// Audio is cut or padded with silence so that both streams have equal length, to the frame. Encoding runs on its own
// thread: write_frame() returns once the frame is queued. Errors of the encoder thread are thrown by the next call.
// Colours are BT.709, limited range. Not thread-safe. Throws kBadArgument (sizes, a name that does not end in .mp4),
// kIo (also a full disk), kMissingFeature in a build without FFmpeg.
class VideoWriter {
 public:
  VideoWriter(const std::filesystem::path& path, const VideoWriterOptions& options);
  ~VideoWriter();
  VideoWriter(const VideoWriter&) = delete;
  VideoWriter& operator=(const VideoWriter&) = delete;

  void write_frame(Image8 rgb);
  void write_audio(std::span<const float> samples);
  void finish();

 private:
  struct Impl;
  Impl* impl_;
};

struct VideoInfo {
  int width = 0, height = 0;
  double fps = 0;
  double duration = 0;  // seconds
  bool has_audio = false;
  std::map<std::string, std::string> metadata;
};

// Reads frames in order, as RGB. Throws kNotFound, kBadFile (no video stream, damage).
class VideoReader {
 public:
  explicit VideoReader(const std::filesystem::path& path);
  ~VideoReader();
  VideoReader(const VideoReader&) = delete;
  VideoReader& operator=(const VideoReader&) = delete;
  const VideoInfo& info() const;
  bool read(Image8& frame);  // false at the end

 private:
  struct Impl;
  Impl* impl_;
};

bool have_ffmpeg();

}  // namespace mien
