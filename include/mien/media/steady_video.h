// Any video file as upright pictures with square pixels at a steady rate, whatever the file does.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "mien/media/image.h"

namespace mien {

struct SteadyVideoOptions {
  double most_fps = 60;  // faster video is thinned: every second frame, every third, ...
};

struct SteadyVideoInfo {
  int width = 0, height = 0;  // of the upright picture
  double fps = 0;
  int frames = 0;  // as the file's packets promise; damage may leave fewer
  bool has_audio = false;
  double audio_start = 0;          // seconds from the first picture to the first sample that read_audio() gives
  std::vector<std::string> notes;  // what is done to the video, for people
};

// Picture i shows the moment (i + 0.5) / fps after the first picture of the file. Turned as the file says, oblong
// pixels made square, interlaced fields joined without combs, time stamps that jump closed up. Reads a damaged or
// truncated file as far as it goes and says so in damage(). Two readers of one file give the same pictures. Not
// thread-safe. Throws kNotFound; kBadFile when the file holds no picture that can be read; kBadArgument for "-" (the
// file is read twice); kMissingFeature in a build without FFmpeg.
class SteadyVideoReader {
 public:
  explicit SteadyVideoReader(const std::filesystem::path& path, const SteadyVideoOptions& options = {});
  ~SteadyVideoReader();
  SteadyVideoReader(const SteadyVideoReader&) = delete;
  SteadyVideoReader& operator=(const SteadyVideoReader&) = delete;

  const SteadyVideoInfo& info() const;
  bool read(Image8& frame);  // false at the end
  bool skip();               // as read(), without the cost of the picture
  int position() const;      // of the next picture
  // Of the part read so far, in words; empty when there was none.
  const std::string& damage() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mien
