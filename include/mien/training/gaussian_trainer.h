// Trains a Gaussian avatar from a capture: canonical Gaussians from one multi-view moment, refined over moving frames.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mien/base/progress.h"
#include "mien/base/rank_group.h"
#include "mien/capture/capture.h"
#include "mien/cuda/device.h"
#include "mien/gaussian_avatar/gaussian_avatar.h"
#include "mien/gaussian_avatar/initialise.h"
#include "mien/speech/sound_context.h"
#include "mien/training/image_loss.h"

namespace mien {

struct GaussianTrainOptions {
  Device device = Device::kAuto;
  int canonical_steps = 800;  // on the canonical moment, all views
  int dynamic_steps = 6000;   // on random frames and views of the training split
  // Gaussians that training grows to, by splitting those that cover the most error, in the first half of the moving
  // stage; no growth when there are as many already.
  int grow_to = 0;
  // The share of each training sequence's end that is kept for tests: see mien/capture/split.h.
  float hold_out = 0;
  InitialiseOptions initialise;
  // Pixels^2 that every Gaussian is blurred by in the picture (0 to 100), while training and ever after. Small is
  // sharp; below about 0.05 what is thinner than a pixel twinkles when it moves.
  float pixel_filter = 0.1f;
  // What tells appearances apart, where the capture has several.
  AppearanceOptions appearance;
  bool networks = false;  // G2ANet learns in the dynamic stage
  G2aOptions g2anet;
  // Without geometry (the paper's ablation): what the networks hear instead, G2aOptions::sound features of it. Needs
  // `networks`, no colour modes (which see the expression), and a sound file for every sequence. Null = with geometry.
  std::shared_ptr<const SoundContext> sound;
  float rate_means = 2e-5f;  // metres per step, at the start; falls to 1/20
  float rate_quats = 2e-3f;
  float rate_scales = 5e-3f;
  float rate_opacity = 3e-2f;
  float rate_sh = 5e-3f;             // degree 0; higher degrees a twentieth
  float rate_modes = 4e-3f;          // of the colour modes
  float mode_decay = 0.1f;           // pull of the modes' colours to 0, as a share of their rate
  float rate_g2anet = 1e-3f;         // of the networks' weights
  float rate_looks = 5e-3f;          // of the appearances' features
  float rate_look_networks = 1e-3f;  // and of their networks; a tenth for the offset of the opacity
  ImageLossOptions loss;             // weights of L1, SSIM and matte
  float mouth_weight = 4;            // extra weight of the L1 loss on lips and mouth
  float eye_weight = 2;              // and on the eyes
  float open_mouth_bias = 3;         // pictures of an open mouth come up to this many times more often, plus one
  float anchor_pull = 0.02f;         // weight that keeps surface Gaussians near the surface, per mm^2
  int batch = 1;                     // pictures a step (of each rank), whose gradients are averaged; CPU only
  int patience = 0;  // ends when the L1 loss has not fallen for so many steps of the moving stage; 0 = never
  std::uint64_t seed = 1;
  std::size_t cache_bytes = std::size_t{1} << 30;  // for decoded pictures
  std::filesystem::path checkpoint;                // file to resume from and save to; empty = none
  std::filesystem::path preview;  // PNG sheet, truth beside render, renewed as training goes on; empty = none
  std::filesystem::path log;      // JSON, one object a line, every 50 steps; goes on when resumed; empty = none
  ProgressCallback progress;      // returning false stops after saving a checkpoint; the first rank's only
  // Processes that train together, each on other pictures. On the CPU gradients are averaged at every step: n ranks are
  // one with n times the batch. On GPUs parameters and moments are averaged every 100 steps. All ranks need the same
  // options and the same capture; only the first one reads and writes checkpoint, preview and log.
  RankGroup ranks;
};

struct GaussianTrainReport {
  bool cuda = false;  // where it ran
  int steps = 0;
  bool finished = false;  // false when stopped by the progress callback
  bool early = false;     // finished before the last step, since the loss had stopped falling
  double seconds = 0;
  double steps_per_second = 0;
  double final_l1 = 0;  // running mean of the L1 loss over the last steps
};

// Throws kBadArgument when the capture has no training sequence with motion, kInternal naming the tensor on NaN. Of
// several ranks the first one's avatar is the result; the others' is not pruned.
GaussianAvatar train_gaussian_avatar(const Capture& capture, const GaussianTrainOptions& options,
                                     GaussianTrainReport* report);

// Drops Gaussians that no training picture shows (all in all less than `least_pixels` in about a hundred pictures, a
// tenth of that in the mouth): what was never seen was never learnt, and would appear as specks in new views. Returns
// how many went. Called before and after training. `sound`: for an avatar that hears.
int prune_unseen(GaussianAvatar& avatar, const Capture& capture, float least_pixels = 5,
                 const SoundContext* sound = nullptr, float hold_out = 0);

// A place where faces wrinkle (metrics/wrinkle_regions.h): PSNR over it in pictures that show it, and in those of them
// where the true expression creases it.
struct WrinkleScore {
  std::string region;
  int pictures = 0;
  double psnr = 0;
  int wrinkled_pictures = 0;
  std::optional<double> wrinkled_psnr;
};

// What a face finder sees in a picture.
struct SeenFace {
  std::vector<Vec2> landmarks;    // pixels, always as many
  std::vector<float> descriptor;  // of unit length
};

// One appearance's means over pictures. The last four need GaussianEvaluationOptions::see.
struct AppearanceScore {
  std::string name;
  int pictures = 0;
  double psnr = 0, ssim = 0;
  std::optional<double> lpips;
  std::optional<double> lmd_seen;     // pixels between the landmarks found in the rendering and in the picture
  std::optional<double> identity;     // cosine of the descriptors of both
  std::optional<double> jitter_seen;  // how the found landmarks tremble, over how they do in the pictures
};

// Means over pictures; PSNR and SSIM inside the matte, the others over the whole picture on black.
struct GaussianEvaluation {
  int pictures = 0;
  double psnr = 0;  // dB
  double ssim = 0;
  std::optional<double> lpips;  // pictures of at least 32 pixels a side, when weights are given
  double cpbd = 0;              // sharpness of the renderings,
  double cpbd_truth = 0;        // and of the pictures
  // Distance in pixels of the projected landmarks, of the capture's head under its motion from the avatar's head under
  // the motion that drives it: all of them, and those on the lips. Not for heads without landmarks or unlike ones. The
  // head of an avatar without geometry does not move with the face: its nearest Gaussians carry each vertex (see
  // GaussianCarrier).
  std::optional<double> lmd;
  std::optional<double> lmd_lips;
  // By appearance, in the capture's order.
  std::vector<AppearanceScore> appearances;
  // Mean over sequences, when another motion than the capture's drives: lip vertex error in millimetres, and jitter
  // over that of the truth (see metrics/motion_metrics.h), both on the avatar's head.
  std::optional<double> lve_mm;
  std::optional<double> jitter_ratio;
  // For captures whose head has landmarks and ARKit expressions: of each region, and over all that are wrinkled.
  std::vector<WrinkleScore> wrinkles;
  std::optional<double> psnr_wrinkled;
};

struct GaussianEvaluationOptions {
  Device device = Device::kAuto;
  std::string split = "test";
  float hold_out = 0;                // as in training: these tails are of the test split
  std::vector<std::string> cameras;  // ids; empty = all
  std::string sequences;             // only those whose name ends so; empty = all
  // The face in a picture, if one is found; null = not measured.
  std::function<std::optional<SeenFace>(const Image8&)> see;
  int every = 10;                             // every n-th frame
  std::filesystem::path sheet;                // PNG, truth above render for some pictures; empty = none
  std::filesystem::path lpips_weights;        // see Lpips::load(); empty = not measured
  std::shared_ptr<const SoundContext> sound;  // for avatars without geometry: see find_sound_context()
  // What drives the avatar in place of the capture's motion: at the sequence's rate, first frame at its start, for the
  // expressions of the avatar's head. The pose of head and eyes stays the capture's, since no picture could be compared
  // otherwise. A motion that ends early stands still. Empty = the capture's own.
  std::function<HeadMotion(const CaptureSequence&)> motion;
};

// Compares an avatar with the pictures of a capture.
GaussianEvaluation evaluate_gaussian_avatar(const GaussianAvatar& avatar, const Capture& capture,
                                            const GaussianEvaluationOptions& options);

}  // namespace mien
