// From videos of one person to a capture: all steps of `mien track` in their order.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "mien/base/progress.h"
#include "mien/track/head_fit.h"
#include "mien/track/sighting.h"

namespace mien {

struct TrackOptions {
  std::string person;  // name stored in the capture; empty: the output folder's
  std::vector<std::string>
      appearances;                // one a video; empty: videos in which clothes, hair and room look alike share one
  std::filesystem::path who;      // a picture of the person to follow; empty: whoever is seen most
  std::vector<double> focal;      // focal length in pixels, one a video or one for all; empty: found
  std::vector<std::string> test;  // names of videos whose sequences form the test split
  std::filesystem::path head;     // head model; empty: the default one
  std::string device = "auto";    // of the networks: auto, cpu, cuda
  int size = 512;                 // of the stored pictures, pixels a side
  bool png = false;
  int jpeg_quality = 95;
  HeadFitOptions fit;  // focal and progress are overwritten

  // Makes the progress of one step; called at the beginning of each ("seeing hello", "fitting the head", ...). Empty:
  // none.
  std::function<ProgressCallback(const std::string& step)> progress;
};

struct TrackedVideo {
  SightedVideo sighted;
  std::vector<std::string> sequences;  // ids in the capture, one a stretch
  double error = 0;                    // mean landmark error, share of the distance between the pupils
};

struct TrackResult {
  std::vector<TrackedVideo> videos;
  std::vector<std::string> left_out;  // videos that are not in the capture, each with the reason
  HeadFit fit;                        // its videos are those of `videos`
  int sequences = 0;
  long frames = 0;
  double seconds = 0;
};

// Writes a capture into `output`. What is done is kept in `output`/.track, so that a run that was killed goes on where
// it was; capture.json comes last, whole. Throws what sight_video, fit_head and cut_video throw; kBadArgument when
// `output` belongs to other videos or options; kNotFound when no video shows the person.
TrackResult track_videos(const std::vector<std::filesystem::path>& videos, const std::filesystem::path& output,
                         const TrackOptions& options = {});

}  // namespace mien
