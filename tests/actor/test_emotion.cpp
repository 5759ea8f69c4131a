#include <gtest/gtest.h>

#include "actor/synthetic_head.h"
#include "mien/actor/corpus.h"
#include "mien/actor/emotion_classifier.h"
#include "mien/actor/performance.h"
#include "mien/base/error.h"
#include "mien/base/random.h"

namespace mien {
namespace {

// Speech-like phones without a voice: alternating consonants and vowels with pauses.
PhoneTrack babble(std::uint64_t seed, double seconds) {
  Random random(seed);
  PhoneTrack track = {{"SIL", 0, 0.3}};
  double t = 0.3;
  while (t < seconds - 0.6) {
    const std::string name = random.uniform() < 0.06f ? "SIL" : kPhoneNames[1 + random.below(kPhoneCount - 1)];
    const double length = name == "SIL" ? 0.25 : random.uniform(0.04f, 0.16f);
    track.push_back({name, t, t + length});
    t += length;
  }
  track.push_back({"SIL", t, seconds});
  return track;
}

EmotionClassifier::Features features(const HeadModel& head, int emotion, float intensity, std::uint64_t seed) {
  PerformanceOptions options;
  options.seed = seed;
  const EmotionVector value = emotion_vector(static_cast<Emotion>(emotion), intensity);
  return EmotionClassifier::features(perform(babble(seed, 3.5), 3.5, EmotionTrack::constant(value), head, options));
}

TEST(EmotionReads, ClassifierNamesTheActorsEmotion) {
  const HeadModel head = test::synthetic_head();
  std::vector<EmotionClassifier::Sample> training;
  for (int e = 0; e < kEmotionCount; ++e) {
    for (int i = 0; i < 12; ++i) {
      training.push_back({features(head, e, i % 2 == 0 ? 1.0f : 0.5f, 100 + 17 * i + e), static_cast<Emotion>(e)});
    }
  }
  const EmotionClassifier classifier = EmotionClassifier::train(training);
  for (const float intensity : {1.0f, 0.5f, 0.7f}) {
    int right = 0, total = 0;
    for (int e = 0; e < kEmotionCount; ++e) {
      for (int i = 0; i < 6; ++i) {
        const auto f = features(head, e, intensity, 9000 + 31 * i + e);
        right += classifier.classify(f) == static_cast<Emotion>(e) ? 1 : 0;
        ++total;
      }
    }
    EXPECT_GE(right, 0.97 * total) << "intensity " << intensity;
  }
}

TEST(EmotionReads, ClassifierIsAProbability) {
  const HeadModel head = test::synthetic_head();
  const EmotionClassifier classifier =
      EmotionClassifier::train({{features(head, 5, 1, 1), Emotion::kHappy}, {features(head, 6, 1, 2), Emotion::kSad}});
  const auto p = classifier.probabilities(features(head, 5, 1, 3));
  float sum = 0;
  for (const float v : p) sum += v;
  EXPECT_NEAR(sum, 1, 1e-5);
  EXPECT_GT(p[static_cast<int>(Emotion::kHappy)], 0.6f);
  EXPECT_THROW(EmotionClassifier::train({}), Error);
  EXPECT_THROW(EmotionClassifier::features(HeadMotion{}), Error);
}

TEST(EmotionReads, FacesGrowWithIntensityAndContemptIsOneSided) {
  for (int e = 1; e < kEmotionCount; ++e) {
    const auto mild = emotion_face(emotion_vector(static_cast<Emotion>(e), 0.5f));
    const auto strong = emotion_face(emotion_vector(static_cast<Emotion>(e), 1.0f));
    float mild_size = 0, strong_size = 0;
    for (int w = 0; w < kArkitCount; ++w) {
      EXPECT_TRUE(strong[w] >= 0 && strong[w] <= 1);
      mild_size += mild[w];
      strong_size += strong[w];
    }
    EXPECT_NEAR(strong_size, 2 * mild_size, 0.05 * strong_size) << kEmotionNames[e];
    EXPECT_GT(strong_size, 1.5f) << kEmotionNames[e];
  }
  const auto contempt = emotion_face(emotion_vector(Emotion::kContempt, 1));
  EXPECT_GT(contempt[arkit_index("mouthSmileRight")], contempt[arkit_index("mouthSmileLeft")] + 0.3f);
  const auto neutral = emotion_face(emotion_vector(Emotion::kNeutral, 1));
  for (const float w : neutral) EXPECT_EQ(w, 0);
}

}  // namespace
}  // namespace mien
