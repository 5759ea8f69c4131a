// How something is said: spectrum, loudness and pitch at 100 Hz, causal.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <vector>

#include "mien/speech/log_mel.h"

namespace mien {

// What lies where in a frame. Everything is about [-3, 3].
constexpr int kEmotionRelativeEnergy = kMelBands;     // against the level of this voice, a quarter of ln units
constexpr int kEmotionEnergy = kMelBands + 1;         // against full scale: (ln power + 8) / 4
constexpr int kEmotionClarity = kMelBands + 2;        // [0,1]: how surely a voice swings
constexpr int kEmotionPitch = kMelBands + 3;          // 2 ln(f / 150 Hz); 0 where nothing swings
constexpr int kEmotionRelativePitch = kMelBands + 4;  // 4 ln(f / mean of the last seconds)
constexpr int kEmotionPitchMovement = kMelBands + 5;  // 10 times the change of ln f since the last frame
constexpr int kEmotionFeatures = kMelBands + 6;
using EmotionFrame = std::array<float, kEmotionFeatures>;  // normalised log-mel bands, then the six above

// One stream. What comes out does not depend on how the sound is cut into calls. Not thread-safe.
class EmotionFeatureStream {
 public:
  EmotionFeatureStream();
  ~EmotionFeatureStream();
  EmotionFeatureStream(EmotionFeatureStream&&) noexcept;
  EmotionFeatureStream& operator=(EmotionFeatureStream&&) noexcept;
  // 16 kHz mono in [-1,1]; appends the frames that are complete now: frame i has heard samples [0, 160 i + 400).
  void push(std::span<const float> samples, std::vector<EmotionFrame>& out);
  // What the spectra were normalised with; a network's file names it.
  static FeatureOptions options() { return {.band_means = false, .depth = 13.5f}; }

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mien
