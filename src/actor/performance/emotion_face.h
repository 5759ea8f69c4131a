// How emotions look in the face, and what they do to speech.
#pragma once

#include "actor/performance/lip_solver.h"
#include "mien/head/emotion.h"

namespace mien {

// The emotion's weights split by what speech may do to them.
struct EmotionFace {
  FaceWeights upper{};  // brows, lids, cheeks, nose: untouched by speech
  FaceWeights mouth{};  // corners, lips, jaw: shared with speech
};
EmotionFace emotion_parts(const EmotionVector& emotion);

// Size of articulation an emotion brings, 1 = neutral.
float emotion_articulation(const EmotionVector& emotion);

// Mouth weights of an emotion while the mouth speaks: `activity` in [0,1] (0 = silence), `contact` in [0,1] how much
// lips or lip and teeth must meet, `rounding` in [0,1]: protruded lips cannot smile or stretch as far.
FaceWeights mouth_while_speaking(const FaceWeights& mouth, float activity, float contact, float rounding);

}  // namespace mien
