// Pitch: known heights are found, noise and silence have none, cuts change nothing.
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "mien/base/random.h"
#include "mien/speech/emotion_features.h"
#include "speech/emotion/pitch.h"
#include "speech/random_model.h"

namespace mien {
namespace {

std::vector<Pitch> track(const std::vector<float>& samples) {
  PitchTracker tracker;
  std::vector<Pitch> out;
  tracker.push(samples, out);
  return out;
}

// `harmonics` of a fundamental, all alike.
std::vector<float> tone(double hz, int harmonics, double seconds = 0.5) {
  std::vector<float> samples(static_cast<std::size_t>(seconds * 16000));
  for (std::size_t i = 0; i < samples.size(); ++i) {
    for (int h = 1; h <= harmonics; ++h)
      samples[i] += static_cast<float>(0.1 * std::sin(2 * std::numbers::pi * h * hz * static_cast<double>(i) / 16000));
  }
  return samples;
}

TEST(Pitch, KnownHeights) {
  for (const double hz : {70.0, 110.0, 173.2, 261.6, 440.0}) {
    for (const int harmonics : {1, 3, 8}) {
      const std::vector<Pitch> found = track(tone(hz, harmonics));
      ASSERT_EQ(found.size(), 48u);  // frames of LogMel: (8000 - 400) / 160 + 1
      for (std::size_t i = 4; i < found.size(); ++i) {
        EXPECT_NEAR(found[i].hz, hz, 0.02 * hz) << harmonics << " harmonics, frame " << i;
        EXPECT_GT(found[i].clarity, 0.85f);
      }
    }
  }
}

TEST(Pitch, NeitherNoiseNorSilence) {
  for (const Pitch& p : track(std::vector<float>(8000, 0.0f))) EXPECT_EQ(p.hz, 0);
  for (const Pitch& p : track(std::vector<float>(8000, 0.3f))) EXPECT_LE(p.clarity, 1);
  Random random(3);
  std::vector<float> noise(32000);
  for (float& s : noise) s = 0.1f * random.normal();
  const std::vector<Pitch> found = track(noise);
  const auto voiced = std::count_if(found.begin(), found.end(), [](const Pitch& p) { return p.hz > 0; });
  EXPECT_LT(voiced, static_cast<std::ptrdiff_t>(found.size() / 20));
  for (const Pitch& p : track({NAN, INFINITY, -INFINITY, 1e30f})) EXPECT_TRUE(std::isfinite(p.hz));
}

TEST(EmotionFeatures, CutsChangeNothing) {
  const std::vector<float> sound = testing::babble(2, 4);
  EmotionFeatureStream whole;
  std::vector<EmotionFrame> expected;
  whole.push(sound, expected);
  ASSERT_EQ(static_cast<std::int64_t>(expected.size()), LogMel::frame_count(32000));
  EmotionFeatureStream cut;
  std::vector<EmotionFrame> got;
  for (std::size_t at = 0, size = 1; at < sound.size(); at += size, size = size * 7 % 997)
    cut.push(std::span(sound).subspan(at, std::min(size, sound.size() - at)), got);
  EXPECT_EQ(got, expected);
}

TEST(EmotionFeatures, PitchAndLoudnessAsSaid) {
  std::vector<float> sound = tone(200, 5, 1);
  const std::vector<float> higher = tone(220, 5, 1);
  sound.insert(sound.end(), higher.begin(), higher.end());
  EmotionFeatureStream stream;
  std::vector<EmotionFrame> frames;
  stream.push(sound, frames);
  EXPECT_NEAR(frames[80][kEmotionPitch], 2 * std::log(200 / 150.0), 0.03);
  EXPECT_NEAR(frames[80][kEmotionRelativePitch], 0, 0.05);
  EXPECT_NEAR(frames[120][kEmotionPitch], 2 * std::log(220 / 150.0), 0.03);
  // The mean of a second of the one and a little of the other.
  EXPECT_NEAR(frames[120][kEmotionRelativePitch], 4 * std::log(1.1) * 100 / 120, 0.05);
  const float loud = frames[120][kEmotionEnergy];
  for (float& s : sound) s *= 0.5f;
  EmotionFeatureStream softer;
  frames.clear();
  softer.push(sound, frames);
  EXPECT_NEAR(frames[120][kEmotionEnergy], loud - std::log(4.0) / 4, 1e-3);
}

}  // namespace
}  // namespace mien
