#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>

#include "mien/base/safetensors.h"
#include "mien/motion/speech_driver.h"
#include "mien/speech/phonetic_encoder.h"
#include "speech/random_model.h"

namespace mien {
namespace {

using testing::babble;
using testing::TemporaryFile;

std::vector<SpeechFrame> drive(const std::shared_ptr<const SpeechModel>& model, std::span<const float> samples,
                               std::size_t block, double fps, const EmotionTrack& emotion = {}) {
  SpeechDriverOptions options;
  options.fps = fps;
  SpeechDriver driver(model, options);
  driver.set_emotion(emotion);
  std::vector<SpeechFrame> frames;
  SpeechFrame frame;
  for (std::size_t at = 0; at < samples.size(); at += block) {
    driver.push(samples.subspan(at, std::min(block, samples.size() - at)));
    while (driver.pull(frame)) frames.push_back(frame);
  }
  EXPECT_FALSE(driver.finished());
  driver.finish();
  while (driver.pull(frame)) frames.push_back(frame);
  EXPECT_TRUE(driver.finished());
  EXPECT_FALSE(driver.pull(frame));
  return frames;
}

class Driver : public ::testing::Test {
 protected:
  Driver() : file_("speech.safetensors") {
    testing::random_speech_model(21).write(file_.path());
    model_ = SpeechModel::load(file_.path());
  }
  TemporaryFile file_;
  std::shared_ptr<const SpeechModel> model_;
};

TEST_F(Driver, BlocksDoNotMatter) {
  const std::vector<float> samples = babble(1.7, 6);
  EmotionTrack emotion;
  emotion.keys = {{0.0, emotion_vector(Emotion::kHappy, 0.2f)}, {1.5, emotion_vector(Emotion::kAngry, 1.0f)}};
  for (const double fps : {30.0, 25.0, 60.0, 7.3}) {
    const std::vector<SpeechFrame> whole = drive(model_, samples, samples.size(), fps, emotion);
    ASSERT_EQ(whole.size(), static_cast<std::size_t>(std::ceil(1.7 * fps - 1e-9)));
    for (const std::size_t block : {1u, 100u, 533u, 1600u}) {
      const std::vector<SpeechFrame> frames = drive(model_, samples, block, fps, emotion);
      ASSERT_EQ(frames.size(), whole.size()) << fps << " fps, blocks of " << block;
      for (std::size_t i = 0; i < frames.size(); ++i) {
        ASSERT_EQ(frames[i].motion.expression, whole[i].motion.expression) << "frame " << i;
        ASSERT_EQ(frames[i].phones, whole[i].phones);
        ASSERT_EQ(frames[i].energy, whole[i].energy);
      }
    }
  }
}

TEST_F(Driver, OtherRatesLieOnTheSameCurve) {
  const std::vector<float> samples = babble(1.0, 7);
  const std::vector<SpeechFrame> at30 = drive(model_, samples, 480, 30);
  const std::vector<SpeechFrame> at60 = drive(model_, samples, 480, 60);
  const std::vector<SpeechFrame> at15 = drive(model_, samples, 480, 15);
  ASSERT_EQ(at30.size(), 30u);
  ASSERT_EQ(at60.size(), 60u);
  ASSERT_EQ(at15.size(), 15u);
  for (std::size_t i = 0; i < at15.size(); ++i) EXPECT_EQ(at15[i].motion.expression, at30[2 * i].motion.expression);
  for (std::size_t i = 0; i + 1 < at30.size(); ++i) {
    for (std::size_t e = 0; e < at30[i].motion.expression.size(); ++e) {
      EXPECT_NEAR(at60[2 * i].motion.expression[e], at30[i].motion.expression[e], 1e-6);
      EXPECT_NEAR(at60[2 * i + 1].motion.expression[e],
                  0.5f * (at30[i].motion.expression[e] + at30[i + 1].motion.expression[e]), 1e-5);
    }
  }
}

// The model with random weights whose phonetic encoder speaks `delay` steps late.
std::shared_ptr<const SpeechModel> late_model(int delay, std::vector<EncoderStep>* steps = nullptr,
                                              std::span<const float> samples = {}) {
  S2GSettings settings;
  settings.set_encoder_delay(delay);
  const TemporaryFile file("late.safetensors");
  testing::random_speech_model(21, settings).write(file.path());
  if (steps != nullptr) *steps = PhoneticEncoder(SafetensorsFile::open(file.path())).encode(samples);
  return SpeechModel::load(file.path());
}

TEST_F(Driver, LookaheadIsWhatItSays) {
  const std::vector<float> samples = babble(2.0, 8);
  EXPECT_LE(SpeechDriver(model_).lookahead_seconds(), 0.1);
  for (const int delay : {0, 1, 2, 3, 7, kEncoderMostDelay}) {
    SpeechDriver driver(late_model(delay));
    double worst = 0;
    SpeechFrame frame;
    int pulled = 0;
    for (std::size_t at = 0; at < samples.size(); at += 16) {
      driver.push(std::span(samples).subspan(at, 16));
      while (driver.pull(frame)) worst = std::max(worst, static_cast<double>(at + 16) / 16000 - pulled++ / 30.0);
    }
    EXPECT_NEAR(pulled, 30 * (2.0 - driver.lookahead_seconds()), 1.5);
    EXPECT_NEAR(worst, driver.lookahead_seconds(), 0.0011) << delay;
    EXPECT_NEAR(driver.lookahead_seconds(), SpeechDriver(model_).lookahead_seconds() + 0.02 * (delay - kEncoderDelay),
                1e-9);
  }
}

// Whatever the delay, a frame's phones are those that the encoder says of the frame's own time.
TEST_F(Driver, PhonesBelongToTheirFrameWhateverTheDelay) {
  const std::vector<float> samples = babble(1.3, 4);
  for (const int delay : {0, 2, 7, kEncoderMostDelay}) {
    std::vector<EncoderStep> steps;
    const std::vector<SpeechFrame> frames = drive(late_model(delay, &steps, samples), samples, 700, 30);
    ASSERT_EQ(frames.size(), 39u);
    for (std::size_t k = 1; k < frames.size(); ++k) {
      // Step n speaks of (n - delay + 1/2) / 50 s: the frame at k / 30 s lies between two of them.
      const double place = static_cast<double>(k) / 30 * 50 + delay - 0.5;
      const auto low = static_cast<std::size_t>(std::floor(place));
      ASSERT_LT(low + 1, steps.size());
      const auto share = static_cast<float>(place - static_cast<double>(low));
      for (int p = 0; p < kPhoneCount; ++p) {
        ASSERT_NEAR(frames[k].phones[p], (1 - share) * steps[low].posteriors[p] + share * steps[low + 1].posteriors[p],
                    1e-5)
            << "delay " << delay << ", frame " << k;
      }
    }
  }
}

TEST_F(Driver, OddInputIsSane) {
  EXPECT_TRUE(drive(model_, {}, 1, 30).empty());
  EXPECT_EQ(drive(model_, std::vector<float>(1, 0.3f), 1, 30).size(), 1u);
  std::vector<float> bad = babble(0.8, 9);
  for (std::size_t i = 0; i < bad.size(); i += 5) bad[i] = std::numeric_limits<float>::quiet_NaN();
  for (std::size_t i = 1; i < bad.size(); i += 500) bad[i] = std::numeric_limits<float>::infinity();
  for (const SpeechFrame& frame : drive(model_, bad, 333, 30)) {
    ASSERT_EQ(frame.motion.expression.size(), static_cast<std::size_t>(testing::kTestExpressions));
    for (const float w : frame.motion.expression) {
      EXPECT_GE(w, 0);
      EXPECT_LE(w, 1);
    }
    EXPECT_GE(frame.energy, 0);
    EXPECT_LE(frame.energy, 1);
  }
  EXPECT_THROW(SpeechDriver(model_, {0}), Error);
  EXPECT_THROW(SpeechDriver(model_, {std::numeric_limits<double>::quiet_NaN()}), Error);
}

TEST_F(Driver, HostileModelsAreRefused) {
  const auto code = [&](const SafetensorsWriter& writer) {
    const TemporaryFile file("hostile_model.safetensors");
    writer.write(file.path());
    try {
      SpeechModel::load(file.path());
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::kInternal;
  };
  EXPECT_EQ(code(SafetensorsWriter()), ErrorCode::kBadFile);
  SafetensorsWriter newer = testing::random_speech_model(1);
  newer.metadata("format", "mien-speech-9");
  EXPECT_EQ(code(newer), ErrorCode::kUnsupported);
  SafetensorsWriter nameless = testing::random_speech_model(1);
  nameless.metadata("expression_names", "");
  EXPECT_EQ(code(nameless), ErrorCode::kBadFile);
  SafetensorsWriter more_names = testing::random_speech_model(1);
  more_names.metadata("expression_names", "a b c d e f g h");
  EXPECT_EQ(code(more_names), ErrorCode::kBadFile);
  EXPECT_THROW(SpeechModel::load("/nonexistent/speech.safetensors"), Error);
  const TemporaryFile text("text.safetensors");
  std::ofstream(text.path()) << "not a model";
  EXPECT_THROW(SpeechModel::load(text.path()), Error);
}

}  // namespace
}  // namespace mien
