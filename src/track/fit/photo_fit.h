// Pose and expression of every frame once more, from the pictures: the face has the same skin in all frames of a video.
#pragma once

#include <functional>
#include <vector>

#include "mien/media/image.h"
#include "track/fit/appearance.h"
#include "track/fit/even_motion.h"
#include "track/fit/photo_terms.h"

namespace mien::fit {

struct PhotoFitOptions {
  double expression_prior = 1;
  double smoothness = 1;
  std::function<Image8(int stretch, int frame)> picture;  // of the stretch's window; called from several threads
  std::function<void(std::int64_t frames)> progress;      // so many more frames are done; may throw
};

// What stays the same in a video.
struct PhotoScene {
  const Person& person;
  const FaceSampler& sampler;
  const Lens& lens;
  const ExpressionPrior& prior;
};

// A frame at its resolutions, coarse first.
using PicturePyramid = std::vector<FacePicture>;

// Moves `state` to where landmarks, picture and prior agree best. `h`: the last system of equations, if wanted.
void refine_frame(const PhotoScene& scene, const Observation& seen, const PicturePyramid& pictures,
                  const std::vector<Appearance>& appearance, double expression_prior, FrameState& state,
                  Eigen::MatrixXd* h);

// All frames of one video: `states` [stretches][frames] as fit_stretch() left them.
void refine_video(const PhotoScene& scene, const SightedVideo& video, const Eigen::VectorXd& landmark_weights,
                  const PhotoFitOptions& options, std::vector<std::vector<FrameState>>& states);

}  // namespace mien::fit
