// What both optimisers hold Gaussians to.
#pragma once

#include <string_view>
#include <vector>

#include "mien/gaussian_avatar/gaussian_avatar.h"
#include "mien/training/gaussian_trainer.h"

namespace mien {

// Gaussians beyond these sizes are optimisation accidents: needles, or sheets that hide what moves behind them.
constexpr float kSmallestScale = 1.5e-4f;  // metres
constexpr float kLargestScale = 0.015f;

// Pictures show the inside of the mouth too rarely to tell all movements apart: it learns the open jaw's light.
constexpr std::string_view kInnerMode = "jaw_open";
inline bool is_inner_region(HeadRegion region) {
  return region == HeadRegion::kTeeth || region == HeadRegion::kTongue || region == HeadRegion::kMouthInside;
}

// Three corners of a triangle, and the place between them.
inline bool on_surface(const GaussianAnchor& anchor) {
  return anchor.weight[3] == 0;
}
inline Vec3 home_of(const GaussianAnchor& anchor, const std::vector<Vec3>& canonical) {
  Vec3 home = Vec3::Zero();
  for (int k = 0; k < 3; ++k) home += anchor.weight[k] * canonical[anchor.vertex[k]];
  return home;
}
// The pull of a surface Gaussian to its home: half its gradient per metre.
inline float anchor_pull(const GaussianTrainOptions& options, int gaussians) {
  return options.anchor_pull * 1e6f / static_cast<float>(gaussians);
}

}  // namespace mien
