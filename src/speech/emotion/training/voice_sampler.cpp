#include "speech/emotion/training/voice_sampler.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "mien/base/random.h"
#include "mien/speech/emotion_network.h"

namespace mien {
namespace {

constexpr float kChange = 0.3f;  // how often the mood changes from one clip of a stream to the next
constexpr float kFirstWeight = 0.1f;
constexpr float kSettled = 1.0f;  // seconds

// Other voices, microphones and distances: what the emotion does not depend on. `x` [T, features] in place.
void vary(Random& random, const at::Tensor& x) {
  x.select(1, kEmotionEnergy).add_(random.uniform(-0.3f, 0.3f));
  // A voice may lie half an octave higher or lower.
  const at::Tensor pitch = x.select(1, kEmotionPitch);
  pitch.add_((pitch != 0).to(at::kFloat) * random.uniform(-0.8f, 0.8f));
  // A longer or shorter vocal tract moves all resonances along the bands.
  const at::Tensor bands = x.narrow(1, 0, kMelBands);
  const at::Tensor from =
      (at::arange(kMelBands).to(at::kFloat) * random.uniform(0.92f, 1.08f) + random.uniform(-1.5f, 1.5f))
          .clamp(0, kMelBands - 1);
  const at::Tensor low = from.floor().clamp_max(kMelBands - 2);
  const at::Tensor index = low.to(at::kLong);
  const at::Tensor below = bands.index_select(1, index);
  const at::Tensor above = bands.index_select(1, index + 1);
  const at::Tensor tilt = at::linspace(-1, 1, kMelBands) * random.uniform(-0.4f, 0.4f);
  bands.copy_(below + (from - low) * (above - below) + tilt);
  const auto width = static_cast<std::int64_t>(random.below(9));
  const auto at = static_cast<std::int64_t>(random.below(static_cast<std::uint32_t>(kMelBands - width)));
  x.narrow(1, at, width).zero_();
}

}  // namespace

VoiceSampler::VoiceSampler(const std::vector<VoiceClip>& clips, const std::vector<std::size_t>& which,
                           std::vector<Emotion> classes, int batch, double seconds, std::uint64_t seed)
    : clips_(clips),
      classes_(std::move(classes)),
      by_class_(classes_.size()),
      batch_(batch),
      frames_(std::lround(seconds * kEmotionRate) * kEmotionStride),
      seed_(seed) {
  for (const std::size_t i : which) {
    const auto c =
        static_cast<int>(std::find(classes_.begin(), classes_.end(), clips[i].label.emotion) - classes_.begin());
    by_class_[c].push_back(i);
    by_speaker_[{c, clips[i].label.speaker}].push_back(i);
  }
}

std::size_t VoiceSampler::draw(Random& random, int class_index, const std::string* speaker) const {
  const std::vector<std::size_t>* from = &by_class_[class_index];
  if (speaker != nullptr) {
    const auto own = by_speaker_.find({class_index, *speaker});
    if (own != by_speaker_.end()) from = &own->second;
  }
  return (*from)[random.below(static_cast<std::uint32_t>(from->size()))];
}

void VoiceSampler::fill(Random& random, std::int64_t row, VoiceBatch& out) const {
  const auto any_class = [&] { return static_cast<int>(random.below(static_cast<std::uint32_t>(classes_.size()))); };
  const at::Tensor features = out.features[row];
  const std::int64_t steps = out.classes.size(1);
  std::int64_t* classes = out.classes.data_ptr<std::int64_t>() + row * steps;
  float* intensity = out.intensity.data_ptr<float>() + row * steps;
  float* weight = out.weight.data_ptr<float>() + row * steps;
  int mood = any_class();
  std::int64_t at = 0, since = 0;
  const std::string* speaker = nullptr;
  while (at < frames_) {
    const VoiceClip& clip = clips_[draw(random, mood, speaker)];
    speaker = &clip.label.speaker;
    const std::int64_t own = clip.features.size(0);
    const std::int64_t taken = std::min(own, frames_ - at);
    const std::int64_t begin = own > taken ? random.below(static_cast<std::uint32_t>(own - taken + 1)) : 0;
    features.narrow(0, at, taken).copy_(clip.features.narrow(0, begin, taken));
    for (std::int64_t n = at / kEmotionStride; n < (at + taken) / kEmotionStride; ++n) {
      classes[n] = mood;
      intensity[n] = clip.label.intensity;
      const float seconds = static_cast<float>(n * kEmotionStride - since) / kMelRate;
      weight[n] = std::clamp(seconds / kSettled, kFirstWeight, 1.0f);
    }
    at += taken;
    if (random.uniform() >= kChange) continue;
    const int next = any_class();
    if (next != mood) since = at;
    mood = next;
  }
  vary(random, features);
}

VoiceBatch VoiceSampler::sample(int step, int rank) const {
  const std::int64_t steps = frames_ / kEmotionStride;
  VoiceBatch out{at::zeros({batch_, frames_, kEmotionFeatures}), at::zeros({batch_, steps}, at::kLong),
                 at::zeros({batch_, steps}), at::zeros({batch_, steps})};
  for (std::int64_t row = 0; row < batch_; ++row) {
    Random random(seed_ * 0x9e3779b97f4a7c15ULL + static_cast<std::uint64_t>(step),
                  static_cast<std::uint64_t>(7 + rank * batch_ + row));
    fill(random, row, out);
  }
  return out;
}

}  // namespace mien
