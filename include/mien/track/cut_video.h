// Second pass over a video: pictures, mattes and sound of its stretches, as a capture stores them.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "mien/base/progress.h"
#include "mien/landmarks/face_networks.h"
#include "mien/track/sighting.h"

namespace mien {

// One stretch and where it goes. The folders are made.
struct CutStretch {
  int stretch = 0;               // of SightedVideo::stretches
  std::filesystem::path images;  // 000000.jpg ..., as filmed
  std::filesystem::path masks;   // 000000.png ..., 8-bit grey, 255 = person; empty: no mattes
  std::filesystem::path audio;   // a WAV file as long as the frames; empty: no sound
};

struct CutOptions {
  int size = 512;  // pixels a side; 64 to 4096
  int jpeg_quality = 95;
  bool png = false;           // pictures without loss
  int audio_rate = 16000;     // Hz
  ProgressCallback progress;  // frames written, of all
};

struct CutResult {
  std::int64_t written = 0, kept = 0;  // frames; kept: whole files that were there already
  std::vector<std::string> notes;      // damage that was met, for people
};

// Pixel (u, v) of a picture, continuous, shows the place left + u * window.size / size (and likewise down) of the
// upright frame: smoothed when made smaller, what lies beyond the frame's picture repeats its edge. Frame i of the
// stretch is `first` + i of the video; sample 0 of its sound is the beginning of its first frame.
//
// Reads the video once for all stretches, from its beginning; memory does not depend on its length but for the sound of
// one stretch. A frame whose files are there and whole is kept, so that a killed run goes on; mattes behind such frames
// are the same to one level. Throws what SteadyVideoReader throws; kBadArgument for options or stretches out of range;
// kBadFile when the video is not the one that was sighted (size, rate or length differ); kIo (full disk);
// kInterrupted when `progress` says so.
CutResult cut_video(const std::filesystem::path& path, const SightedVideo& video, std::span<const CutStretch> stretches,
                    const FaceNetworks& networks, const CutOptions& options = {});

}  // namespace mien
