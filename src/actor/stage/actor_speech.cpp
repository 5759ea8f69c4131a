#include "actor_speech.h"

#include <algorithm>
#include <cmath>

#include "mien/actor/corpus.h"
#include "mien/actor/voice.h"
#include "mien/base/error.h"

namespace mien {
namespace {

constexpr double kLeadIn = 0.7;  // seconds of silence before the first word
constexpr double kPause = 0.35;  // between sentences
constexpr double kLeadOut = 0.3;
constexpr double kStill = 0.3;  // seconds of the canonical moment
constexpr double kWake = 0.65;  // when the performance is fully there

void append(Speech& speech, const SpokenSentence& sentence, double begin) {
  const auto at = static_cast<std::size_t>(begin * kSpeechRate);
  speech.audio.samples.resize(std::max(speech.audio.samples.size(), at + sentence.audio.samples.size()), 0.0f);
  std::copy(sentence.audio.samples.begin(), sentence.audio.samples.end(),
            speech.audio.samples.begin() + static_cast<std::ptrdiff_t>(at));
  for (const Phone& p : sentence.phones) {
    if (p.name != "SIL") speech.phones.push_back({p.name, p.begin + begin, p.end + begin});
  }
  speech.text += (speech.text.empty() ? "" : " ") + sentence.text;
}

}  // namespace

Speech make_speech(const ActorCaptureOptions& o, const EmotionVector& emotion, int index) {
  VoiceOptions voice;
  voice.voice = o.voice;
  voice = emotional_prosody(voice, emotion);
  Speech speech;
  speech.audio.sample_rate = kSpeechRate;
  double seconds = o.seconds;
  if (!o.text.empty()) {
    const SpokenSentence sentence = speak_text(o.text, voice);
    append(speech, sentence, kLeadIn);
    const double needed = kLeadIn + sentence.audio.seconds() + kLeadOut;
    seconds = std::max(seconds, needed);
  } else {
    constexpr int kTries = 60;  // sentences looked at; those too long for the rest are passed over
    const std::vector<std::string> pool = corpus_sentences(kTries * (index + 1), o.seed);
    double at = kLeadIn;
    for (int i = kTries * index; i < kTries * (index + 1) && at < seconds - 1; ++i) {
      const SpokenSentence sentence = speak_text(pool[static_cast<std::size_t>(i)], voice);
      if (at + sentence.audio.seconds() + kLeadOut > seconds) continue;
      append(speech, sentence, at);
      at += sentence.audio.seconds() + kPause;
    }
  }
  const double frames = std::ceil(seconds * o.fps - 1e-6);
  speech.audio.samples.resize(static_cast<std::size_t>(std::llround(frames / o.fps * kSpeechRate)), 0.0f);
  return speech;
}

EmotionTrack waking_emotion(const EmotionVector& emotion) {
  const EmotionVector neutral = {1, 0, 0, 0, 0, 0, 0, 0};
  return {{{0.0, neutral}, {kStill, neutral}, {kWake, emotion}}};
}

void still_beginning(HeadMotion& motion) {
  for (int i = 0; i < motion.frame_count(); ++i) {
    const double t = (i / motion.fps - kStill) / (kWake - kStill);
    if (t >= 1) break;
    const auto s = static_cast<float>(t <= 0 ? 0 : t * t * (3 - 2 * t));
    MotionFrame& frame = motion.frames[i];
    for (float& w : frame.expression) w *= s;
    HeadPose& pose = frame.pose;
    pose.head = Quat::Identity().slerp(s, pose.head);
    pose.neck = Quat::Identity().slerp(s, pose.neck);
    pose.root = Quat::Identity().slerp(s, pose.root);
    pose.translation *= s;
    for (int k = 0; k < 2; ++k) {
      pose.gaze_left[k] *= s;
      pose.gaze_right[k] *= s;
    }
  }
}

void check_actor_options(const ActorCaptureOptions& o) {
  const bool as_long_as_text = !o.text.empty() && o.seconds == 0;
  const auto refuse = [](const std::string& what, const char* mend) {
    throw Error(ErrorCode::kBadArgument, "actor: " + what, mend);
  };
  if (!as_long_as_text && !(o.seconds >= 1 && o.seconds <= 3600)) {
    refuse(fmt::format("sequences of {} s", o.seconds), "use 1 to 3600 seconds");
  }
  if (!(o.fps >= 1 && o.fps <= 240)) refuse(fmt::format("{} frames/s", o.fps), "use 1 to 240 frames/s");
  if (o.sequences < 1 || o.sequences > 10000) {
    refuse(fmt::format("{} sequences", o.sequences), "use 1 to 10000 sequences");
  }
  if (o.emotions.empty()) refuse("no emotion", "give at least one");
  if (o.jpeg_quality < 1 || o.jpeg_quality > 100) {
    refuse(fmt::format("JPEG quality {}", o.jpeg_quality), "use 1 to 100");
  }
}

}  // namespace mien
