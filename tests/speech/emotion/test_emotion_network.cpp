// The plain C++ network against LibTorch's, streams against wholes, and what its file must say.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mien/base/error.h"
#include "mien/base/safetensors.h"
#include "mien/speech/voice_emotion.h"
#include "speech/emotion/acted_voice.h"
#include "speech/emotion/training/emotion_module.h"
#include "speech/random_model.h"

namespace mien {
namespace {

using testing::TemporaryFile;

const std::vector<Emotion> kClasses = {Emotion::kNeutral, Emotion::kAngry, Emotion::kSad};

EmotionModule random_module() {
  at::manual_seed(4);
  EmotionModule module(kClasses, 0.3);
  const at::NoGradGuard no_grad;
  for (const at::Tensor& p : module->parameters()) p.mul_(2.0);  // so that nothing stays near 0
  module->eval();
  return module;
}

class EmotionNetworkTest : public ::testing::Test {
 protected:
  EmotionNetworkTest() : file_("emotion.safetensors"), module_(random_module()) {
    save_emotion_network(file_.path(), module_, {});
  }
  TemporaryFile file_;
  EmotionModule module_;
  std::vector<float> sound_ = testing::acted_voice(1, Emotion::kHappy, 1, 7, 3).samples;
};

TEST_F(EmotionNetworkTest, AsLibTorchHasIt) {
  const EmotionNetwork network = EmotionNetwork::load(file_.path());
  EXPECT_EQ(network.classes(), kClasses);
  EmotionFeatureStream features;
  std::vector<EmotionFrame> frames;
  features.push(sound_, frames);
  EmotionNetwork::Stream stream(network);
  std::vector<EmotionStep> steps;
  stream.push(sound_, steps);
  const at::NoGradGuard no_grad;
  const std::int64_t whole = static_cast<std::int64_t>(frames.size()) / kEmotionStride;
  const EmotionOutput expected =
      module_->forward(at::from_blob(frames.data(), {1, whole * kEmotionStride, kEmotionFeatures}, at::kFloat));
  const at::Tensor posteriors = at::softmax(expected.logits[0], -1).contiguous();
  const at::Tensor intensity = at::sigmoid(expected.intensity[0]).contiguous();
  ASSERT_EQ(static_cast<std::int64_t>(steps.size()), whole);
  float least = 1, most = 0;
  for (std::int64_t n = 0; n < whole; ++n) {
    float sum = 0;
    for (std::size_t c = 0; c < kClasses.size(); ++c) {
      const float p = steps[n].posteriors[static_cast<int>(kClasses[c])];
      EXPECT_NEAR(p, posteriors.data_ptr<float>()[n * 3 + static_cast<std::int64_t>(c)], 1e-5) << n;
      sum += p;
      least = std::min(least, p);
      most = std::max(most, p);
    }
    EXPECT_NEAR(sum, 1, 1e-6);  // nothing is left for classes that it does not know
    EXPECT_NEAR(steps[n].intensity, intensity.data_ptr<float>()[n], 1e-5);
  }
  EXPECT_GT(most - least, 0.02f) << "outputs that never change show nothing";
}

TEST_F(EmotionNetworkTest, CutsChangeNothingAndTheFutureIsNotHeard) {
  const EmotionNetwork network = EmotionNetwork::load(file_.path());
  EmotionNetwork::Stream whole(network), cut(network);
  std::vector<EmotionStep> expected, got;
  whole.push(sound_, expected);
  for (std::size_t at = 0, size = 3; at < sound_.size(); at += size, size = size * 5 % 1009) {
    cut.push(std::span(sound_).subspan(at, std::min(size, sound_.size() - at)), got);
    if (!got.empty()) {
      // A step is out as soon as its sound is, and not before.
      const double heard = static_cast<double>(std::min(at + size, sound_.size())) / kSpeechRate;
      EXPECT_LE(EmotionNetwork::heard_seconds(static_cast<std::int64_t>(got.size()) - 1), heard);
      EXPECT_GT(EmotionNetwork::heard_seconds(static_cast<std::int64_t>(got.size())), heard);
    }
  }
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t n = 0; n < got.size(); ++n) {
    EXPECT_EQ(got[n].posteriors, expected[n].posteriors) << n;
    EXPECT_EQ(got[n].intensity, expected[n].intensity) << n;
    EXPECT_EQ(got[n].emotion(), expected[n].emotion()) << n;
  }
}

TEST_F(EmotionNetworkTest, LiveSaysWhatTheWholeSays) {
  const VoiceEmotion voice = VoiceEmotion::load(file_.path());
  EXPECT_EQ(voice.labels(), (std::vector<std::string>{"neutral", "angry", "sad"}));
  const EmotionTrack whole = voice.track(sound_);
  VoiceEmotion::Stream live = voice.stream();
  for (std::size_t at = 0; at < sound_.size(); at += 4000) {
    live.push(std::span(sound_).subspan(at, std::min<std::size_t>(4000, sound_.size() - at)));
    EXPECT_GE(live.track().keys.back().time,
              static_cast<double>(std::min(at + 4000, sound_.size())) / kSpeechRate - 0.02);
  }
  // The same moods, later.
  ASSERT_GT(whole.keys.size(), 10u);
  for (std::size_t k = 1; k < whole.keys.size(); ++k) {
    const EmotionVector& said = whole.keys[k].value;
    EXPECT_EQ(live.track().at(whole.keys[k].time + live.latency()), said) << k;
  }
  EXPECT_NEAR(live.latency(), 1.586, 0.001);
  EXPECT_EQ(live.track().keys.front().value, emotion_vector(Emotion::kNeutral, 1));
}

TEST_F(EmotionNetworkTest, SilenceIsNeutral) {
  const EmotionNetwork network = EmotionNetwork::load(file_.path());
  const std::vector<float> silence(32000, 0.0f);
  for (const auto& key : network.track(silence).keys) EXPECT_EQ(key.value, emotion_vector(Emotion::kNeutral, 1));
  EXPECT_TRUE(network.track({}).keys.empty());
}

TEST_F(EmotionNetworkTest, FilesThatAreNone) {
  const auto refused = [&](const std::map<std::string, std::string>& metadata, const char* word, ErrorCode code) {
    const TemporaryFile other("other.safetensors");
    SafetensorsWriter out;
    for (const auto& [key, value] : metadata) out.metadata(key, value);
    out.add("x", {1}, std::vector<float>{1});
    out.write(other.path());
    try {
      VoiceEmotion::load(other.path());
      ADD_FAILURE() << word;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code) << error.what();
      EXPECT_THAT(error.what(), ::testing::HasSubstr(word));
    }
  };
  const std::string features = EmotionFeatureStream::options().text();
  refused({}, "not an emotion network", ErrorCode::kUnsupported);
  refused({{"format", kEmotionNetworkFormat}}, "other features", ErrorCode::kUnsupported);
  refused({{"format", kEmotionNetworkFormat}, {"features", features}}, "names no classes", ErrorCode::kBadFile);
  refused({{"format", kEmotionNetworkFormat}, {"features", features}, {"classes", "sad bored"}}, "bored",
          ErrorCode::kBadFile);
  refused({{"format", kEmotionNetworkFormat}, {"features", features}, {"classes", "sad sad"}}, "sad",
          ErrorCode::kBadFile);
  refused({{"format", kEmotionNetworkFormat}, {"features", features}, {"classes", "sad happy"}}, "emotion.conv1",
          ErrorCode::kBadFile);
}

}  // namespace
}  // namespace mien
