#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include "mien/actor/voice.h"
#include "mien/base/error.h"

namespace mien {
namespace {

// Mean fundamental frequency by autocorrelation over voiced 40 ms windows: an oracle that knows nothing of flite.
double measured_pitch(const Audio& audio) {
  constexpr int kWindow = 640, kShortest = 40, kLongest = 260;  // 61 to 400 Hz
  double sum = 0;
  int count = 0;
  for (std::size_t start = 0; start + kWindow + kLongest < audio.samples.size(); start += 320) {
    const float* s = audio.samples.data() + start;
    double energy = 0;
    for (int i = 0; i < kWindow; ++i) energy += s[i] * s[i];
    if (energy < 0.5) continue;
    double best = 0;
    int best_lag = 0;
    for (int lag = kShortest; lag <= kLongest; ++lag) {
      double r = 0, e = 0;
      for (int i = 0; i < kWindow; ++i) {
        r += s[i] * s[i + lag];
        e += s[i + lag] * s[i + lag];
      }
      r /= std::sqrt(energy * e + 1e-9);
      if (r > best + 0.02) {  // a multiple of the period must be clearly better to win
        best = r;
        best_lag = lag;
      }
    }
    if (best < 0.8) continue;
    sum += 16000.0 / best_lag;
    ++count;
  }
  return count == 0 ? 0 : sum / count;
}

double rms(const Audio& audio, double begin, double end) {
  double sum = 0;
  const auto first = static_cast<std::size_t>(begin * 16000), last = static_cast<std::size_t>(end * 16000);
  for (std::size_t i = first; i < std::min(last, audio.samples.size()); ++i) sum += audio.samples[i] * audio.samples[i];
  return std::sqrt(sum / std::max<double>(1, static_cast<double>(last - first)));
}

class Voice : public testing::Test {
 protected:
  void SetUp() override {
    if (!has_voices()) GTEST_SKIP() << "this build has no flite";
  }
};

TEST_F(Voice, PhonesCoverTheSoundWithoutGaps) {
  for (const std::string& voice : voice_names()) {
    const SpokenSentence s = speak_text("Bob, please open the very big door.", {.voice = voice});
    EXPECT_EQ(s.audio.sample_rate, 16000);
    ASSERT_GT(s.phones.size(), 20u);
    EXPECT_EQ(s.phones.front().begin, 0);
    EXPECT_NEAR(s.phones.back().end, s.audio.seconds(), 1e-6);
    for (std::size_t i = 1; i < s.phones.size(); ++i) EXPECT_EQ(s.phones[i].begin, s.phones[i - 1].end) << voice << i;
    for (const Phone& p : s.phones) EXPECT_EQ(p.name, kPhoneNames[phone_index(p.name)]) << "not one of the 40 names";
    // "Bob, please": SIL B AA B SIL P L IY Z.
    const std::vector<std::string> expected = {"SIL", "B", "AA", "B", "SIL", "P", "L", "IY", "Z"};
    for (std::size_t i = 0; i < expected.size(); ++i)
      EXPECT_EQ(s.phones[i].name, expected[i]) << voice << " phone " << i;
  }
}

// The times must belong to the samples: vowels are loud, pauses are not. Shifted by 100 ms this fails.
TEST_F(Voice, TimesMatchTheSound) {
  for (const std::string& voice : voice_names()) {
    const SpokenSentence s = speak_text("Bob, please open the very big door.", {.voice = voice});
    double loudest_pause = 0, quietest_vowel = 1;
    for (const Phone& p : s.phones) {
      const double inset = 0.25 * (p.end - p.begin);
      const double level = rms(s.audio, p.begin + inset, p.end - inset);
      if (p.name == "SIL" && p.end - p.begin > 0.08) loudest_pause = std::max(loudest_pause, level);
      if (p.name == "AA" || p.name == "AO" || p.name == "IY") quietest_vowel = std::min(quietest_vowel, level);
    }
    EXPECT_GT(quietest_vowel, 3 * loudest_pause) << voice;
  }
}

TEST_F(Voice, StretchAndPitchDoWhatTheySay) {
  const std::string text = "We were away a year ago, all along the river.";
  const SpokenSentence plain = speak_text(text);
  const SpokenSentence slow = speak_text(text, {.duration_stretch = 1.5});
  EXPECT_NEAR(slow.audio.seconds() / plain.audio.seconds(), 1.5, 0.12);
  const double low = measured_pitch(speak_text(text, {.pitch_mean = 140}).audio);
  const double high = measured_pitch(speak_text(text, {.pitch_mean = 210}).audio);
  EXPECT_NEAR(low, 140, 15);
  EXPECT_NEAR(high, 210, 20);
  const SpokenSentence again = speak_text(text);  // settings of one call must not leak into the next
  EXPECT_EQ(again.audio.samples, plain.audio.samples);
}

TEST_F(Voice, EmotionalProsodyIsHeard) {
  const std::string text = "My brother found the boat by the river.";
  const SpokenSentence happy = speak_text(text, emotional_prosody({}, emotion_vector(Emotion::kHappy, 1)));
  const SpokenSentence sad = speak_text(text, emotional_prosody({}, emotion_vector(Emotion::kSad, 1)));
  EXPECT_GT(sad.audio.seconds(), 1.2 * happy.audio.seconds());
  EXPECT_GT(measured_pitch(happy.audio), 1.15 * measured_pitch(sad.audio));
  const VoiceOptions neutral = emotional_prosody({}, emotion_vector(Emotion::kNeutral, 1));
  EXPECT_EQ(neutral.duration_stretch, 1);
}

TEST_F(Voice, SafeFromSeveralThreads) {
  const SpokenSentence expected = speak_text("One voice at a time.");
  std::vector<SpokenSentence> results(4);
  std::vector<std::thread> threads;
  for (auto& result : results) threads.emplace_back([&result] { result = speak_text("One voice at a time."); });
  for (std::thread& thread : threads) thread.join();
  for (const auto& result : results) EXPECT_EQ(result.audio.samples, expected.audio.samples);
}

TEST_F(Voice, LongTextIsSpokenWhole) {
  std::string text;
  for (int i = 0; i < 12; ++i) text += "The captain’s boat left the harbour at half past five. ";
  const SpokenSentence s = speak_text(text);
  int v_count = 0;  // "five"
  for (const Phone& p : s.phones) v_count += p.name == "V" ? 1 : 0;
  EXPECT_EQ(v_count, 12);
  EXPECT_NEAR(s.phones.back().end, s.audio.seconds(), 1e-6);
}

TEST(VoiceErrors, NameWhatWasWrong) {
  EXPECT_THROW(speak_text("hello", {.voice = "nobody"}), Error);
  EXPECT_THROW(speak_text("hello", {.duration_stretch = 0}), Error);
  EXPECT_THROW(voice_pitch(""), Error);
  if (!has_voices()) {
    EXPECT_THROW(speak_text("hello"), Error);
    return;
  }
  EXPECT_THROW(speak_text(""), Error);
  EXPECT_THROW(speak_text(" .,!"), Error);
  EXPECT_THROW(speak_text(std::string(30000, 'a')), Error);
  EXPECT_THROW(speak_text("hello", {.pitch_mean = 5}), Error);
  EXPECT_THROW(speak_text("hello", {.duration_stretch = std::nan("")}), Error);
}

}  // namespace
}  // namespace mien
