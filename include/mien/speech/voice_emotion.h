// The emotion of a voice, whoever hears it: a network of ours (a file of `mien train emotion`) or a published
// classifier (a folder of Hugging Face's layout).
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "mien/speech/emotion_listener.h"
#include "mien/speech/emotion_network.h"
#include "mien/speech/speech_classifier.h"

namespace mien {

// Immutable and thread-safe; cheap to copy.
class VoiceEmotion {
 public:
  // A folder is a classifier, a file a network. `device` is for classifiers: networks run on the CPU. Throws
  // kNotFound, kBadFile, kUnsupported, kMissingFeature as those do.
  static VoiceEmotion load(const std::filesystem::path& path, const std::string& device = "cpu");

  std::vector<std::string> labels() const;  // what it can tell apart
  // A whole recording, 16 kHz mono; keys at the moments they speak of. `windows` are for classifiers.
  EmotionTrack track(std::span<const float> samples, const EmotionWindows& windows = {}) const;

  // One stream of sound, never ahead of it. Not thread-safe.
  class Stream {
   public:
    Stream(const VoiceEmotion& voice, const EmotionWindows& windows);
    void push(std::span<const float> samples);  // 16 kHz mono
    const EmotionTrack& track() const;          // good for every moment up to the end of the sound so far
    double latency() const;                     // seconds from a change of the voice to half of its effect

   private:
    std::unique_ptr<EmotionListener> listener_;
    std::unique_ptr<EmotionFollower> follower_;
  };
  Stream stream(const EmotionWindows& windows = {}) const { return {*this, windows}; }

 private:
  std::variant<std::shared_ptr<const EmotionNetwork>, SpeechClassifier> hears_;
};

}  // namespace mien
