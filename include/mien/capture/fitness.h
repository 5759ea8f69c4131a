// Whether a capture can be trained on: what would spoil hours of training is found before the first step.
#pragma once

#include <string>

#include "mien/capture/capture.h"
#include "mien/head/head_motion.h"

namespace mien {

// Throws kBadFile, naming the sequence, when the motion has another number of frames or another rate than the sequence:
// sound, pictures and face would drift apart.
void require_motion_fits(const CaptureSequence& sequence, const HeadMotion& motion);

// All that training on pictures needs of a split's sequences with motion, before it begins: every picture and matte is
// there (they are not opened), and no camera looks away from the head. Views without mattes are named in a warning,
// since their background counts as part of the person. Throws kNotFound or kBadFile, with place and mend. It is quick;
// `mien capture check` looks at everything.
void require_trainable(const Capture& capture, const std::string& split);

}  // namespace mien
