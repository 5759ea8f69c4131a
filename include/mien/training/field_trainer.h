// Trains a field avatar from a capture: one model for all of its appearances.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "mien/base/progress.h"
#include "mien/capture/capture.h"
#include "mien/cuda/device.h"
#include "mien/field_avatar/field_avatar.h"

namespace mien {

struct FieldTrainOptions {
  Device device = Device::kAuto;
  FieldSettings field;
  int steps = 3000;
  int rays = 1024;              // a step
  int frames = 4;               // that they come from
  float colour_weight = 50;     // of the mean squared difference of colour
  float depth_weight = 10;      // of the mean difference of depth from the head model's, in metres, on bare skin
  float matte_weight = 2;       // of the mean squared difference of opacity from the matte
  float hold_out = 0;           // the share of each training sequence's end that is kept for tests
  float open_mouth_bias = 3;    // pictures of an open mouth come up to this many times more often, plus one
  float mouth_weight = 3;       // how many times more rays go to lips and mouth
  bool exposure = false;        // learn a gain and a shift of each colour channel for every sequence
  float rate = 2.5e-3f;         // of networks and latents, at the start; falls to a tenth
  float rate_table = 1e-2f;     // of the hash grid
  float rate_offset = 2.5e-4f;  // of the offset network
  int patience = 0;             // ends when the loss has not fallen for so many steps; 0 = never
  std::uint64_t seed = 1;
  std::size_t cache_bytes = std::size_t{1} << 30;  // for decoded pictures
  std::filesystem::path checkpoint;                // file to resume from and save to; empty = none
  std::filesystem::path preview;  // PNG sheet, truth beside render, renewed as training goes on; empty = none
  std::filesystem::path log;      // JSON, one object a line, every 50 steps; goes on when resumed; empty = none
  ProgressCallback progress;      // returning false stops after saving a checkpoint
};

struct FieldTrainReport {
  bool cuda = false;  // where it ran
  int steps = 0;
  bool finished = false;  // false when stopped by the progress callback
  bool early = false;     // finished before the last step, since the loss had stopped falling
  double seconds = 0;
  double steps_per_second = 0;
  double final_colour = 0;  // running mean of the squared difference of colour
  double occupied = 0;      // share of canonical cells that hold something
};

// The avatar's appearances are those of appearance_names() (mien/capture/split.h), in their order.
// Throws kBadArgument when the capture has no training sequence with motion, kInternal naming the tensor on NaN.
FieldAvatar train_field_avatar(const Capture& capture, const FieldTrainOptions& options, FieldTrainReport* report);

// Means over the pictures of an appearance; PSNR and SSIM inside the matte, LPIPS over the whole picture on black.
struct FieldScore {
  std::string appearance;  // "": all pictures
  int pictures = 0;
  double psnr = 0, ssim = 0;
  std::optional<double> lpips;
};

struct FieldEvaluationOptions {
  Device device = Device::kAuto;
  std::string split = "test";
  float hold_out = 0;                   // as in training: these tails are of the test split
  std::string sequences;                // only those whose id ends so
  int every = 10;                       // every n-th frame
  std::filesystem::path sheet;          // PNG, truth above render for some pictures; empty = none
  std::filesystem::path lpips_weights;  // see Lpips::load(); empty = not measured
  ProgressCallback progress;            // returning false stops: throws kInterrupted
};

// Compares an avatar, whose appearances have these names, with the pictures of a capture: one score an appearance, and
// one over all pictures last. Throws kBadArgument when there is no such picture, or one of another appearance.
std::vector<FieldScore> evaluate_field_avatar(const FieldAvatar& avatar, const std::vector<std::string>& appearances,
                                              const Capture& capture, const FieldEvaluationOptions& options);

}  // namespace mien
