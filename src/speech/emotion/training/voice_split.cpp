#include "speech/emotion/training/voice_split.h"

#include <algorithm>
#include <array>
#include <set>

#include "mien/base/error.h"
#include "mien/base/random.h"

namespace mien {
namespace {

std::vector<std::string> speakers_of(const std::vector<VoiceClip>& clips) {
  std::set<std::string> names;
  for (const VoiceClip& clip : clips) {
    if (!clip.label.speaker.empty()) names.insert(clip.label.speaker);
  }
  return {names.begin(), names.end()};
}

// One speaker in five, of those who show most emotions.
std::vector<std::string> draw_left_out(const std::vector<VoiceClip>& clips, const std::vector<std::string>& speakers,
                                       std::uint64_t seed) {
  Random random(seed, 11);
  std::vector<std::pair<std::pair<int, std::uint32_t>, std::string>> order;
  for (const std::string& speaker : speakers) {
    std::set<Emotion> shown;
    for (const VoiceClip& clip : clips) {
      if (clip.label.speaker == speaker) shown.insert(clip.label.emotion);
    }
    order.push_back({{-static_cast<int>(shown.size()), random.next()}, speaker});
  }
  std::sort(order.begin(), order.end());
  std::vector<std::string> out;
  for (std::size_t i = 0; i < std::max<std::size_t>(1, speakers.size() / 5); ++i) out.push_back(order[i].second);
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

std::vector<Emotion> classes_of(const std::vector<VoiceClip>& clips) {
  std::set<Emotion> found;
  for (const VoiceClip& clip : clips) found.insert(clip.label.emotion);
  return {found.begin(), found.end()};
}

VoiceSplit split_clips(const std::vector<VoiceClip>& clips, const EmotionTrainingOptions& options) {
  VoiceSplit split;
  split.speakers = speakers_of(clips);
  for (const std::string& name : options.leave_out) {
    if (std::find(split.speakers.begin(), split.speakers.end(), name) == split.speakers.end()) {
      throw Error(ErrorCode::kBadArgument, fmt::format("speaker \"{}\" to leave out is not in the data", name),
                  split.speakers.empty() ? "no speakers are named there"
                                         : fmt::format("there are {}", fmt::join(split.speakers, ", ")));
    }
  }
  split.left_out = options.leave_out;
  split.speakers_known = split.speakers.size() >= 2;
  if (split.left_out.empty() && split.speakers_known && !options.train_on_all)
    split.left_out = draw_left_out(clips, split.speakers, options.seed);
  std::array<int, kEmotionCount> seen{};
  for (std::size_t i = 0; i < clips.size(); ++i) {
    const LabelledVoice& label = clips[i].label;
    const bool held = split.left_out.empty() ? !options.train_on_all && seen[static_cast<int>(label.emotion)]++ % 5 == 4
                                             : std::find(split.left_out.begin(), split.left_out.end(), label.speaker) !=
                                                   split.left_out.end();
    (held ? split.test : split.train).push_back(i);
  }
  return split;
}

void check_split(const VoiceSplit& split, const std::vector<VoiceClip>& clips, const std::vector<Emotion>& classes,
                 const std::filesystem::path& data) {
  std::vector<VoiceClip> train;
  for (const std::size_t i : split.train) train.push_back(clips[i]);
  if (classes_of(train).size() == classes.size()) return;
  throw Error(ErrorCode::kBadFile,
              fmt::format("{}: without {} some emotions have no recording left", data.string(),
                          split.left_out.empty() ? "the files held out"
                                                 : fmt::format("speaker {}", fmt::join(split.left_out, ", "))),
              "leave out other speakers (--leave-out), give more recordings, or train on all of them (--all)");
}

}  // namespace mien
