#include "track/tracker/write_capture.h"

#include <algorithm>

#include "mien/base/safetensors.h"

namespace mien {

namespace fs = std::filesystem;

Camera cut_camera(const Camera& frame, const CutWindow& window, int size) {
  const double scale = size / window.size;
  Camera out = frame;
  out.width = out.height = size;
  out.fx = static_cast<float>(frame.fx * scale);
  out.fy = static_cast<float>(frame.fy * scale);
  out.cx = static_cast<float>((frame.cx - window.left) * scale);
  out.cy = static_cast<float>((frame.cy - window.top) * scale);
  return out;
}

SequenceFiles sequence_files(const std::string& id) {
  return {id + "/images", id + "/masks", id + "/labels", id + "/audio.wav", id + "/motion.safetensors"};
}

void write_tracked_capture(const fs::path& output, const TrackResult& result, const TrackOptions& options) {
  Capture capture;
  capture.folder = output;
  capture.person =
      options.person.empty() ? fs::absolute(output / ".").parent_path().filename().string() : options.person;
  capture.head_model = "head.safetensors";
  SafetensorsWriter head;
  result.fit.head.save(head, "");
  head.write(output / capture.head_model);
  for (std::size_t v = 0; v < result.videos.size(); ++v) {
    const TrackedVideo& video = result.videos[v];
    const FittedVideo& fitted = result.fit.videos[v];
    const bool test = std::find(options.test.begin(), options.test.end(), video.sighted.name) != options.test.end();
    for (std::size_t s = 0; s < video.sequences.size(); ++s) {
      const std::string& id = video.sequences[s];
      const SequenceFiles files = sequence_files(id);
      fitted.stretches[s].motion.save(output / files.motion);
      CaptureCamera camera;
      camera.id = id;
      camera.camera = cut_camera(fitted.camera, video.sighted.stretches[s].window, options.size);
      capture.cameras.push_back(camera);
      CaptureSequence sequence;
      sequence.id = id;
      sequence.appearance = video.sighted.appearance;
      sequence.fps = video.sighted.fps;
      sequence.frames = static_cast<int>(video.sighted.stretches[s].frames.size());
      if (video.sighted.has_audio) sequence.audio = files.audio;
      sequence.motion = files.motion;
      sequence.split = test ? "test" : "train";
      sequence.views = {{id, files.images, files.masks, "", files.labels}};
      capture.sequences.push_back(sequence);
    }
  }
  capture.save();
}

}  // namespace mien
