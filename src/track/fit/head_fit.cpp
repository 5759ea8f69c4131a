// fit_head(): what is shared by all frames first, then every frame.
#include "mien/track/head_fit.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "mien/base/error.h"
#include "track/fit/key_frames.h"
#include "track/fit/photo_fit.h"
#include "track/fit/static_offsets.h"
#include "track/fit/stretch_fit.h"

namespace mien {
namespace {

using fit::FrameState;
using fit::Lens;
using fit::Person;

constexpr double kUsualFocal = 1.8;  // of the frame's longer side, where nothing is known
constexpr int kKeyFrames = 60;
constexpr double kNeckShare = 0.4;  // of the head's turn is the neck's

void check_videos(std::span<const SightedVideo> videos, const HeadFitOptions& options) {
  bool any = false;
  for (std::size_t v = 0; v < videos.size(); ++v) {
    const SightedVideo& video = videos[v];
    if (video.width <= 0 || video.height <= 0 || !(video.fps > 0)) {
      throw Error(ErrorCode::kBadArgument, fmt::format("video \"{}\" is {} x {} at {} frames/s", video.name,
                                                       video.width, video.height, video.fps));
    }
    for (const Stretch& stretch : video.stretches) {
      for (const FaceSighting& frame : stretch.frames) any = any || frame.weight > 0;
    }
    const double focal = v < options.focal.size() ? options.focal[v] : 0;
    if (!(focal >= 0) || !std::isfinite(focal)) {
      throw Error(ErrorCode::kBadArgument, fmt::format("focal length {} of video \"{}\"", focal, video.name),
                  "give pixels, or 0 to have it found");
    }
  }
  if (!any) {
    throw Error(ErrorCode::kBadArgument, "no frame of the videos shows a face that can be used",
                "film the face nearer, brighter, or from the front");
  }
}

// Neck and head share the turn that was seen; the translation puts the face exactly where it was seen.
HeadPose pose_of(const HeadModel& head, const FrameState& state, const Eigen::Vector3d& origin) {
  const Eigen::Vector3d turn = fit::log_rotation(state.rotation);
  const Eigen::Matrix3d neck = fit::exp_rotation(kNeckShare * turn), skull = fit::exp_rotation((1 - kNeckShare) * turn);
  const Eigen::Vector3d neck_joint = head.joints[static_cast<std::size_t>(HeadJoint::kNeck)].cast<double>();
  const Eigen::Vector3d head_joint = head.joints[static_cast<std::size_t>(HeadJoint::kHead)].cast<double>();
  HeadPose pose;
  pose.neck = Quat(neck.cast<float>());
  pose.head = Quat(skull.cast<float>());
  // p -> neck (skull (p - head_joint) + head_joint - neck_joint) + neck_joint + translation
  const Eigen::Vector3d moved = neck * (head_joint - skull * head_joint - neck_joint) + neck_joint;
  pose.translation = (state.translation - moved - origin).cast<float>();
  for (std::size_t k = 0; k < 2; ++k) {
    pose.gaze_left[k] = static_cast<float>(state.gaze[0][k]);
    pose.gaze_right[k] = static_cast<float>(state.gaze[1][k]);
  }
  return pose;
}

class Fitter {
 public:
  Fitter(const HeadModel& model, std::span<const SightedVideo> videos, const HeadFitOptions& options)
      : model_(model),
        videos_(videos),
        options_(options),
        response_(options.landmark_response ? fit::find_landmark_response(model.id) : std::nullopt),
        landmarks_(model, response_ ? &*response_ : nullptr),
        weights_(fit::landmark_weights()),
        prior_(fit::expression_prior(response_ ? response_->habit : Eigen::MatrixXd())) {}

  HeadFit run() {
    HeadFit out;
    start();
    fit_person(out);
    fit_frames(out);
    return out;
  }

 private:
  void report(std::int64_t done, const char* note) const {
    if (options_.progress && !options_.progress(done, total_, note)) {
      throw Error(ErrorCode::kInterrupted, "the fit of the head was stopped");
    }
  }

