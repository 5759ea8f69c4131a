#include "scene/densify.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "mien/geometry/types.h"

namespace mien::scene {
namespace {

constexpr float kShrink = 1.6f;  // halves of a split Gaussian are this much smaller, as in the paper

}  // namespace

void densify(SceneOptimiser& optimiser, const DensifyOptions& options, Random& random) {
  const std::vector<float> gradients = optimiser.mean_gradients();
  const SceneOptimiser::Rows old = optimiser.rows();
  const float least = std::log(options.least_opacity / (1 - options.least_opacity));
  std::vector<std::size_t> kept, growing;
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    if (old.opacity_logits[i] < least) continue;
    kept.push_back(i);
    if (gradients[i] > options.gradient) growing.push_back(i);
  }
  const auto room = static_cast<std::size_t>(std::max(0, options.most - static_cast<int>(kept.size())));
  if (growing.size() > room) {
    std::sort(growing.begin(), growing.end(), [&](std::size_t a, std::size_t b) {
      return gradients[a] != gradients[b] ? gradients[a] > gradients[b] : a < b;
    });
    growing.resize(room);
    std::sort(growing.begin(), growing.end());
  }
  // The kept ones first, then a second copy of each that grows.
  std::vector<std::size_t> from = kept, home(gradients.size());
  for (std::size_t i = 0; i < kept.size(); ++i) home[kept[i]] = i;
  from.insert(from.end(), growing.begin(), growing.end());
  std::vector<bool> fresh(kept.size(), false);
  fresh.resize(from.size(), true);
  optimiser.rearrange(from, fresh);
  const SceneOptimiser::Rows rows = optimiser.rows();
  const float split_above = std::log(options.split_above);
  for (std::size_t g = 0; g < growing.size(); ++g) {
    const std::size_t pair[] = {home[growing[g]], kept.size() + g};
    const float* scale = &rows.log_scales[pair[0] * 3];
    if (std::max({scale[0], scale[1], scale[2]}) <= split_above) continue;  // a clone: gradients part the two
    const float* q = &rows.quats[pair[0] * 4];
    const Mat3 turn = Quat(q[0], q[1], q[2], q[3]).normalized().toRotationMatrix();
    const Vec3 spread(std::exp(scale[0]), std::exp(scale[1]), std::exp(scale[2]));
    for (const std::size_t i : pair) {
      const Vec3 step = turn * spread.cwiseProduct(Vec3(random.normal(), random.normal(), random.normal()));
      for (int k = 0; k < 3; ++k) {
        rows.means[i * 3 + static_cast<std::size_t>(k)] += step[k];
        rows.log_scales[i * 3 + static_cast<std::size_t>(k)] -= std::log(kShrink);
      }
    }
  }
}

}  // namespace mien::scene
