// More Gaussians where the pictures ask for them, fewer where nothing is seen of them (Kerbl et al. 2023, section 5).
#pragma once

#include "mien/base/random.h"
#include "scene/scene_optimiser.h"

namespace mien::scene {

struct DensifyOptions {
  float gradient = 2e-4f;     // mean screen-space gradient from which on a Gaussian is cloned or split
  float split_above = 0.01f;  // metres: larger ones are split in two, smaller ones cloned
  float least_opacity = 0.005f;
  int most = 80'000;  // Gaussians after it; the highest gradients go first
};

void densify(SceneOptimiser& optimiser, const DensifyOptions& options, Random& random);

}  // namespace mien::scene
