// The actor's performance: phones + emotion -> HeadMotion.
#pragma once

#include <array>
#include <cstdint>

#include "mien/actor/idle.h"
#include "mien/head/emotion.h"
#include "mien/head/head_motion.h"
#include "mien/head/phone.h"

namespace mien {

struct PerformanceOptions {
  double fps = 30;         // (0, 240]
  std::uint64_t seed = 1;  // of everything random
  float articulation = 1;  // [0, 2] size of mouth movements; closures and contacts do not depend on it
  float emotion = 1;       // [0, 1.5] scales the emotion's intensity
  IdleOptions idle;        // blinks, gaze, head; its seed is ignored (derived from `seed`)
  bool idle_on = true;     // false: only what the phones and the emotion track determine (the target for a network
                           // whose output gets its idle motion later)
};

// What the mouth and face do for `phones` (any source: flite, aligned human speech; gaps are silence), for `seconds` of
// time, frame i at i / fps. The result has model.expression_names and identity-free weights in [0,1].
//
// Mouth: co-articulated targets per phone by dominance functions (Cohen and Massaro 1993), rate dependent; then
// contacts are enforced: P B M close the lips and hold, F V bring the lower lip to the upper teeth, open vowels get
// their opening, pauses end in closed relaxed lips. Emotions add to it and change its size, and closures still close.
//
// Throws kBadArgument: fps, seconds (0 to 36,000) or scales out of range, phones that overlap or go backwards, a model
// without the ARKit expressions. Deterministic. Thread-safe (no shared state).
HeadMotion perform(const PhoneTrack& phones, double seconds, const EmotionTrack& emotion, const HeadModel& model,
                   const PerformanceOptions& options = {});

// The static face of an emotion, ARKit weights in [0,1] (as perform() shows it in silence, without variation).
std::array<float, kArkitCount> emotion_face(const EmotionVector& emotion);

}  // namespace mien
