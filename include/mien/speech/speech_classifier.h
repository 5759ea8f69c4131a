// Emotion from speech by a published classifier: a HuBERT or wav2vec 2.0 network with a head of its own.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "mien/head/emotion.h"

namespace mien {

// Which of the eight emotions a label means: "angry", "ang", "anger", "joy", "calm" (neutral), ... in any case; nothing
// for a word that is none.
std::optional<Emotion> emotion_of_label(const std::string& label);

struct EmotionWindows {
  double window_seconds = 3;  // heard at once
  double hop_seconds = 1;     // from one window to the next
};

// Sequence classifiers in Hugging Face's layout (config.json, model.safetensors): Wav2Vec2ForSequenceClassification and
// HubertForSequenceClassification, that is the network, optionally a learnt weighting of its layers, a linear
// projection, the mean over time, a linear head; id2label names the classes. Immutable and thread-safe.
class SpeechClassifier {
 public:
  // Throws kNotFound, kBadFile, kUnsupported (another architecture), kMissingFeature (no such device).
  static SpeechClassifier load(const std::filesystem::path& folder, const std::string& device = "cpu");

  const std::vector<std::string>& labels() const;
  // One value a label, before the softmax. 16 kHz mono in [-1,1], at least one sample (kBadArgument otherwise).
  std::vector<float> logits(std::span<const float> samples) const;

  // The probabilities as intensities: labels that mean the same are added up, neutral takes what is left, labels that
  // mean none of the eight included. Throws kUnsupported when no label means an emotion.
  EmotionVector emotion(std::span<const float> samples) const;
  // The same over time: keys at the middle of windows that are moved along the recording.
  EmotionTrack track(std::span<const float> samples, const EmotionWindows& windows = {}) const;

 private:
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

}  // namespace mien
