// Speech features: log-mel spectra at 100 Hz, and the slow gain control that makes them independent of recording level.
// Both are causal and carry their whole state, so a stream cut into blocks of any size gives bit-identical features.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace mien {

constexpr int kMelBands = 64;
constexpr int kMelRate = 100;    // frames a second at 16 kHz
constexpr int kMelHop = 160;     // samples (10 ms)
constexpr int kMelWindow = 400;  // samples (25 ms): frame i sees samples [160 i, 160 i + 400)
constexpr float kMelLowHz = 50.0f;
constexpr float kMelHighHz = 7600.0f;
constexpr float kMelFloor = -23.0f;  // ln power; digital silence gives exactly this

using MelFrame = std::array<float, kMelBands>;

// Streaming log-mel analysis of 16 kHz mono samples in [-1,1]. Hann window, 512-point DFT, triangular filters on the
// mel scale 2595 log10(1 + f/700) (O'Shaughnessy 1987). Values are ln(power), a full-scale sine at a filter's centre
// gives about 0; at least kMelFloor. NaN and infinite samples count as 0, others are clamped to [-4,4]. Not
// thread-safe.
class LogMel {
 public:
  LogMel();
  // Appends the frames that are complete now to `out`.
  void push(std::span<const float> samples, std::vector<MelFrame>& out);
  void reset();
  // Frames that `samples` samples give: 0 below one window.
  static std::int64_t frame_count(std::int64_t samples);

 private:
  std::vector<float> pending_;  // fewer than kMelWindow samples between calls
};

// How features are normalised; a network's file names what it learnt from ("features" in its metadata).
struct FeatureOptions {
  bool band_means = false;
  float depth = 10.5f;  // ln units below the level from which on all is floor: 45 dB; (0, 23]
  // "log-mel-64 band-mean depth-13.5"; parse() throws kUnsupported on a word it does not know.
  std::string text() const;
  static FeatureOptions parse(const std::string& text);
};

// Gain control and normalisation. A level follows the loudness of speech frames (up within some 30 ms, down 1.5 dB a
// second, between -44 and +2 dB), everything is seen relative to it, and whatever lies `depth` below it is floor: so
// neither the recording's gain nor its noise floor reaches the network. With `band_means` each band's running mean over
// the last seconds of speech is taken away too (cepstral mean normalisation, Furui 1981, in the log-mel domain), which
// makes microphones, rooms and much of a voice's own colour alike.
class FeatureNormalizer {
 public:
  static constexpr float kStartLevel = -5.5f;  // ln power of speech peaks at a usual recording level
  explicit FeatureNormalizer(const FeatureOptions& options = {}) : options_(options) {}
  // In place; the result has about zero mean and unit deviation per band over speech, within [-5,5].
  void apply(MelFrame& frame);
  float level() const { return level_; }
  // Loudness of the last frame relative to the level, ln units in about [-12, 1].
  float relative_energy() const { return relative_energy_; }
  void reset() { *this = FeatureNormalizer(options_); }

 private:
  FeatureOptions options_;
  int heard_ = 0;  // speech frames that the means have seen
  MelFrame mean_{};
  float level_ = kStartLevel;
  float relative_energy_ = -12.0f;
};

}  // namespace mien
