// Decoded frames as upright RGB pictures: turned, square pixels, the right colours, without the combs of interlace.
#pragma once

#include "media/ffmpeg_input.h"
#include "mien/media/image.h"

struct SwsContext;

namespace mien::media {

// The stored picture's axes in the upright one: x' = a x + c y, y' = b x + d y, each -1, 0 or 1.
struct Orientation {
  int a = 1, b = 0, c = 0, d = 1;
  bool lying() const { return a == 0; }
};

// From the file's display matrix (telephones store video lying, some mirror it); upright when there is none or it is no
// quarter turn.
Orientation orientation_of(const AVStream& stream);

class FramePicture {
 public:
  // `square_pixels`: pictures of video with oblong pixels are widened (or heightened) until theirs are square.
  FramePicture(const FfmpegInput& input, bool square_pixels);
  ~FramePicture();
  FramePicture(const FramePicture&) = delete;
  FramePicture& operator=(const FramePicture&) = delete;

  // Of the upright picture.
  int width() const { return orientation_.lying() ? height_ : width_; }
  int height() const { return orientation_.lying() ? width_ : height_; }
  bool oblong_pixels() const { return oblong_; }

  // Throws kBadFile for frames of more than 16384 pixels a side, kUnsupported for kinds of pixels that FFmpeg cannot
  // convert. With `square_pixels`, frames whose size changes on the way are scaled to the first size. `interlaced`: the
  // frame's two fields show different moments; the picture shows that of the upper one.
  Image8 convert(const AVFrame& frame, bool interlaced = false);

 private:
  // Lines `first`, first + step, ... of the frame.
  Image8 to_rgb(const AVFrame& frame, int first, int step, int width, int height);

  std::string name_;
  Orientation orientation_;
  int width_ = 0, height_ = 0;  // lying, pixels square
  bool square_ = false, oblong_ = false;
  SwsContext* scaler_ = nullptr;
};

}  // namespace mien::media
