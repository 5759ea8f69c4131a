// Which labelled recordings are trained on, and which are kept to score the network.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "mien/speech/emotion_training.h"
#include "speech/emotion/training/labelled_voices.h"

namespace mien {

std::vector<Emotion> classes_of(const std::vector<VoiceClip>& clips);  // in the order of the enumeration

// Indices of clips.
struct VoiceSplit {
  std::vector<std::size_t> train, test;
  std::vector<std::string> speakers, left_out;
  bool speakers_known = false;
};

// As the options say; without any, one speaker in five, or every fifth clip where no speakers are named. Throws
// kBadArgument for a speaker who is not there.
VoiceSplit split_clips(const std::vector<VoiceClip>& clips, const EmotionTrainingOptions& options);

// Throws kBadFile when an emotion has no clip left to train on; `data` is for the message.
void check_split(const VoiceSplit& split, const std::vector<VoiceClip>& clips, const std::vector<Emotion>& classes,
                 const std::filesystem::path& data);

}  // namespace mien
