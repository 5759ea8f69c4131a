// A user's labelled recordings: which files there are, what they express, who speaks; and their features.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>
#include <vector>

#include "mien/base/progress.h"
#include "mien/head/emotion.h"

namespace mien {

struct LabelledVoice {
  std::filesystem::path file;
  Emotion emotion = Emotion::kNeutral;
  float intensity = 1;  // 1 where nothing is said
  std::string speaker;  // empty = unknown
};

// The layouts of train_emotion(), sorted by name. Throws kNotFound, kBadFile.
std::vector<LabelledVoice> list_labelled_voices(const std::filesystem::path& data);

struct VoiceClip {
  LabelledVoice label;
  at::Tensor features;  // [T, kEmotionFeatures], half precision: an hour takes 50 MB
};
struct VoiceClips {
  std::vector<VoiceClip> clips;
  int skipped = 0;
  double minutes = 0;
};

// Reads the sounds, using all threads; says which it skips. Throws kBadFile when more than half of them are of no use.
VoiceClips read_voice_clips(const std::vector<LabelledVoice>& voices, const ProgressCallback& progress);

}  // namespace mien
