#include "mien/speech/voice_emotion.h"

#include "mien/base/error.h"

namespace mien {

VoiceEmotion VoiceEmotion::load(const std::filesystem::path& path, const std::string& device) {
  VoiceEmotion out;
  if (std::filesystem::is_regular_file(path)) {
    out.hears_ = std::make_shared<const EmotionNetwork>(EmotionNetwork::load(path));
  } else {
    out.hears_ = SpeechClassifier::load(path, device);
  }
  return out;
}

std::vector<std::string> VoiceEmotion::labels() const {
  if (const auto* classifier = std::get_if<SpeechClassifier>(&hears_)) return classifier->labels();
  std::vector<std::string> labels;
  for (const Emotion e : std::get<0>(hears_)->classes()) labels.emplace_back(kEmotionNames[static_cast<int>(e)]);
  return labels;
}

EmotionTrack VoiceEmotion::track(std::span<const float> samples, const EmotionWindows& windows) const {
  if (const auto* classifier = std::get_if<SpeechClassifier>(&hears_)) return classifier->track(samples, windows);
  return std::get<0>(hears_)->track(samples);
}

VoiceEmotion::Stream::Stream(const VoiceEmotion& voice, const EmotionWindows& windows) {
  if (const auto* classifier = std::get_if<SpeechClassifier>(&voice.hears_)) {
    listener_ = std::make_unique<EmotionListener>(
        [owned = *classifier](std::span<const float> heard) { return owned.emotion(heard); }, windows);
  } else {
    follower_ = std::make_unique<EmotionFollower>(*std::get<0>(voice.hears_));
  }
}

void VoiceEmotion::Stream::push(std::span<const float> samples) {
  if (listener_) {
    listener_->push(samples);
  } else {
    follower_->push(samples);
  }
}

const EmotionTrack& VoiceEmotion::Stream::track() const {
  return listener_ ? listener_->track() : follower_->track();
}

double VoiceEmotion::Stream::latency() const {
  return listener_ ? listener_->latency() : EmotionFollower::latency();
}

}  // namespace mien
