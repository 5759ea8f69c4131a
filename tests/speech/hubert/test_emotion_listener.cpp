#include <gtest/gtest.h>

#include "mien/base/error.h"
#include "mien/speech/emotion_listener.h"

namespace mien {
namespace {

// "Happy" by the last sample heard, and the length of what was heard as "sad": each classification shows in the keys.
EmotionVector classify(std::span<const float> heard) {
  EmotionVector out{};
  out[static_cast<int>(Emotion::kHappy)] = heard.back();
  out[static_cast<int>(Emotion::kSad)] = static_cast<float>(heard.size()) / 100000;
  return out;
}

std::vector<float> ramp(std::size_t samples) {
  std::vector<float> out(samples);
  for (std::size_t i = 0; i < samples; ++i) out[i] = static_cast<float>(i) / 1e5f;
  return out;
}

TEST(EmotionListener, HearsWindowsAndNeverAhead) {
  EmotionListener listener(classify, {.window_seconds = 2, .hop_seconds = 0.5});
  EXPECT_DOUBLE_EQ(listener.latency(), 1.5);
  EXPECT_EQ(listener.track().at(0)[0], 1) << "neutral before anything is heard";
  listener.push(ramp(40500));  // five hops and a bit
  const EmotionTrack& track = listener.track();
  ASSERT_EQ(track.keys.size(), 6u);
  for (int n = 1; n <= 5; ++n) {
    const EmotionTrack::Key& key = track.keys[n];
    EXPECT_DOUBLE_EQ(key.time, 0.5 * (n + 1));
    EXPECT_FLOAT_EQ(key.value[static_cast<int>(Emotion::kHappy)], (8000.0f * n - 1) / 1e5f) << "the sound up to hop n";
    EXPECT_FLOAT_EQ(key.value[static_cast<int>(Emotion::kSad)], std::min(8000.0f * n, 32000.0f) / 1e5f);
  }
}

TEST(EmotionListener, BlocksDoNotMatterAndNothingChangesAfterwards) {
  const std::vector<float> sound = ramp(70000);
  EmotionListener whole(classify);
  whole.push(sound);
  for (const std::size_t block : {1000u, 15999u, 16001u}) {
    EmotionListener listener(classify);
    for (std::size_t at = 0; at < sound.size(); at += block) {
      const std::size_t count = std::min(block, sound.size() - at);
      listener.push(std::span(sound).subspan(at, count));
      // What it says of the time up to now stays.
      const double now = static_cast<double>(at + count) / 16000;
      for (const double time : {now, now / 2}) EXPECT_EQ(listener.track().at(time), whole.track().at(time));
    }
    EXPECT_EQ(listener.track().keys.size(), whole.track().keys.size());
  }
}

TEST(EmotionListener, EndlessStreamsAreBounded) {
  EmotionListener listener([](std::span<const float>) { return emotion_vector(Emotion::kSad, 1); },
                           {.window_seconds = 0.1, .hop_seconds = 0.1});
  for (int i = 0; i < 100; ++i) listener.push(std::vector<float>(16000, 0.0f));
  EXPECT_LE(listener.track().keys.size(), 256u);
  EXPECT_NEAR(listener.track().keys.back().time, 100.1, 1e-6);
  EXPECT_THROW(EmotionListener(classify, {.window_seconds = 0}), Error);
  EXPECT_THROW(EmotionListener(classify, {.hop_seconds = 1e9}), Error);
}

}  // namespace
}  // namespace mien
