// Emotions over time in JSON files.
#pragma once

#include <string>

#include "mien/base/json.h"
#include "mien/head/emotion.h"

namespace mien {

// Text as parse_emotion_vector() takes it, or a list of {"time": seconds, "emotion": text}, ascending. Throws kBadFile
// naming `where`, kBadArgument for an unknown emotion.
EmotionTrack emotion_track_from_json(const Json& json, const std::string& where);

}  // namespace mien
