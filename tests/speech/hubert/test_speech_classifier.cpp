#include <gtest/gtest.h>
#include <unistd.h>

#include <numeric>

#include "mien/speech/speech_classifier.h"
#include "tiny_model.h"

namespace mien {
namespace {

namespace fs = std::filesystem;
using testing::test_sound;
using testing::TinyModel;

class SpeechClassifierTest : public ::testing::Test {
 protected:
  void TearDown() override { fs::remove_all(folder_); }
  fs::path folder_ = fs::temp_directory_path() / fmt::format("mien_classifier_{}", ::getpid());
};

TinyModel classifier(std::uint64_t seed) {
  TinyModel model;
  model.classifier = true;
  model.prefix = "wav2vec2.";
  model.model_type = "wav2vec2";
  model.old_names = true;
  model.make(seed);
  return model;
}

TEST_F(SpeechClassifierTest, HeadByItsDefinition) {
  const std::vector<float> sound = test_sound(3000);
  for (const bool weighted : {false, true}) {
    for (const bool large : {false, true}) {
      TinyModel model;
      model.classifier = true;
      model.weighted_layers = weighted;
      model.large = large;
      model.prefix = large ? "hubert." : "wav2vec2.";
      model.model_type = large ? "hubert" : "wav2vec2";
      model.make(21);
      model.write(folder_);
      const SpeechClassifier loaded = SpeechClassifier::load(folder_);
      EXPECT_EQ(loaded.labels(), model.labels);
      const std::vector<double> expected = model.logits(testing::standardised(sound));
      const std::vector<float> got = loaded.logits(sound);
      ASSERT_EQ(got.size(), expected.size());
      for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 2e-5) << weighted << large << i;
    }
  }
}

TEST_F(SpeechClassifierTest, LabelsBecomeEmotions) {
  TinyModel model = classifier(22);
  model.write(folder_);
  const std::vector<float> sound = test_sound(3000);
  const SpeechClassifier loaded = SpeechClassifier::load(folder_);
  const std::vector<double> logits = model.logits(testing::standardised(sound));
  double total = 0;
  for (const double v : logits) total += std::exp(v);
  const EmotionVector emotion = loaded.emotion(sound);  // labels: angry, calm, LABEL_2
  const double angry = std::exp(logits[0]) / total;
  EXPECT_NEAR(emotion[static_cast<int>(Emotion::kAngry)], angry, 1e-5);
  EXPECT_NEAR(emotion[static_cast<int>(Emotion::kNeutral)], 1 - angry, 1e-5);
  EXPECT_NEAR(std::accumulate(emotion.begin(), emotion.end(), 0.0f), 1, 1e-5);
  EXPECT_THROW(loaded.emotion({}), Error);

  model.config["id2label"] = {{"0", "joy"}, {"1", "Sad"}, {"2", "HAPPY"}};  // two of one meaning
  model.write(folder_);
  const EmotionVector merged = SpeechClassifier::load(folder_).emotion(sound);
  EXPECT_NEAR(merged[static_cast<int>(Emotion::kHappy)], (std::exp(logits[0]) + std::exp(logits[2])) / total, 1e-5);
  EXPECT_NEAR(merged[static_cast<int>(Emotion::kSad)], std::exp(logits[1]) / total, 1e-5);

  model.config["id2label"] = {{"0", "LABEL_0"}, {"1", "LABEL_1"}, {"2", "LABEL_2"}};
  model.write(folder_);
  try {
    SpeechClassifier::load(folder_).emotion(sound);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("LABEL_1"), std::string::npos) << error.what();
  }
}

TEST(EmotionOfLabel, KnowsTheUsualNames) {
  for (int i = 0; i < kEmotionCount; ++i) EXPECT_EQ(emotion_of_label(kEmotionNames[i]), static_cast<Emotion>(i));
  EXPECT_EQ(emotion_of_label("ang"), Emotion::kAngry);
  EXPECT_EQ(emotion_of_label("Fearful"), Emotion::kFear);
  EXPECT_EQ(emotion_of_label("disgust"), Emotion::kDisgusted);
  EXPECT_EQ(emotion_of_label(" surprise"), Emotion::kSurprised);
  EXPECT_EQ(emotion_of_label("calm"), Emotion::kNeutral);
  EXPECT_FALSE(emotion_of_label("LABEL_3").has_value());
  EXPECT_FALSE(emotion_of_label("").has_value());
}

TEST_F(SpeechClassifierTest, TracksMoveAlongTheRecording) {
  classifier(23).write(folder_);
  const SpeechClassifier loaded = SpeechClassifier::load(folder_);
  const std::vector<float> sound = test_sound(11200);  // 0.7 s
  const EmotionTrack track = loaded.track(sound, {.window_seconds = 0.3, .hop_seconds = 0.15});
  ASSERT_EQ(track.keys.size(), 4u);  // windows from 0, 0.15, 0.3 and, as long as the others, 0.4 s
  const std::vector<double> begins = {0, 0.15, 0.3, 0.4};
  for (std::size_t i = 0; i < begins.size(); ++i) {
    EXPECT_NEAR(track.keys[i].time, begins[i] + 0.15, 1e-9);
    const EmotionVector expected = loaded.emotion({sound.data() + std::lround(begins[i] * 16000), 4800});
    EXPECT_EQ(track.keys[i].value, expected);
  }
  EXPECT_EQ(loaded.track(test_sound(1000)).keys.size(), 1u);
  EXPECT_TRUE(loaded.track({}).keys.empty());
  EXPECT_THROW(loaded.track(sound, {.window_seconds = 0}), Error);
}

TEST_F(SpeechClassifierTest, OtherHeadsAreRefused) {
  const auto complaint = [&] {
    try {
      SpeechClassifier::load(folder_);
      return std::string();
    } catch (const Error& error) {
      EXPECT_FALSE(error.mend().empty());
      return std::string(error.what());
    }
  };
  TinyModel model = classifier(24);
  model.tensors.erase("projector.bias");
  model.write(folder_);
  EXPECT_NE(complaint().find("projector.bias"), std::string::npos) << complaint();
  model = classifier(24);
  model.config["classifier_proj_size"] = 6;
  model.write(folder_);
  EXPECT_NE(complaint().find("projector.weight"), std::string::npos) << complaint();
  model = classifier(24);
  model.config.erase("id2label");
  model.write(folder_);
  EXPECT_NE(complaint().find("id2label"), std::string::npos) << complaint();
  model = classifier(24);
  model.config["id2label"]["3"] = "happy";  // four labels, three outputs
  model.write(folder_);
  EXPECT_NE(complaint().find("classifier.weight"), std::string::npos) << complaint();
}

}  // namespace
}  // namespace mien
