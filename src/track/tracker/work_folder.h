// The folder of a capture in the making: who it belongs to, and what is done.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "mien/track/tracker.h"

namespace mien {

class WorkFolder {
 public:
  // Makes `output`/.track, or takes up the one that is there. Throws kBadArgument when it belongs to other videos or
  // options, or when `output` holds something else.
  WorkFolder(const std::filesystem::path& output, const std::vector<std::filesystem::path>& videos,
             const TrackOptions& options);

  bool resumed() const { return resumed_; }
  std::filesystem::path sighted(const std::string& name) const;  // SightedVideo of a video

 private:
  std::filesystem::path folder_;
  bool resumed_ = false;
};

}  // namespace mien
