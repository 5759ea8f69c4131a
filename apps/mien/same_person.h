// Whether the videos of a capture show one person.
#pragma once

#include "mien/capture/capture.h"

namespace mien::app {

// Looks at a few pictures of each training sequence. Throws kBadArgument, naming the sequence whose face is like none
// of the others'; says in the log when there are no networks to look with.
void require_one_person(const Capture& capture);

}  // namespace mien::app
