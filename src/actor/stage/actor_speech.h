// What is said and how a face wakes to it: shared by the actor's captures.
#pragma once

#include <string>

#include "mien/actor/actor_capture.h"
#include "mien/head/head_motion.h"
#include "mien/head/phone.h"
#include "mien/media/audio.h"

namespace mien {

// What is said in one sequence.
struct Speech {
  Audio audio;
  PhoneTrack phones;
  std::string text;
};

// Throws kBadArgument for what is out of range.
void check_actor_options(const ActorCaptureOptions& options);

// Fills `seconds` with sentences, those of the `index`-th sequence, or says `text` once. Silence is left between; the
// end is padded to whole frames.
Speech make_speech(const ActorCaptureOptions& options, const EmotionVector& emotion, int index);

// Neutral at first, then the emotion.
EmotionTrack waking_emotion(const EmotionVector& emotion);

// The first moments become the neutral face itself, from which the performance wakes.
void still_beginning(HeadMotion& motion);

}  // namespace mien
