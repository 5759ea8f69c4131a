// Still scenes: free Gaussians, without a head model, of one moment that many cameras saw (Kerbl et al. 2023).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "mien/base/progress.h"
#include "mien/capture/capture.h"
#include "mien/splat/gaussians.h"

namespace mien {

struct SceneTrainOptions {
  int steps = 6000;             // one picture each
  int initial_points = 30'000;  // Gaussians to start with, at most
  int max_gaussians = 80'000;   // that densification may reach
  float densify_above = 2e-4f;  // mean screen-space gradient (a unit is half the picture) that clones or splits
  std::string split = "train";
  std::size_t cache_bytes = std::size_t{1} << 30;  // for decoded pictures
  std::uint64_t seed = 1;
  ProgressCallback progress;  // returning false ends with kInterrupted
};

struct SceneReport {
  int steps = 0, views = 0;
  double seconds = 0;
  double final_l1 = 0;  // running mean
};

// First Gaussians: the capture's own points, if it has them, and points where pictures agree: for random pixels the
// depth is sought at which the neighbouring cameras see the same patch (normalised cross-correlation along the ray,
// outside mattes never). Isotropic, coloured by the picture. Deterministic.
Gaussians initial_scene(const Capture& capture, const SceneTrainOptions& options);

// Trains on the first frame of the split's sequences, on the CPU. Where pictures have mattes, the background changes
// with every step, so that nothing is learnt for it; without mattes the background is part of the scene. Same seed and
// thread count: same result. Throws kBadArgument with fewer than two views, kInterrupted, kInternal when a value stops
// being finite.
Gaussians train_scene(const Capture& capture, const SceneTrainOptions& options, SceneReport* report = nullptr);

// The picture of a set of Gaussians, [0,1] sRGB, background black.
ImageF draw_scene(const Gaussians& gaussians, const Camera& camera);

struct SceneScore {
  std::string camera;
  double psnr = 0, ssim = 0, lpips = 0;
};

struct SceneEvaluation {
  std::vector<SceneScore> views;
  SceneScore mean;
  Image8 sheet;  // truth above render, up to 8 views
};

// Draws every view of the split and compares, over whole pictures with the person on black. Throws kBadArgument when
// the split is empty.
SceneEvaluation evaluate_scene(const Gaussians& gaussians, const Capture& capture, const std::string& split = "test",
                               const ProgressCallback& progress = {});

}  // namespace mien
