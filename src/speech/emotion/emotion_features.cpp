#include "mien/speech/emotion_features.h"

#include <algorithm>
#include <cmath>

#include "speech/emotion/pitch.h"

namespace mien {
namespace {

constexpr int kMemory = 3 * kMelRate;  // voiced frames that the mean pitch remembers
constexpr int kConnected = 3;          // frames over which a pitch still moves, and does not jump

}  // namespace

struct EmotionFeatureStream::State {
  LogMel mel;
  FeatureNormalizer normalizer{options()};
  PitchTracker pitch;
  std::vector<MelFrame> mels;
  std::vector<Pitch> pitches;
  float mean = 0, last = 0;  // ln Hz
  int voiced = 0, since = kConnected + 1;

  EmotionFrame frame(MelFrame bands, const Pitch& heard) {
    EmotionFrame out{};
    float power = 0;
    for (const float v : bands) power += std::exp(v);
    normalizer.apply(bands);
    std::copy(bands.begin(), bands.end(), out.begin());
    out[kEmotionRelativeEnergy] = normalizer.relative_energy() / 4;
    out[kEmotionEnergy] = std::clamp((std::log(power + 1e-10f) + 8) / 4, -4.0f, 4.0f);
    out[kEmotionClarity] = heard.clarity;
    ++since;
    if (heard.hz <= 0) return out;
    const float height = std::log(heard.hz);
    voiced = std::min(voiced + 1, kMemory);
    mean += (height - mean) / static_cast<float>(voiced);
    out[kEmotionPitch] = 2 * (height - std::log(150.0f));
    out[kEmotionRelativePitch] = std::clamp(4 * (height - mean), -3.0f, 3.0f);
    if (since <= kConnected)
      out[kEmotionPitchMovement] = std::clamp(10 * (height - last) / static_cast<float>(since), -3.0f, 3.0f);
    last = height;
    since = 0;
    return out;
  }
};

EmotionFeatureStream::EmotionFeatureStream() : state_(std::make_unique<State>()) {}
EmotionFeatureStream::~EmotionFeatureStream() = default;
EmotionFeatureStream::EmotionFeatureStream(EmotionFeatureStream&&) noexcept = default;
EmotionFeatureStream& EmotionFeatureStream::operator=(EmotionFeatureStream&&) noexcept = default;

void EmotionFeatureStream::push(std::span<const float> samples, std::vector<EmotionFrame>& out) {
  constexpr std::size_t kBlock = 16000;  // bounds the memory that a single long push takes
  for (std::size_t at = 0; at < samples.size(); at += kBlock) {
    const std::span<const float> part = samples.subspan(at, std::min(kBlock, samples.size() - at));
    state_->mels.clear();
    state_->pitches.clear();
    state_->mel.push(part, state_->mels);
    state_->pitch.push(part, state_->pitches);
    for (std::size_t i = 0; i < state_->mels.size(); ++i)
      out.push_back(state_->frame(state_->mels[i], state_->pitches[i]));
  }
}

}  // namespace mien
