// Trains a Gaussian avatar from a capture: canonical Gaussians from one multi-view moment, refined over moving frames.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "mien/base/progress.h"
#include "mien/capture/capture.h"
#include "mien/gaussian_avatar/gaussian_avatar.h"
#include "mien/gaussian_avatar/initialise.h"

namespace mien {

struct GaussianTrainOptions {
  int canonical_steps = 800;  // on the canonical moment, all views
  int dynamic_steps = 6000;   // on random frames and views of the training split
  InitialiseOptions initialise;
  float rate_means = 2e-5f;  // metres per step, at the start; falls to 1/20
  float rate_quats = 2e-3f;
  float rate_scales = 5e-3f;
  float rate_opacity = 3e-2f;
  float rate_sh = 5e-3f;      // degree 0; higher degrees a twentieth
  float anchor_pull = 0.02f;  // weight that keeps surface Gaussians near the surface, per mm^2
  std::uint64_t seed = 1;
  std::size_t cache_bytes = std::size_t{1} << 30;  // for decoded pictures
  std::filesystem::path checkpoint;                // file to resume from and save to; empty = none
  std::filesystem::path preview;  // PNG sheet, truth beside render, renewed as training goes on; empty = none
  ProgressCallback progress;      // returning false stops after saving a checkpoint
};

struct GaussianTrainReport {
  int steps = 0;
  bool finished = false;  // false when stopped by the progress callback
  double seconds = 0;
  double steps_per_second = 0;
  double final_l1 = 0;  // running mean of the L1 loss over the last steps
};

// Throws kBadArgument when the capture has no training sequence with motion, kInternal naming the tensor on NaN.
GaussianAvatar train_gaussian_avatar(const Capture& capture, const GaussianTrainOptions& options,
                                     GaussianTrainReport* report);

// Drops Gaussians that no training picture shows (all in all less than five pixels in about a hundred pictures): what
// was never seen was never learnt, and would appear as specks in new views. Returns how many went. Called at the end of
// training.
int prune_unseen(GaussianAvatar& avatar, const Capture& capture);

struct GaussianEvaluation {
  double psnr = 0;  // dB, mean over pictures, inside the matte
  double ssim = 0;  // mean over pictures, inside the matte
  int pictures = 0;
};

struct GaussianEvaluationOptions {
  std::string split = "test";
  std::vector<std::string> cameras;  // ids; empty = all
  int every = 10;                    // every n-th frame
  std::filesystem::path sheet;       // PNG, truth above render for some pictures; empty = none
};

// Compares an avatar, moved by a capture's own motion, with its pictures (both over black).
GaussianEvaluation evaluate_gaussian_avatar(const GaussianAvatar& avatar, const Capture& capture,
                                            const GaussianEvaluationOptions& options);

}  // namespace mien
