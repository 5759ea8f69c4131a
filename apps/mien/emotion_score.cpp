#include "emotion_score.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "mien/actor/emotion_classifier.h"

namespace mien::app {
namespace {

constexpr double kWindow = 1.5;  // seconds
constexpr int kLeastFrames = 4;
constexpr float kLeastIntensity = 0.25f;  // below it a face is neutral

// Windows that overlap by half: first frame and count.
std::vector<std::pair<int, int>> windows_of(const HeadMotion& motion) {
  const int frames = motion.frame_count();
  const int length = std::clamp(static_cast<int>(std::lround(kWindow * motion.fps)), kLeastFrames, std::max(1, frames));
  std::vector<std::pair<int, int>> out;
  for (int at = 0; at + length <= frames; at += std::max(1, length / 2)) out.emplace_back(at, length);
  return out;
}

HeadMotion cut(const HeadMotion& motion, const std::pair<int, int>& window) {
  HeadMotion out;
  out.head_model = motion.head_model;
  out.expression_names = motion.expression_names;
  out.fps = motion.fps;
  // What drives may end early: it stands still then.
  for (int f = window.first; f < window.first + window.second; ++f)
    out.frames.push_back(motion.frames[std::min(f, motion.frame_count() - 1)]);
  return out;
}

Emotion label_at(const CaptureSequence& sequence, const HeadMotion& motion, const std::pair<int, int>& window) {
  const EmotionVector v = sequence.emotion.at((window.first + 0.5 * window.second) / motion.fps);
  const auto strongest = std::max_element(v.begin() + 1, v.end());
  return *strongest < kLeastIntensity ? Emotion::kNeutral : static_cast<Emotion>(strongest - v.begin());
}

bool arkit(const HeadMotion& motion) {
  return std::all_of(motion.frames.begin(), motion.frames.end(),
                     [](const MotionFrame& f) { return f.expression.size() >= kArkitCount; });
}

}  // namespace

std::optional<EmotionScore> score_emotions(const Capture& capture, const std::string& split,
                                           const std::function<HeadMotion(const CaptureSequence&)>& driven) {
  std::vector<EmotionClassifier::Sample> samples;
  std::set<Emotion> known;
  for (const CaptureSequence& sequence : capture.sequences) {
    if (sequence.split != "train" || sequence.motion.empty()) continue;
    const HeadMotion motion = capture.load_motion(sequence);
    if (!arkit(motion)) return {};
    for (const auto& window : windows_of(motion)) {
      const Emotion label = label_at(sequence, motion, window);
      samples.push_back({EmotionClassifier::features(cut(motion, window)), label});
      known.insert(label);
    }
  }
  if (known.size() < 2) return {};
  const EmotionClassifier judge = EmotionClassifier::train(samples);
  EmotionScore score;
  int right_driven = 0, right_tracked = 0;
  for (const CaptureSequence& sequence : capture.sequences) {
    if (sequence.split != split || sequence.motion.empty()) continue;
    const HeadMotion tracked = capture.load_motion(sequence);
    const HeadMotion other = driven(sequence);
    if (!arkit(tracked) || !arkit(other) || other.frames.empty()) return {};
    for (const auto& window : windows_of(tracked)) {
      const Emotion label = label_at(sequence, tracked, window);
      if (!known.contains(label)) continue;
      right_driven += judge.classify(EmotionClassifier::features(cut(other, window))) == label ? 1 : 0;
      right_tracked += judge.classify(EmotionClassifier::features(cut(tracked, window))) == label ? 1 : 0;
      ++score.windows;
    }
  }
  if (score.windows == 0) return {};
  score.driven = static_cast<double>(right_driven) / score.windows;
  score.tracked = static_cast<double>(right_tracked) / score.windows;
  score.chance = 1.0 / static_cast<double>(known.size());
  return score;
}

}  // namespace mien::app
