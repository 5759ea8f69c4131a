// What an avatar without geometry hears of a moment: deep features of the phonetic encoder just before it, at it and
// just after it (see G2aOptions::sound).
//
// Of the encoder's steps the bottleneck (64 values in [-1,1]) and the two energies, at -80, 0 and +80 ms, linear
// between steps, at the time that a step speaks of: the delay of the encoder is taken out as in SpeechDriver.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "mien/speech/phonetic_encoder.h"

namespace mien {

constexpr double kSoundContextStep = 0.08;  // seconds
constexpr int kSoundContextInstants = 3;
constexpr int kSoundContextFeatures = kSoundContextInstants * (kEncoderBottleneck + 2);

// Immutable, thread-safe; many streams may share one.
class SoundContext {
 public:
  // The encoder of a speech model file. Throws kNotFound, kBadFile, kUnsupported.
  static std::shared_ptr<const SoundContext> load(const std::filesystem::path& path);

  // Says which features these are: the encoder's weights are part of the name. Trained on others an avatar would move
  // as by chance.
  const std::string& name() const { return name_; }
  int count() const { return kSoundContextFeatures; }

  // The features of moments 0, 1/fps, 2/fps ... of a whole recording, 16 kHz mono; [frames][count()]. Moments after its
  // end hear silence.
  std::vector<std::vector<float>> frames(std::span<const float> samples, double fps, int frames) const;

 private:
  friend class SoundContextStream;
  explicit SoundContext(const SafetensorsFile& file);
  PhoneticEncoder encoder_;
  std::string name_;
};

// The same as the sound comes in; gives the same values. Memory is bounded when moments are asked for in order. Not
// thread-safe.
class SoundContextStream {
 public:
  explicit SoundContextStream(std::shared_ptr<const SoundContext> context);
  void push(std::span<const float> samples);  // 16 kHz mono
  void finish();                              // no more sound: silence follows
  // Fills out [count()] with the features of the moment `time` (seconds since the first sample); false when more sound
  // is needed. Moments come in order: what lies before the last one is forgotten.
  bool at(double time, std::vector<float>& out);
  double lookahead_seconds() const;  // how much later than its sound a moment is known

 private:
  double position(double time) const;  // in steps of the encoder
  void hear(std::span<const float> samples);
  std::shared_ptr<const SoundContext> context_;
  PhoneticEncoder::Stream stream_;
  std::deque<EncoderStep> steps_;  // [first_, ...)
  std::int64_t first_ = 0;
  std::vector<EncoderStep> fresh_;
  bool ended_ = false;
};

}  // namespace mien
