// First pass over a video: where the person's face is in every frame, and which parts are of no use.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "mien/base/progress.h"
#include "mien/landmarks/face_networks.h"
#include "mien/track/sighting.h"

namespace mien {

class FaceDescriber;

struct SightOptions {
  std::string name;                          // SightedVideo::name; empty: made of the file's name
  std::string appearance;                    // empty: the name
  const FaceDescriber* describer = nullptr;  // tells people apart; without one, place and size do
  std::filesystem::path who;                 // a picture of the person to follow; empty: `person`
  std::vector<float> person;                 // or that person's descriptor; empty: whoever is seen most
  double most_fps = 60;
  ProgressCallback progress;  // frames seen, of all
};

// Reads the video once, a frame at a time; memory grows by 6 KB a frame and face only. The same video gives the same
// result. Stretches do not overlap and lie in order, each at least half a second long; all else is in the omissions, so
// that both together cover the video. Throws what SteadyVideoReader throws; kBadArgument for a still picture and for
// `who` without a describer or without exactly one clear face; kNotFound when no stretch is left, saying why;
// kInterrupted when `progress` says so.
SightedVideo sight_video(const std::filesystem::path& path, const FaceNetworks& networks,
                         const SightOptions& options = {});

// Letters, digits, - and _ of a file's name without its ending: a name for a sighted video.
std::string video_name(const std::filesystem::path& path);

}  // namespace mien
