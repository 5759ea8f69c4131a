#include "track/fit/photo_fit.h"

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>
#include <exception>
#include <mutex>

#include "mien/base/parallel.h"

namespace mien::fit {
namespace {

constexpr int kSize = 192;  // pixels a side of the face's picture; a coarser one of half the size goes first
constexpr int kLevels = 2;
constexpr int kMostKeys = 32, kFewestKeys = 12;  // frames that say what the face looks like
constexpr int kRounds = 2;                       // of looks and motion in turn
constexpr std::array<int, kLevels> kIterations = {2, 3};
constexpr double kLandmarkShare = 0.5;  // of landmarks, against what they count for alone
constexpr double kPhotoShare = 0.3;     // of a sample: neighbours err alike
constexpr double kInformation = 0.05;   // likewise, when motion is made even
constexpr double kLeastSeen = 0.25;     // of the samples; fewer are not worth a look

// Keeps the first exception of a parallel loop's bodies, which must not leave them.
class FirstError {
 public:
  template <typename Body>
  void guard(const Body& body) {
    try {
      body();
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!error_) error_ = std::current_exception();
    }
  }
  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  std::mutex mutex_;
  std::exception_ptr error_;
};

struct Key {
  std::size_t stretch, frame;
  PicturePyramid pictures;
  FrameState state;
};

PicturePyramid pyramid(const Image8& picture, const Stretch& stretch, const FaceSighting& sighting) {
  PicturePyramid out;
  out.emplace_back(picture, stretch.window, face_window(sighting), kSize);
  while (out.size() < kLevels) out.insert(out.begin(), out.front().half());
  return out;
}

std::vector<Appearance> appearance_of(const PhotoScene& scene, const std::vector<Key>& keys) {
  std::vector<Appearance> out(kLevels);
  for (std::size_t level = 0; level < kLevels; ++level) {
    std::vector<SampleView> views(keys.size());
    parallel_for(static_cast<std::int64_t>(keys.size()), 1, [&](std::int64_t k) {
      const Key& key = keys[static_cast<std::size_t>(k)];
      views[static_cast<std::size_t>(k)] = view_samples(scene.sampler, key.pictures[level], scene.lens, key.state);
    });
    out[level] = estimate_appearance(scene.sampler.samples(), views);
  }
  return out;
}

// Frames spread evenly over what was seen well.
std::vector<Key> choose_keys(const SightedVideo& video, const std::vector<std::vector<FrameState>>& states) {
  std::vector<std::array<std::size_t, 2>> good;
  for (std::size_t s = 0; s < video.stretches.size(); ++s) {
    for (std::size_t t = 0; t < video.stretches[s].frames.size(); ++t) {
      if (video.stretches[s].frames[t].weight >= 0.5f) good.push_back({s, t});
    }
  }
  const std::size_t wanted =
      std::min<std::size_t>(good.size(), std::clamp<std::size_t>(good.size() / 4, kFewestKeys, kMostKeys));
  std::vector<Key> out;
  for (std::size_t k = 0; k < wanted; ++k) {
    const auto [s, t] = good[(2 * k + 1) * good.size() / (2 * wanted)];
    out.push_back({s, t, {}, states[s][t]});
  }
  return out;
}

// How the weights follow when the pose is moved after the fit: -H_ww^-1 H_wp.
Eigen::MatrixXd follow_pose(const Eigen::MatrixXd& h) {
  const Eigen::Index n = h.cols() - 6;
  return -h.bottomRightCorner(n, n).llt().solve(h.bottomLeftCorner(n, 6));
}

}  // namespace

void refine_frame(const PhotoScene& scene, const Observation& seen, const PicturePyramid& pictures,
                  const std::vector<Appearance>& appearance, double expression_prior, FrameState& state,
                  Eigen::MatrixXd* h_out) {
  const FaceSamples& samples = scene.sampler.samples();
  const std::vector<int>& free = samples.free;
  const auto count = static_cast<Eigen::Index>(free.size()), n = 6 + count;
  const std::vector<std::uint8_t> in_view = scene.sampler.visible(scene.lens, state);
  double damping = 1e-4;
  for (std::size_t level = 0; level < pictures.size(); ++level) {
    const FacePicture& picture = pictures[level];
    const Lens lens = picture.lens(scene.lens);
    const SampleView view = view_samples(scene.sampler, picture, scene.lens, state, &in_view);
    PhotoTarget target;
    target.weight = appearance[level].trust / 3;
    double visible = 0;
    for (Eigen::Index k = 0; k < target.weight.size(); ++k) {
      if (view.visible[static_cast<std::size_t>(k)] == 0) target.weight[k] = 0;
      visible += target.weight[k] > 0 ? 1 : 0;
    }
    if (visible < kLeastSeen * samples.count()) continue;
    target.wanted = shaded(samples, appearance[level], state.rotation);
    target.wanted = best_gain(target.wanted, view.seen, target.weight).asDiagonal() * target.wanted;
    Linearisation now, trial;
    PhotoTerms photo, next_photo;
    linearise(scene.person, seen, scene.lens, free, state, now);
    photo_terms(samples, picture, lens, target, state, true, photo);
    const auto total = [&](double landmarks, double pictured, const FrameState& at) {
      return kLandmarkShare * landmarks + kPhotoShare * pictured + expression_prior * scene.prior.cost(at.weights);
    };
    double cost = total(now.cost, photo.cost, state);
    Eigen::MatrixXd h(n, n);
    for (int iteration = 0; iteration < kIterations[level]; ++iteration) {
      h.setZero();
      h.selfadjointView<Eigen::Lower>().rankUpdate(now.jacobian.transpose(), kLandmarkShare);
      h.triangularView<Eigen::StrictlyUpper>() = h.transpose();
      Eigen::VectorXd b = -kLandmarkShare * (now.jacobian.transpose() * now.residual);
      h += kPhotoShare * photo.h;
      b += kPhotoShare * photo.b;
      scene.prior.add_to(expression_prior, state.weights, free, 6, h, b);
      Eigen::VectorXd low = Eigen::VectorXd::Constant(n, -1e6), high = Eigen::VectorXd::Constant(n, 1e6);
      for (Eigen::Index k = 0; k < count; ++k) {
        const double w = state.weights[free[static_cast<std::size_t>(k)]];
        low[6 + k] = -w;
        high[6 + k] = 1 - w;
      }
      bool better = false;
      for (int attempt = 0; attempt < 3 && !better; ++attempt) {
        Eigen::MatrixXd damped = h;
        damped.diagonal() *= 1 + damping;
        const Eigen::VectorXd step = solve_box(damped, b, low, high);
        FrameState next = state;
        next.rotation = exp_rotation(step.head<3>()) * state.rotation;
        next.translation += step.segment<3>(3);
        for (Eigen::Index k = 0; k < count; ++k) {
          double& w = next.weights[free[static_cast<std::size_t>(k)]];
          w = std::clamp(w + step[6 + k], 0.0, 1.0);
        }
        if (next.translation.z() > -0.05) break;
        const bool last = level + 1 == pictures.size() && iteration + 1 == kIterations[level];
        linearise(scene.person, seen, scene.lens, free, next, trial);
        photo_terms(samples, picture, lens, target, next, !last, next_photo);
        const double next_cost = total(trial.cost, next_photo.cost, next);
        better = next_cost < cost;
        if (better) {
          state = next;
          cost = next_cost;
          std::swap(now, trial);
          std::swap(photo, next_photo);
          damping = std::max(1e-7, 0.2 * damping);
        } else {
          damping = 10 * std::max(damping, 1e-3);
        }
      }
      if (!better) break;
    }
    if (h_out != nullptr) *h_out = h;
  }
}

