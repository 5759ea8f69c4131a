#include <gtest/gtest.h>

#include <cmath>

#include "mien/base/error.h"
#include "mien/speech/sound_context.h"
#include "speech/random_model.h"

namespace mien {
namespace {

using testing::babble;
using testing::TemporaryFile;

class SoundContextTest : public ::testing::Test {
 protected:
  SoundContextTest() : file_("context.safetensors") {
    testing::random_speech_model(11).write(file_.path());
    context_ = SoundContext::load(file_.path());
  }
  TemporaryFile file_;
  std::shared_ptr<const SoundContext> context_;
};

// The encoder's own steps, placed in time by EncoderStep::time(), linear between.
TEST_F(SoundContextTest, IsTheEncodersStepsAtThreeInstants) {
  const PhoneticEncoder encoder(SafetensorsFile::open(file_.path()));
  const std::vector<float> samples = babble(1.3, 1);
  const std::vector<EncoderStep> steps = encoder.encode(samples);
  const auto features = context_->frames(samples, 7, 9);
  ASSERT_EQ(features.size(), 9U);
  for (int f = 2; f < 8; ++f) {
    ASSERT_EQ(features[f].size(), static_cast<std::size_t>(context_->count()));
    for (int instant = 0; instant < 3; ++instant) {
      const double time = f / 7.0 + (instant - 1) * 0.08;
      std::size_t n = 0;
      while (encoder.time(static_cast<std::int64_t>(n) + 1) <= time) ++n;
      ASSERT_LT(n + 1, steps.size());
      const double share = (time - encoder.time(static_cast<std::int64_t>(n))) * 50;
      const float* got = &features[f][static_cast<std::size_t>(instant) * 66];
      for (int i = 0; i < 64; ++i)
        ASSERT_NEAR(got[i], (1 - share) * steps[n].bottleneck[i] + share * steps[n + 1].bottleneck[i], 1e-5);
      ASSERT_NEAR(got[64], (1 - share) * steps[n].energy + share * steps[n + 1].energy, 1e-5);
      ASSERT_NEAR(got[65], (1 - share) * steps[n].smooth_energy + share * steps[n + 1].smooth_energy, 1e-5);
    }
  }
}

TEST_F(SoundContextTest, AStreamGivesTheSameAsSoonAsItSays) {
  const std::vector<float> samples = babble(1.3, 2);
  constexpr int kFrames = 45;  // the last ones lie after the end
  const auto whole = context_->frames(samples, 30, kFrames);
  SoundContextStream stream(context_);
  std::vector<float> features;
  int frame = 0;
  std::size_t pushed = 0;
  while (pushed < samples.size()) {
    const std::size_t block = std::min<std::size_t>(137, samples.size() - pushed);
    stream.push({samples.data() + pushed, block});
    pushed += block;
    const double heard = static_cast<double>(pushed) / 16000;
    while (stream.at(frame / 30.0, features)) {
      EXPECT_EQ(features, whole[frame]) << frame;
      ++frame;
    }
    EXPECT_LT(heard, frame / 30.0 + stream.lookahead_seconds() + 137.0 / 16000);
  }
  stream.finish();
  for (; frame < kFrames; ++frame) {
    ASSERT_TRUE(stream.at(frame / 30.0, features));
    EXPECT_EQ(features, whole[frame]) << frame;
  }
  EXPECT_THROW(stream.push(samples), Error);
}

TEST_F(SoundContextTest, OtherWeightsHaveAnotherName) {
  TemporaryFile other("other.safetensors");
  testing::random_speech_model(12).write(other.path());
  EXPECT_NE(SoundContext::load(other.path())->name(), context_->name());
  EXPECT_EQ(SoundContext::load(file_.path())->name(), context_->name());
  EXPECT_THROW(SoundContext::load("nowhere.safetensors"), Error);
  EXPECT_THROW(context_->frames({}, 0, 3), Error);
  EXPECT_EQ(context_->frames({}, 30, 3).size(), 3U) << "no sound at all is silence";
}

}  // namespace
}  // namespace mien
