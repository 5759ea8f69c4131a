// Making many voices out of few: random changes of speaker, room, microphone and line, applied to log-mel spectra.
#pragma once

#include <cstdint>
#include <vector>

#include "mien/base/random.h"
#include "speech/training/speech_pack.h"

namespace mien {

struct AugmentOptions {
  float warp = 0.2f;   // vocal tract length: factors within [1/(1+warp), 1+warp] (Jaitly and Hinton 2013)
  float gain_db = 14;  // per voice
  float line = 1;      // probability scale of equaliser, band limits, reverberation, noise, codec holes
  float mask = 1;      // probability scale of masked bands (SpecAugment, Park et al. 2019)
};

// A stretch of a training stream: mel rows (not yet normalised) that later stages change in place.
using MelRows = std::vector<MelFrame>;

// How a clip's speaker is changed.
struct VoiceChange {
  double warp = 1;  // of frequencies
  float gain = 0;   // ln power
};
VoiceChange random_voice(const AugmentOptions& options, Random& random);

// `from` is [rows, kMelBands] as packed.
void add_clip(const std::uint8_t* from, std::int64_t rows, const VoiceChange& voice, Random& random, MelRows& out);

// Per stream: one room and one line, over everything.
void augment_stream(MelRows& rows, const AugmentOptions& options, Random& random);

// Per stream, after normalisation.
void mask_bands(MelRows& rows, const AugmentOptions& options, Random& random);

}  // namespace mien
