// Fine-tunes S2GNet on pairs of sound and motion that are in memory. LibTorch.
#pragma once

#include <ATen/core/Tensor.h>

#include "mien/motion/speech_tuning.h"
#include "motion/training/networks.h"
#include "motion/tuning/motion_pairs.h"

namespace mien {

// A basis of the rows of `frames` [T, D]: [components, D], so that coefficients over these frames have unit deviation.
// Components beyond the rank are 0. Values are those that half precision has, as the file stores them.
at::Tensor pca_basis(const at::Tensor& frames, int components);

void check_tuning_options(const SpeechTuningOptions& options);  // throws kBadArgument naming the value and its limits

// `settings`: of the net to be trained; offsets are filled in from the pairs. As tune_speech() does it.
SpeechTuningReport tune_on_pairs(const MotionPairs& pairs, S2GSettings settings, const SpeechTuningOptions& options,
                                 const std::filesystem::path& out);

}  // namespace mien