  void start() {
    shared_.identity = Eigen::VectorXd::Zero(landmarks_.identity_count());
    for (std::size_t v = 0; v < videos_.size(); ++v) {
      const double given = v < options_.focal.size() ? options_.focal[v] : 0;
      Lens lens;
      lens.focal = given > 0 ? given : kUsualFocal * std::max(videos_[v].width, videos_[v].height);
      lens.cx = 0.5 * videos_[v].width;
      lens.cy = 0.5 * videos_[v].height;
      shared_.lenses.push_back(lens);
      shared_.focal_given.push_back(given > 0);
      for (const Stretch& stretch : videos_[v].stretches) total_ += static_cast<std::int64_t>(stretch.frames.size());
    }
  }

  void fit_person(HeadFit& out) {
    report(0, "who");
    std::vector<fit::KeyFrame> frames = fit::choose_key_frames(videos_, fit::person_of(landmarks_, shared_.identity),
                                                               shared_.lenses, weights_, kKeyFrames);
    if (frames.empty()) {  // only frames of little weight
      throw Error(ErrorCode::kBadArgument, "no frame of the videos shows a face well enough",
                  "film the face nearer, brighter, or from the front");
    }
    fit::SharedFitOptions shared_options;
    shared_options.identity_prior = options_.identity_prior;
    shared_options.expression_prior = options_.expression_prior;
    const Eigen::VectorXd deviation = fit::identity_deviation(model_);
    Eigen::VectorXd offsets = Eigen::VectorXd::Zero(landmarks_.rest.size());
    fit::fit_shared(landmarks_, deviation, offsets, prior_, shared_options, frames, shared_);
    out.offsets.assign(model_.mesh.positions.size(), Vec3::Zero());
    HeadModel shaped = model_;
    if (options_.static_offsets) {
      shared_options.rounds = 2;
      for (int round = 0; round < 2; ++round) {
        report(0, "shape");
        offsets = fit::landmark_offsets(landmarks_, shared_.identity, offsets, frames, shared_.lenses);
        fit::fit_shared(landmarks_, deviation, offsets, prior_, shared_options, frames, shared_);
      }
      out.offsets = fit::vertex_offsets(model_, landmarks_, offsets);
      shaped = fit::with_offsets(model_, out.offsets);
    }
    out.identity.resize(static_cast<std::size_t>(landmarks_.identity_count()));
    for (std::size_t i = 0; i < out.identity.size(); ++i) {
      out.identity[i] = static_cast<float>(shared_.identity[static_cast<Eigen::Index>(i)]);
    }
    out.head = shaped.with_identity(out.identity);
    const fit::LandmarkModel mine(out.head, response_ ? &*response_ : nullptr);
    person_ = fit::person_of(mine, Eigen::VectorXd());
    // The landmarks that were fitted, not those of the head alone: part of the offsets is no shape.
    person_.points.head(3 * fit::kMeshPoints) =
        (landmarks_.rest + landmarks_.identity * shared_.identity + offsets).head(3 * fit::kMeshPoints);
  }

  void fit_frames(HeadFit& out) {
    std::int64_t done = 0;
    const fit::FaceSampler sampler(out.head, prior_.free);
    for (std::size_t v = 0; v < videos_.size(); ++v) {
      const SightedVideo& video = videos_[v];
      const Lens& lens = shared_.lenses[v];
      std::vector<std::vector<FrameState>> states;
      Eigen::Vector3d sum = Eigen::Vector3d::Zero();
      double count = 0;
      for (const Stretch& stretch : video.stretches) {
        report(done, video.name.c_str());
        fit::StretchFitOptions stretch_options;
        stretch_options.expression_prior = options_.expression_prior;
        stretch_options.smoothness = options_.smoothness;
        stretch_options.fps = video.fps;
        states.push_back(fit::fit_stretch(person_, stretch, lens, prior_, weights_, stretch_options));
        for (std::size_t t = 0; t < stretch.frames.size(); ++t) {
          if (stretch.frames[t].weight <= 0) continue;
          sum += states.back()[t].translation;
          count += 1;
        }
        if (!options_.picture) done += static_cast<std::int64_t>(stretch.frames.size());
      }
      if (options_.picture) {
        fit::PhotoFitOptions photo;
        photo.expression_prior = options_.expression_prior;
        photo.smoothness = options_.smoothness;
        photo.picture = [&, v](int stretch, int frame) {
          return options_.picture(static_cast<int>(v), stretch, frame);
        };
        photo.progress = [&](std::int64_t frames) {
          done += frames;
          report(done, video.name.c_str());
        };
        const fit::PhotoScene scene = {person_, sampler, lens, prior_};
        fit::refine_video(scene, video, weights_, photo, states);
      }
      const Eigen::Vector3d origin = count > 0 ? Eigen::Vector3d(sum / count) : Eigen::Vector3d(0, 0, -1);
      out.videos.push_back(describe(out.head, video, lens, shared_.focal_given[v], states, origin));
    }
    report(total_, "");
  }

