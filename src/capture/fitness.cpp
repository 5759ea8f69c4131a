#include "mien/capture/fitness.h"

#include <cmath>
#include <filesystem>
#include <set>

#include "mien/base/error.h"
#include "mien/base/log.h"

namespace mien {
namespace {

constexpr double kSameRate = 1e-3;  // frames/s

void require_in_front(const Capture& capture, const CaptureSequence& sequence, const CaptureView& view) {
  for (int frame = 0; frame < sequence.frames; ++frame) {
    const Camera camera = capture.camera_at(sequence, view, frame);
    if (!(camera.world_to_camera(2, 3) > 0)) {
      throw Error(ErrorCode::kBadFile,
                  fmt::format("{}: camera {} looks away from the head, which is at the origin (sequence {}, frame {})",
                              capture.folder.string(), view.camera, sequence.id, frame),
                  "correct world_to_camera (OpenCV's axes: z points to what the camera sees)");
    }
    if (!capture.camera(view.camera).moving) return;
  }
}

void require_files(const Capture& capture, const CaptureSequence& sequence, const CaptureView& view) {
  for (int frame = 0; frame < sequence.frames; ++frame) {
    capture.image_path(view, frame);  // throws when there is none
    const std::filesystem::path mask = capture.mask_path(view, frame);
    if (!mask.empty() && !std::filesystem::exists(mask)) {
      throw Error(
          ErrorCode::kNotFound,
          fmt::format("sequence {}, camera {}, frame {}: {}: missing", sequence.id, view.camera, frame, mask.string()),
          "restore the matte, or leave out \"masks\" where the pictures show nothing but the person");
    }
  }
}

}  // namespace

void require_motion_fits(const CaptureSequence& sequence, const HeadMotion& motion) {
  const std::string where = fmt::format("sequence {}: {}", sequence.id, sequence.motion);
  if (motion.frame_count() != sequence.frames) {
    throw Error(
        ErrorCode::kBadFile,
        fmt::format("{}: {} frames of motion; the sequence has {}", where, motion.frame_count(), sequence.frames),
        "track again, or correct \"frames\" in capture.json");
  }
  if (std::abs(motion.fps - sequence.fps) > kSameRate) {
    throw Error(ErrorCode::kBadFile,
                fmt::format("{}: motion at {} frames/s; the sequence has {}", where, motion.fps, sequence.fps),
                "correct the frame rate that is wrong");
  }
}

void require_trainable(const Capture& capture, const std::string& split) {
  std::set<std::string> bare;
  for (const CaptureSequence& sequence : capture.sequences) {
    if (sequence.split != split || sequence.motion.empty()) continue;
    for (const CaptureView& view : sequence.views) {
      require_in_front(capture, sequence, view);
      require_files(capture, sequence, view);
      if (view.masks.empty()) bare.insert(view.camera);
    }
  }
  if (bare.empty()) return;
  std::string names;
  for (const std::string& name : bare) names += (names.empty() ? "" : ", ") + name;
  spdlog::warn("{}: no masks for camera {}: their whole pictures count as the person", capture.folder.string(), names);
}

}  // namespace mien
