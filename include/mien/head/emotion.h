// Emotions as EmoTalk3D has them: eight, each with an intensity (the paper's mild = 0.5, strong = 1).
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace mien {

enum class Emotion { kNeutral, kAngry, kContempt, kDisgusted, kFear, kHappy, kSad, kSurprised };
constexpr int kEmotionCount = 8;
constexpr std::array<const char*, kEmotionCount> kEmotionNames = {"neutral", "angry", "contempt", "disgusted",
                                                                  "fear",    "happy", "sad",      "surprised"};

// Intensity of each emotion, [0,1]. Neutral's entry is 1 minus the sum of the others, at least 0.
using EmotionVector = std::array<float, kEmotionCount>;

Emotion parse_emotion(std::string_view name);                    // throws kBadArgument, listing the eight names
EmotionVector emotion_vector(Emotion emotion, float intensity);  // throws kBadArgument outside [0,1]
// "happy:0.8", "happy" (= 1), "happy:0.5,surprised:0.3".
EmotionVector parse_emotion_vector(std::string_view text);

// Time-stamped keys, linear between them, constant outside. Empty = neutral.
struct EmotionTrack {
  struct Key {
    double time;  // seconds
    EmotionVector value;
  };
  std::vector<Key> keys;  // ascending in time
  EmotionVector at(double time) const;
  static EmotionTrack constant(const EmotionVector& value) { return {{{0.0, value}}}; }
};

// An emotion ("happy:0.8"), keys over time ("neutral@0; happy:0.8@1.5; angry,sad:0.2@4", seconds ascending), or the
// name of a .json file with either as text or with a list of {"time": seconds, "emotion": text}. Throws kBadArgument,
// kNotFound, kBadFile.
EmotionTrack parse_emotion_track(const std::string& text);

}  // namespace mien
