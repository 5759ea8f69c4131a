// What a voice expresses, as it speaks: a small causal network of ours, from spectrum, loudness and pitch to the eight
// emotions with an intensity. `mien train emotion` makes its file from recordings that a user has labelled; none is
// shipped. No LibTorch.
//
// Two causal convolutions (the second leaves a quarter of the frames: 25 steps a second), a GRU layer, then the mean
// and deviation of its state over the last seconds, weighted by a learnt gate that knows speech from pauses, two linear
// layers.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "mien/head/emotion.h"
#include "mien/speech/emotion_features.h"
#include "mien/speech/layers.h"

namespace mien {

class SafetensorsFile;

constexpr const char* kEmotionNetworkFormat = "mien-emotion-1";
constexpr int kEmotionRate = 25;  // steps a second
constexpr int kEmotionStride = kMelRate / kEmotionRate;
constexpr int kEmotionConv1 = 48;
constexpr int kEmotionKernel1 = 5;
constexpr int kEmotionConv2 = 64;
constexpr int kEmotionKernel2 = 8;
constexpr int kEmotionGru = 64;
constexpr int kEmotionWide = 32;
constexpr double kEmotionMemory = 2.0;          // seconds after which what was heard counts 1/e
constexpr float kEmotionLeastVariance = 1e-3f;  // under the root of the deviation
constexpr float kEmotionLeastWeight = 1e-3f;    // beside the sum of the gates

struct EmotionStep {
  std::array<float, kEmotionCount> posteriors{};  // sum 1; 0 for emotions that the training data did not have
  float intensity = 0;                            // [0,1], of whatever is not neutral
  float heard = 0;                                // [0,1]: 1 from half a second of speech on
  // Posteriors times intensity times `heard`; neutral takes what is left.
  EmotionVector emotion() const;
};

// Immutable and thread-safe.
class EmotionNetwork {
 public:
  // Throws kNotFound, kBadFile; kUnsupported for a file that is none or wants another version.
  static EmotionNetwork load(const std::filesystem::path& path);
  explicit EmotionNetwork(const SafetensorsFile& file);

  const std::vector<Emotion>& classes() const { return classes_; }

  // One stream; a few kilobytes. Gives the same bits however the sound is cut. Must not outlive the network.
  class Stream {
   public:
    explicit Stream(const EmotionNetwork& network);
    void push(std::span<const float> samples, std::vector<EmotionStep>& out);  // 16 kHz mono in [-1,1]
    void push_frame(const EmotionFrame& frame, std::vector<EmotionStep>& out);

   private:
    const EmotionNetwork* network_;
    EmotionFeatureStream features_;
    std::vector<EmotionFrame> frames_;
    std::vector<float> conv1_, conv2_, gru_, sum_, squares_;
    float weight_ = 0;
    int frame_ = 0, spoken_ = 0;
  };

  // Step n has heard this many seconds.
  static double heard_seconds(std::int64_t n);

  // A whole recording: what a stream says, dated back by delay() to the moments that it speaks of. A key every
  // kKeySteps steps.
  EmotionTrack track(std::span<const float> samples) const;
  static constexpr int kKeySteps = 5;
  // Half of what a step goes by was heard in these last seconds.
  static double delay();

 private:
  std::vector<Emotion> classes_;
  CausalConvLayer conv1_, conv2_;
  GruLayer gru_;
  LinearLayer gate_, wide_, head_;
};

// The mood of a voice for what follows it live: a key every 0.2 s, at which the mood arrives 0.2 s after it was heard.
// Neutral until the first. Memory is bounded for endless streams. Not thread-safe.
class EmotionFollower {
 public:
  explicit EmotionFollower(const EmotionNetwork& network);
  EmotionFollower(const EmotionFollower&) = delete;
  EmotionFollower& operator=(const EmotionFollower&) = delete;
  void push(std::span<const float> samples);            // 16 kHz mono
  const EmotionTrack& track() const { return track_; }  // good for every moment up to the end of the sound so far
  static double latency();

 private:
  EmotionNetwork network_;
  EmotionNetwork::Stream stream_;
  std::vector<EmotionStep> steps_;
  std::int64_t count_ = 0;
  EmotionTrack track_;
};

}  // namespace mien