  FittedVideo describe(const HeadModel& head, const SightedVideo& video, const Lens& lens, bool focal_given,
                       const std::vector<std::vector<FrameState>>& states, const Eigen::Vector3d& origin) const {
    FittedVideo out;
    out.focal_given = focal_given;
    out.camera.width = video.width;
    out.camera.height = video.height;
    out.camera.fx = out.camera.fy = static_cast<float>(lens.focal);
    out.camera.cx = static_cast<float>(lens.cx);
    out.camera.cy = static_cast<float>(lens.cy);
    // World axes are those of camera space here, about the middle of where the head was.
    out.camera.world_to_camera.setZero();
    out.camera.world_to_camera.diagonal() = Vec4(1, -1, -1, 1);
    out.camera.world_to_camera.topRightCorner<3, 1>() =
        Vec3(static_cast<float>(origin.x()), static_cast<float>(-origin.y()), static_cast<float>(-origin.z()));
    double relative = 0;
    std::int64_t count = 0;
    for (std::size_t s = 0; s < states.size(); ++s) {
      const Stretch& stretch = video.stretches[s];
      FittedStretch fitted;
      fitted.motion.head_model = head.id;
      fitted.motion.expression_names = head.expression_names;
      fitted.motion.fps = video.fps;
      fitted.motion.start = stretch.first / video.fps;
      for (std::size_t t = 0; t < states[s].size(); ++t) {
        const FrameState& state = states[s][t];
        MotionFrame frame;
        frame.expression.assign(head.expression_names.size(), 0.0f);
        for (int e = 0; e < kArkitCount; ++e) {
          frame.expression[static_cast<std::size_t>(e)] = static_cast<float>(state.weights[e]);
        }
        frame.pose = pose_of(head, state, origin);
        fitted.motion.frames.push_back(std::move(frame));
        if (stretch.frames[t].weight <= 0) {
          fitted.error.push_back(-1);
          continue;
        }
        const auto [error, pupils] = landmark_error(stretch.frames[t], lens, state);
        fitted.error.push_back(static_cast<float>(error));
        relative += error / pupils;
        ++count;
      }
      out.stretches.push_back(std::move(fitted));
    }
    out.error = count > 0 ? relative / static_cast<double>(count) : 0;
    return out;
  }

  // Mean distance of the landmarks and the distance of the pupils, pixels; the latter as if seen from the front.
  std::array<double, 2> landmark_error(const FaceSighting& sighting, const Lens& lens, const FrameState& state) const {
    const Eigen::VectorXd at = fit::project_landmarks(person_, lens, state);
    double sum = 0;
    for (int i = 0; i < kSightedPoints; ++i) {
      const auto& point = sighting.points[static_cast<std::size_t>(i)];
      sum += std::hypot(at[2 * i] - point[0], at[2 * i + 1] - point[1]);
    }
    const double pupils = (person_.eye[0] - person_.eye[1]).norm() * lens.focal / -state.translation.z();
    return {sum / kSightedPoints, std::max(1.0, pupils)};
  }

  const HeadModel& model_;
  std::span<const SightedVideo> videos_;
  const HeadFitOptions& options_;
  std::optional<fit::LandmarkResponse> response_;
  fit::LandmarkModel landmarks_;
  Eigen::VectorXd weights_;
  fit::ExpressionPrior prior_;
  fit::SharedState shared_;
  Person person_;
  std::int64_t total_ = 0;
};

}  // namespace

HeadFit fit_head(const HeadModel& model, std::span<const SightedVideo> videos, const HeadFitOptions& options) {
  check_videos(videos, options);
  return Fitter(model, videos, options).run();
}

}  // namespace mien
