// Batches for the emotion network: streams in which a voice says things in one mood, then perhaps in another.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "speech/emotion/training/labelled_voices.h"

namespace mien {

class Random;

struct VoiceBatch {
  at::Tensor features;   // [B, T, kEmotionFeatures]
  at::Tensor classes;    // [B, N] which of the sampler's classes
  at::Tensor intensity;  // [B, N]
  at::Tensor weight;     // [B, N]: little just after the mood has changed, 1 a second later
};

// Which batch comes at which step depends on the seed and the step alone.
class VoiceSampler {
 public:
  // `which` of the clips to draw from. Keeps a reference.
  VoiceSampler(const std::vector<VoiceClip>& clips, const std::vector<std::size_t>& which, std::vector<Emotion> classes,
               int batch, double seconds, std::uint64_t seed);
  // Of `size` ranks each draws its own rows: together those of a batch `size` times as large.
  VoiceBatch sample(int step, int rank = 0) const;

 private:
  void fill(Random& random, std::int64_t row, VoiceBatch& out) const;
  std::size_t draw(Random& random, int class_index, const std::string* speaker) const;

  const std::vector<VoiceClip>& clips_;
  std::vector<Emotion> classes_;
  std::vector<std::vector<std::size_t>> by_class_;
  std::map<std::pair<int, std::string>, std::vector<std::size_t>> by_speaker_;  // class and speaker
  std::int64_t batch_, frames_;
  std::uint64_t seed_;
};

}  // namespace mien
