#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "mien/base/error.h"
#include "mien/base/random.h"
#include "mien/scene/scene.h"
#include "scene/densify.h"

namespace mien {
namespace {

using scene::View;

constexpr int kDensifyFrom = 300;       // steps, or a tenth of all if that is less
constexpr int kDensifyEvery = 100;      // steps
constexpr float kDensifyUntil = 0.55f;  // share of all steps
constexpr int kShEvery = 800;           // steps until the next SH degree
constexpr float kMeansRate = 1.6e-4f;   // times the scene's size, at the start
constexpr float kFinalRate = 0.01f;     // of it at the end

// Median distance of the Gaussians from the cameras: what rates and sizes are measured by, metres.
float scene_size(const Gaussians& gaussians, const std::vector<View>& views) {
  std::vector<float> distances;
  const std::size_t stride = std::max<std::size_t>(1, gaussians.opacity_logits.size() / 1000);
  for (std::size_t i = 0; i < gaussians.opacity_logits.size(); i += stride) {
    const Vec3 mean(gaussians.means[i * 3], gaussians.means[i * 3 + 1], gaussians.means[i * 3 + 2]);
    distances.push_back((mean - views[i % views.size()].camera.centre()).norm());
  }
  std::nth_element(distances.begin(), distances.begin() + static_cast<std::ptrdiff_t>(distances.size() / 2),
                   distances.end());
  return distances[distances.size() / 2];
}

// Every view once, in random order, again and again.
class ViewOrder {
 public:
  ViewOrder(std::size_t count, Random& random) : order_(count), random_(random) {
    std::iota(order_.begin(), order_.end(), std::size_t{0});
  }
  std::size_t next() {
    if (at_ == 0) {
      for (std::size_t i = order_.size() - 1; i > 0; --i) {
        std::swap(order_[i], order_[random_.below(static_cast<std::uint32_t>(i + 1))]);
      }
    }
    const std::size_t out = order_[at_];
    at_ = (at_ + 1) % order_.size();
    return out;
  }

 private:
  std::vector<std::size_t> order_;
  std::size_t at_ = 0;
  Random& random_;
};

}  // namespace

Gaussians train_scene(const Capture& capture, const SceneTrainOptions& options, SceneReport* report) {
  if (options.steps < 1 || options.initial_points < 1 || options.max_gaussians < 1) {
    throw Error(ErrorCode::kBadArgument,
                fmt::format("{} steps, {} points, at most {} Gaussians", options.steps, options.initial_points,
                            options.max_gaussians),
                "use at least 1 of each");
  }
  const auto start = std::chrono::steady_clock::now();
  const std::vector<View> views = scene::views_of(capture, options.split, 2);
  FrameCache cache(capture, options.cache_bytes);
  Gaussians first = initial_scene(capture, options);
  const float size = scene_size(first, views);
  scene::SceneOptimiser optimiser(std::move(first));
  Random random(options.seed, 7);
  ViewOrder order(views.size(), random);
  scene::DensifyOptions densify;
  densify.gradient = options.densify_above;
  densify.split_above = 0.005f * size;
  densify.most = options.max_gaussians;
  const int densify_from = std::min(kDensifyFrom, options.steps / 10);
  const int densify_until = static_cast<int>(kDensifyUntil * static_cast<float>(options.steps));
  double l1 = 0;
  for (int step = 0; step < options.steps; ++step) {
    const View& view = views[order.next()];
    const scene::Picture picture = scene::read_picture(cache, capture, view);
    float background[3] = {0, 0, 0};
    if (view.masked) {
      for (float& c : background) c = random.uniform();
    }
    const float done = static_cast<float>(step) / static_cast<float>(options.steps);
    scene::Rates rates;
    rates.means = kMeansRate * size * std::pow(kFinalRate, done);
    const ImageLossValue loss = optimiser.step(view, picture, background, std::min(3, step / kShEvery), rates);
    l1 = step == 0 ? loss.l1 : 0.99 * l1 + 0.01 * loss.l1;
    if (step >= densify_from && step < densify_until && (step + 1) % kDensifyEvery == 0) {
      scene::densify(optimiser, densify, random);
    }
    if (options.progress &&
        !options.progress(step + 1, options.steps, fmt::format("{} Gaussians, L1 {:.4f}", optimiser.count(), l1))) {
      throw Error(ErrorCode::kInterrupted, fmt::format("stopped after {} steps", step + 1), "nothing was written");
    }
  }
  if (report != nullptr) {
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    *report = {options.steps, static_cast<int>(views.size()), took.count(), l1};
  }
  return optimiser.gaussians();
}

}  // namespace mien
