// A motion from a file, drawn frame by frame into a video: for mien render and mien speak --motion.
#pragma once

#include <memory>
#include <string>

#include "mien/avatar/avatar.h"
#include "mien/head/head_motion.h"
#include "mien/session/session.h"

namespace mien::app {

struct MotionVideo {
  std::string output, audio;  // .mp4; sound or video file whose sound goes with it, or empty
  int crf = 18;
  bool quiet = false;
};

// Expressions by name, as the avatar's head has them; offsets of another head are dropped.
MotionFrame in_avatar_order(const MotionFrame& frame, const HeadMotion& motion, const HeadModel& head);

// An avatar without geometry is moved by the sound: gives every frame its features. Throws kBadArgument without sound.
void add_sound(const std::string& audio, const Avatar& avatar, HeadMotion& motion);

// Throws kBadArgument for an output that is no .mp4.
void write_motion_video(const std::shared_ptr<const Avatar>& avatar, const HeadMotion& motion,
                        const SessionOptions& session, const MotionVideo& video);

}  // namespace mien::app
