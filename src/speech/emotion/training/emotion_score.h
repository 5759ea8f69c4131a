// How well an emotion network hears recordings that it was not trained on.
#pragma once

#include <vector>

#include "mien/speech/emotion_training.h"
#include "speech/emotion/training/emotion_module.h"
#include "speech/emotion/training/labelled_voices.h"

namespace mien {

// Fills in what the report says of the clips `test` (indices). Puts the network into evaluation mode.
void score_emotion(EmotionModule& network, const std::vector<VoiceClip>& clips, const std::vector<std::size_t>& test,
                   EmotionTrainingReport& report);

}  // namespace mien
