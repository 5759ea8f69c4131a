#include "track/fit/key_frames.h"

#include <algorithm>
#include <cmath>

namespace mien::fit {
namespace {

// What makes frames differ: where the head points, and how far mouth and eyes are open.
using Feature = Eigen::Matrix<double, 6, 1>;

Feature feature_of(const FaceSighting& sighting, const FrameState& state) {
  const auto distance = [&](std::size_t a, std::size_t b) {
    return std::hypot(sighting.points[a][0] - sighting.points[b][0], sighting.points[a][1] - sighting.points[b][1]);
  };
  const double face = std::max(1.0f, distance(10, 152));
  const Eigen::Vector3d front = state.rotation.col(2), side = state.rotation.col(0);
  Feature f;
  f << 2 * front.x(), 2 * front.y(), 2 * side.y(), 8 * distance(13, 14) / face, 6 * distance(61, 291) / face,
      15 * distance(386, 374) / face;
  return f;
}

}  // namespace

std::vector<KeyFrame> choose_key_frames(std::span<const SightedVideo> videos, const Person& mean,
                                        const std::vector<Lens>& lenses, const Eigen::VectorXd& landmark_weights,
                                        int count) {
  std::vector<KeyFrame> out;
  std::size_t seen_videos = 0;
  for (const SightedVideo& video : videos) seen_videos += video.stretches.empty() ? 0 : 1;
  for (std::size_t v = 0; v < videos.size(); ++v) {
    std::vector<KeyFrame> candidates;
    std::vector<Feature> features;
    std::int64_t total = 0;
    for (const Stretch& stretch : videos[v].stretches) total += static_cast<std::int64_t>(stretch.frames.size());
    const std::int64_t step = std::max<std::int64_t>(1, total / 300);
    std::int64_t number = 0;
    for (std::size_t s = 0; s < videos[v].stretches.size(); ++s) {
      const Stretch& stretch = videos[v].stretches[s];
      for (std::size_t f = 0; f < stretch.frames.size(); ++f, ++number) {
        if (number % step != 0 || stretch.frames[f].weight < 0.5f) continue;
        KeyFrame frame;
        frame.video = static_cast<int>(v);
        frame.stretch = static_cast<int>(s);
        frame.frame = static_cast<int>(f);
        frame.sighting = &stretch.frames[f];
        frame.seen = observe(stretch.frames[f], landmark_weights);
        frame.state = first_guess(mean, frame.seen, lenses[v]);
        features.push_back(feature_of(stretch.frames[f], frame.state));
        candidates.push_back(std::move(frame));
      }
    }
    // Farthest point first, from the one nearest to the middle.
    const std::size_t quota =
        std::min(candidates.size(),
                 std::max<std::size_t>(1, static_cast<std::size_t>(count) / std::max<std::size_t>(1, seen_videos)));
    if (quota == 0) continue;
    Feature middle = Feature::Zero();
    for (const Feature& f : features) middle += f / static_cast<double>(features.size());
    std::vector<double> distance(candidates.size());
    std::size_t next = 0;
    for (std::size_t i = 0; i < features.size(); ++i) {
      distance[i] = 1e30;
      if ((features[i] - middle).squaredNorm() < (features[next] - middle).squaredNorm()) next = i;
    }
    for (std::size_t k = 0; k < quota; ++k) {
      out.push_back(candidates[next]);
      for (std::size_t i = 0; i < features.size(); ++i) {
        distance[i] = std::min(distance[i], (features[i] - features[next]).squaredNorm());
      }
      next = static_cast<std::size_t>(std::max_element(distance.begin(), distance.end()) - distance.begin());
    }
  }
  return out;
}

}  // namespace mien::fit
