// How a capture framed its person: what the avatar's own cameras start from.
#pragma once

#include "mien/capture/capture.h"

namespace mien {

struct Framing {
  Camera front;               // the camera nearest to straight ahead
  Vec3 focus = Vec3::Zero();  // where the cameras' axes meet, metres
};

// Over all cameras of the capture's training sequences (their first frame). Throws kBadArgument without a camera.
Framing capture_framing(const Capture& capture);

}  // namespace mien
