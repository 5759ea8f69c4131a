// Landmarks of videos -> one head, the cameras, and the motion of every frame.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "mien/base/progress.h"
#include "mien/geometry/camera.h"
#include "mien/head/head_model.h"
#include "mien/head/head_motion.h"
#include "mien/media/image.h"
#include "mien/track/sighting.h"

namespace mien {

struct HeadFitOptions {
  std::vector<double> focal;      // pixels, a video each; 0 or absent = found
  double identity_prior = 1;      // multiplies the pull towards the mean head
  double expression_prior = 1;    // and towards a face at rest
  double smoothness = 1;          // and towards even motion
  bool static_offsets = true;     // the head's surface may leave the identity space, smoothly
  bool landmark_response = true;  // correct for where MediaPipe's points lie on our head and how they lag behind it;
                                  // false for points that lie exactly where HeadModel::landmarks says
  // Pictures make the fit better: the frame's part that Stretch::window says, square, of any size. Called from several
  // threads, a frame once or twice. Empty: landmarks alone.
  std::function<Image8(int video, int stretch, int frame)> picture;
  ProgressCallback progress;
};

struct FittedStretch {
  HeadMotion motion;         // world: the video's camera stands still and the head moves about the origin
  std::vector<float> error;  // a frame: mean distance of the 478 landmarks, pixels of the upright frame; -1 = not seen
};

struct FittedVideo {
  Camera camera;  // of the upright frame, world_to_camera included; the same for all stretches
  bool focal_given = false;
  std::vector<FittedStretch> stretches;
  double error = 0;  // mean landmark error as a share of the distance between the pupils
};

struct HeadFit {
  HeadModel head;               // the person's: identity and static offsets applied
  std::vector<float> identity;  // weights of `model`'s identity modes
  std::vector<Vec3> offsets;    // [V] static, metres, on top of the identity
  std::vector<FittedVideo> videos;
};

// One identity for all videos, one focal length a video, pose, expression [0,1] and gaze a frame. Deterministic. Throws
// kBadArgument when no frame has weight or `model` has no landmarks, kInterrupted when `progress` says so.
HeadFit fit_head(const HeadModel& model, std::span<const SightedVideo> videos, const HeadFitOptions& options = {});

}  // namespace mien
