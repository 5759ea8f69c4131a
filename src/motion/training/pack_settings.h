// What S2GNet of a training from a pack is like.
#pragma once

#include "mien/motion/s2g_settings.h"
#include "motion/training/trainer.h"

namespace mien {

// What the net listens to, and whom it knows: those that `init` knew and those of the pack. Throws kBadArgument.
S2GSettings make_s2g_settings(const SpeechPack& pack, const SpeechTrainingOptions& options);

}  // namespace mien
