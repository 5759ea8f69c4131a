// Who a collection of videos is about.
#pragma once

#include <vector>

#include "mien/track/sighting.h"

namespace mien {

// The descriptor of the person who is followed for the most frames in all videos together, of unit length. Empty when
// no video has one.
std::vector<float> most_seen_person(const std::vector<SightedVideo>& videos);

}  // namespace mien