void refine_video(const PhotoScene& scene, const SightedVideo& video, const Eigen::VectorXd& landmark_weights,
                  const PhotoFitOptions& options, std::vector<std::vector<FrameState>>& states) {
  std::vector<Key> keys = choose_keys(video, states);
  if (keys.empty()) return;
  const auto sighting_of = [&](std::size_t s, std::size_t t) -> const FaceSighting& {
    return video.stretches[s].frames[t];
  };
  FirstError errors;
  parallel_for(static_cast<std::int64_t>(keys.size()), 1, [&](std::int64_t k) {
    Key& key = keys[static_cast<std::size_t>(k)];
    errors.guard([&] {
      key.pictures = pyramid(options.picture(static_cast<int>(key.stretch), static_cast<int>(key.frame)),
                             video.stretches[key.stretch], sighting_of(key.stretch, key.frame));
    });
  });
  errors.rethrow();
  std::vector<Appearance> appearance = appearance_of(scene, keys);
  for (int round = 0; round < kRounds; ++round) {
    parallel_for(static_cast<std::int64_t>(keys.size()), 1, [&](std::int64_t k) {
      Key& key = keys[static_cast<std::size_t>(k)];
      refine_frame(scene, observe(sighting_of(key.stretch, key.frame), landmark_weights), key.pictures, appearance,
                   options.expression_prior, key.state, nullptr);
    });
    appearance = appearance_of(scene, keys);
  }
  keys.clear();
  for (std::size_t s = 0; s < states.size(); ++s) {
    const Stretch& stretch = video.stretches[s];
    std::vector<FrameState>& mine = states[s];
    std::vector<Matrix6> information(mine.size(), Matrix6::Zero());
    std::vector<Eigen::MatrixXd> follow(mine.size());
    constexpr std::size_t kAtOnce = 32;
    for (std::size_t begin = 0; begin < mine.size(); begin += kAtOnce) {
      const std::size_t end = std::min(mine.size(), begin + kAtOnce);
      parallel_for(static_cast<std::int64_t>(end - begin), 1, [&](std::int64_t i) {
        const std::size_t t = begin + static_cast<std::size_t>(i);
        const FaceSighting& sighting = stretch.frames[t];
        if (sighting.weight <= 0) return;
        PicturePyramid pictures;
        errors.guard(
            [&] { pictures = pyramid(options.picture(static_cast<int>(s), static_cast<int>(t)), stretch, sighting); });
        Eigen::MatrixXd h;
        refine_frame(scene, observe(sighting, landmark_weights), pictures, appearance, options.expression_prior,
                     mine[t], &h);
        if (h.size() == 0) return;
        information[t] = kInformation * double{sighting.weight} * pose_information(h);
        follow[t] = follow_pose(h);
      });
      errors.rethrow();
      if (options.progress) options.progress(static_cast<std::int64_t>(end - begin));
    }
    std::vector<FrameState> before = mine;
    smooth_pose(mine, information, options.smoothness, video.fps);
    const std::vector<int>& free = scene.sampler.samples().free;
    for (std::size_t t = 0; t < mine.size(); ++t) {
      if (follow[t].size() == 0) continue;
      Eigen::Matrix<double, 6, 1> moved;
      moved.head<3>() = log_rotation(mine[t].rotation * before[t].rotation.transpose());
      moved.tail<3>() = mine[t].translation - before[t].translation;
      const Eigen::VectorXd step = follow[t] * moved;
      for (std::size_t e = 0; e < free.size(); ++e) {
        double& w = mine[t].weights[free[e]];
        if (w > 0) w = std::clamp(w + step[static_cast<Eigen::Index>(e)], 0.0, 1.0);
      }
    }
    smooth_weights(mine, stretch, options.smoothness, video.fps);
  }
}

}  // namespace mien::fit
