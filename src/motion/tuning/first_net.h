// The net that tuning begins with.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "mien/motion/speech_tuning.h"
#include "motion/training/networks.h"
#include "motion/tuning/motion_pairs.h"
#include "motion/tuning/tuning_data.h"

namespace mien {

// A basis of the rows of `frames` [T, D]: [components, D], so that coefficients over these frames have unit deviation.
// Components beyond the rank are 0. Values are those that half precision has, as the file stores them.
at::Tensor pca_basis(const at::Tensor& frames, int components);

// Settings whose head fits the pairs: which vertices, how many components.
S2GSettings fit_head(const MotionPairs& pairs, S2GSettings settings, const SpeechTuningOptions& options);

// The initial file's weights in both nets, and a head and a basis that fit the pairs.
S2GModule first_net(const MotionPairs& pairs, const S2GSettings& settings, const SpeechTuningOptions& options,
                    EncoderModule& encoder, const std::vector<PairTensors>& data, at::Device device);

}  // namespace mien
