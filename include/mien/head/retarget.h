// A motion that was tracked of one person, made ready for another head.
#pragma once

#include "mien/head/head_motion.h"

namespace mien {

struct RetargetOptions {
  bool keep_pose = false;  // head as tracked, instead of relative to the driver's mean pose
  bool keep_rest = false;  // expressions as tracked, with what the driver's face at rest has of them
  float sway = 1;          // share of the head's movement through space that is kept, 0 to 1
};

// Turns and shifts are taken relative to the driver's mean pose, in the axes of the mean head, so that a driver who
// looks past the camera drives an avatar that looks into it; gaze likewise, relative to its median. The neck takes its
// share of the turn. What a driver's face shows of an expression nine tenths of the time, up to 0.3, is taken as the
// look of that face at rest, which the other head has its own of, and subtracted (in takes of a second and more); of
// brows, nose and the skin around the eyes the median, up to 0.6. Emotion stays; free offsets, which belong to the
// driver's own face, go. `driver` is the head that the motion was tracked with. Throws kBadArgument for a sway out of
// range.
HeadMotion retarget(const HeadMotion& motion, const HeadModel& driver, const RetargetOptions& options = {});

}  // namespace mien
