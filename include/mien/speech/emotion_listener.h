// The mood of a voice as it speaks: a classifier that hears a stream, and never ahead of it.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "mien/speech/speech_classifier.h"

namespace mien {

// Every hop the last window is classified; from then on the mood goes linearly to what was heard, and is there one hop
// later. So the mood of a moment shows half a window and a hop after it (latency()), until the first hop it is neutral,
// and the track does not depend on how the sound is cut into calls. Memory is bounded for endless streams. Not
// thread-safe.
class EmotionListener {
 public:
  using Classify = std::function<EmotionVector(std::span<const float>)>;
  // `classify` maps up to a window of 16 kHz sound to intensities: SpeechClassifier::emotion, for one. Throws
  // kBadArgument for windows that are out of range (see check_emotion_windows()).
  EmotionListener(Classify classify, const EmotionWindows& windows = {});

  void push(std::span<const float> samples);  // 16 kHz mono
  // Good for every moment up to the end of the sound so far.
  const EmotionTrack& track() const { return track_; }
  double latency() const { return 0.5 * windows_.window_seconds + windows_.hop_seconds; }

 private:
  Classify classify_;
  EmotionWindows windows_;
  std::size_t window_, hop_;  // samples
  std::vector<float> last_;   // the last window, at most
  std::size_t since_ = 0;     // samples since the last classification
  std::int64_t hops_ = 0;
  EmotionTrack track_;
};

// Both 0.1 to 60 seconds; throws kBadArgument.
void check_emotion_windows(const EmotionWindows& windows);

}  // namespace mien
