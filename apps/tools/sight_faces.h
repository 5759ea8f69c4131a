// Faces of videos and of captures, for tools and benches that need landmarks and nothing else.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "mien/capture/capture.h"
#include "mien/landmarks/face_networks.h"
#include "mien/media/video.h"
#include "mien/track/sighting.h"

namespace mien::tools {

// Pictures of a video file or of a capture's sequence, in order.
class Pictures {
 public:
  explicit Pictures(const std::filesystem::path& video) : reader_(std::make_unique<VideoReader>(video)) {}
  Pictures(const Capture& capture, const CaptureSequence& sequence) : capture_(&capture), sequence_(&sequence) {}
  bool next(Image8& out) {
    if (reader_) return reader_->read(out);
    if (frame_ >= sequence_->frames) return false;
    out = read_image(capture_->image_path(sequence_->views[0], frame_++));
    return true;
  }
  double fps() const { return reader_ ? reader_->info().fps : sequence_->fps; }

 private:
  std::unique_ptr<VideoReader> reader_;
  const Capture* capture_ = nullptr;
  const CaptureSequence* sequence_ = nullptr;
  int frame_ = 0;
};

// The surest face of the first picture, followed: one stretch. Landmarks are kept in `cache` ("" = not), where they are
// looked for first; `networks` are opened when needed.
SightedVideo sight(Pictures pictures, const std::string& name, const std::filesystem::path& cache,
                   std::unique_ptr<FaceNetworks>& networks);

}  // namespace mien::tools
