// A capture of what tracking found.
#pragma once

#include <filesystem>

#include "mien/capture/capture.h"
#include "mien/track/tracker.h"

namespace mien {

// The camera of the pictures cut from the upright frame by `window`, `size` pixels a side.
Camera cut_camera(const Camera& frame, const CutWindow& window, int size);

// Head model, motion of every stretch, and last capture.json. Pictures, mattes and sound are there already, where
// sequence_folder() says.
void write_tracked_capture(const std::filesystem::path& output, const TrackResult& result, const TrackOptions& options);

// Relative folder of a sequence: its id.
struct SequenceFiles {
  std::string images, masks, labels, audio, motion;  // relative to the capture
};
SequenceFiles sequence_files(const std::string& id);

}  // namespace mien
