#include "mien/speech/emotion_listener.h"

#include <algorithm>

#include "mien/base/error.h"
#include "mien/media/audio.h"

namespace mien {
namespace {

constexpr std::size_t kMostKeys = 256;  // more than any look-ahead needs

}  // namespace

void check_emotion_windows(const EmotionWindows& windows) {
  if (!(windows.window_seconds >= 0.1 && windows.window_seconds <= 60) ||
      !(windows.hop_seconds >= 0.1 && windows.hop_seconds <= 60)) {
    throw Error(ErrorCode::kBadArgument,
                fmt::format("windows of {} s every {} s", windows.window_seconds, windows.hop_seconds),
                "both may be 0.1 to 60 s");
  }
}

EmotionListener::EmotionListener(Classify classify, const EmotionWindows& windows)
    : classify_(std::move(classify)), windows_(windows) {
  check_emotion_windows(windows);
  window_ = static_cast<std::size_t>(windows.window_seconds * kSpeechRate);
  hop_ = static_cast<std::size_t>(windows.hop_seconds * kSpeechRate);
  track_.keys.push_back({windows.hop_seconds, emotion_vector(Emotion::kNeutral, 1)});
}

void EmotionListener::push(std::span<const float> samples) {
  while (!samples.empty()) {
    const std::size_t taken = std::min(samples.size(), hop_ - since_);
    last_.insert(last_.end(), samples.begin(), samples.begin() + static_cast<std::ptrdiff_t>(taken));
    samples = samples.subspan(taken);
    since_ += taken;
    if (since_ < hop_) continue;
    since_ = 0;
    ++hops_;
    if (last_.size() > window_) last_.erase(last_.begin(), last_.end() - static_cast<std::ptrdiff_t>(window_));
    track_.keys.push_back({static_cast<double>(hops_ + 1) * static_cast<double>(hop_) / kSpeechRate, classify_(last_)});
    if (track_.keys.size() > kMostKeys) track_.keys.erase(track_.keys.begin());
  }
}

}  // namespace mien
