// What the model we ship must do, on speech that it was not trained on. Skipped without the model or the head.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "mien/actor/corpus.h"
#include "mien/actor/lip_score.h"
#include "mien/actor/mouth_contacts.h"
#include "mien/actor/voice.h"
#include "mien/base/error.h"
#include "mien/base/random.h"
#include "mien/head/head_model.h"
#include "mien/motion/speech_driver.h"

namespace mien {
namespace {

namespace fs = std::filesystem;

class ShippedModel : public ::testing::Test {
 protected:
  void SetUp() override {
    try {
      model_ = SpeechModel::load(MIEN_SOURCE_DIR "/models/speech.safetensors");
      head_ = HeadModel::load(find_head_asset());
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kNotFound) throw;
      GTEST_SKIP() << error.what();
    }
    const std::vector<std::string> names = SpeechDriver(model_).expression_names();
    if (names.size() > head_.expression_names.size() ||
        !std::equal(names.begin(), names.end(), head_.expression_names.begin())) {
      GTEST_SKIP() << "the model was trained for another head";
    }
  }
  HeadMotion drive(std::span<const float> samples,
                   const EmotionVector& emotion = emotion_vector(Emotion::kNeutral, 1)) {
    SpeechDriver driver(model_);
    driver.set_emotion(EmotionTrack::constant(emotion));
    driver.push(samples);
    driver.finish();
    HeadMotion motion;
    motion.head_model = head_.id;
    motion.expression_names = driver.expression_names();
    MouthContacts contacts(head_);  // as everything that draws a head applies them
    for (SpeechFrame frame; driver.pull(frame);) {
      frame.motion.expression.resize(head_.expression_count(), 0.0f);
      contacts.apply(frame.phones, 1.0 / 30, 1.0f, frame.motion.expression);
      motion.frames.push_back(frame.motion);
    }
    return motion;
  }
  // A floor under what the model reached when it was shipped (docs/measurements.md has the figures themselves).
  void expect_at_least(const LipReport& report, double closures, double labiodentals, double open_vowels) {
    std::cout << fmt::format("  P B M {}/{}, F V {}/{}, open vowels {}/{}, silences {}/{}\n", report.closures.passed,
                             report.closures.total, report.labiodentals.passed, report.labiodentals.total,
                             report.open_vowels.passed, report.open_vowels.total, report.silences.passed,
                             report.silences.total);
    EXPECT_GE(report.closures.percent(), closures);
    EXPECT_GE(report.labiodentals.percent(), labiodentals);
    EXPECT_GE(report.open_vowels.percent(), open_vowels);
    EXPECT_EQ(report.silences.passed, report.silences.total);
    for (const LipFailure& f : report.failures) {
      std::cout << fmt::format("  {} at {:.2f} s: {:.2f} mm\n", f.phone, f.begin, f.value_mm);
    }
  }
  std::shared_ptr<const SpeechModel> model_;
  HeadModel head_;
};

TEST_F(ShippedModel, LipsFollowASyntheticVoice) {
  if (!has_voices()) GTEST_SKIP() << "built without flite";
  LipReport report;
  for (std::size_t s = 0; s < 12; ++s) {
    VoiceOptions voice;
    voice.voice = s % 2 == 0 ? "rms" : "slt";
    const SpokenSentence spoken = speak_text(test_sentences()[s], voice);
    report += score_lips(measure_lips(head_, drive(spoken.audio.samples)), spoken.phones);
  }
  expect_at_least(report, 80, 80, 90);
}

TEST_F(ShippedModel, LipsFollowAReaderItNeverHeard) {
  const char* shared = std::getenv("MIEN_SHARED");
  const fs::path folder = fs::path(shared != nullptr ? shared : MIEN_SOURCE_DIR "/../shared") / "data/speech/librivox";
  if (!fs::exists(folder)) GTEST_SKIP() << "no recordings at " << folder;
  LipReport report;
  for (const char* name : {"austen_0870", "austen_0880", "austen_0890"}) {
    const Audio audio = read_audio(folder / (std::string(name) + ".wav"));
    report += score_lips(measure_lips(head_, drive(audio.samples)),
                         read_phones(folder / (std::string(name) + ".phone.json")));
  }
  expect_at_least(report, 90, 80, 90);
}

TEST_F(ShippedModel, SilenceAndNoiseKeepTheMouthClosed) {
  Random random(4);
  for (const float level : {0.0f, 1e-4f, 3e-3f}) {  // digital silence, -80 dB, -50 dB of noise
    std::vector<float> samples(5 * 16000);
    for (float& s : samples) s = level * random.normal();
    for (const LipSample& sample : measure_lips(head_, drive(samples))) {
      if (sample.time < 0.2) continue;
      EXPECT_LT(sample.gap_mm, 1.0f) << "noise " << level << " at " << sample.time << " s";
    }
  }
}

TEST_F(ShippedModel, EmotionShows) {
  const std::vector<float> silence(16000, 0.0f);
  const auto weight = [&](const EmotionVector& emotion, const char* name) {
    return drive(silence, emotion).frames[20].expression[arkit_index(name)];
  };
  const EmotionVector neutral = emotion_vector(Emotion::kNeutral, 1);
  const EmotionVector happy = emotion_vector(Emotion::kHappy, 1);
  EXPECT_GT(weight(happy, "mouthSmileLeft"), weight(neutral, "mouthSmileLeft") + 0.2f);
  EXPECT_GT(weight(happy, "mouthSmileLeft"), weight(emotion_vector(Emotion::kHappy, 0.3f), "mouthSmileLeft") + 0.1f);
  EXPECT_GT(weight(emotion_vector(Emotion::kAngry, 1), "browDownLeft"), weight(neutral, "browDownLeft") + 0.2f);
}

}  // namespace
}  // namespace mien
