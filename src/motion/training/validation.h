// How well the networks do on speakers whom they do not train on.
#pragma once

#include "motion/training/networks.h"
#include "motion/training/trainer.h"

namespace mien {

// Where the pack's persons are in the net's table.
std::vector<std::int64_t> map_persons(const SpeechPack& pack, const S2GSettings& settings);

// Clips of the speakers left out, clean, one by one: all of them, or the first twenty. Puts both networks into
// evaluation mode. `lip_loss` may be nullptr: no motion then.
SpeechTrainingReport validate_speech(const SpeechPack& pack, const StreamSampler& sampler,
                                     const SpeechTrainingOptions& options, EncoderModule& encoder, S2GModule& s2g,
                                     const LipLoss* lip_loss, bool all);

}  // namespace mien
