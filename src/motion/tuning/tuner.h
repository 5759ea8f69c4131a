// Fine-tunes S2GNet on pairs of sound and motion that are in memory. LibTorch.
#pragma once

#include "mien/motion/speech_tuning.h"
#include "motion/training/networks.h"
#include "motion/tuning/motion_pairs.h"

namespace mien {

void check_tuning_options(const SpeechTuningOptions& options);  // throws kBadArgument naming the value and its limits

// `settings`: of the net to be trained; offsets are filled in from the pairs. As tune_speech() does it.
SpeechTuningReport tune_on_pairs(const MotionPairs& pairs, S2GSettings settings, const SpeechTuningOptions& options,
                                 const std::filesystem::path& out);

}  // namespace mien
