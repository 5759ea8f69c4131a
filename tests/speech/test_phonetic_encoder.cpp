#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "mien/speech/phonetic_encoder.h"
#include "speech/random_model.h"

namespace mien {
namespace {

using testing::babble;
using testing::TemporaryFile;

class Encoder : public ::testing::Test {
 protected:
  Encoder() : file_("encoder.safetensors") {
    testing::random_speech_model(11).write(file_.path());
    encoder_.emplace(SafetensorsFile::open(file_.path()));
  }
  std::vector<EncoderStep> stream(std::span<const float> samples, std::size_t block) {
    PhoneticEncoder::Stream s(*encoder_);
    std::vector<EncoderStep> steps;
    for (std::size_t at = 0; at < samples.size(); at += block) {
      s.push(samples.subspan(at, std::min(block, samples.size() - at)), steps);
    }
    return steps;
  }
  TemporaryFile file_;
  std::optional<PhoneticEncoder> encoder_;
};

bool same(const EncoderStep& a, const EncoderStep& b) {
  return a.posteriors == b.posteriors && a.bottleneck == b.bottleneck && a.energy == b.energy &&
         a.smooth_energy == b.smooth_energy;
}

TEST_F(Encoder, BlocksDoNotMatter) {
  const std::vector<float> samples = babble(1.3, 1);
  const std::vector<EncoderStep> whole = stream(samples, samples.size());
  ASSERT_EQ(whole.size(), static_cast<std::size_t>(LogMel::frame_count(samples.size()) / 2));
  for (const std::size_t block : {1u, 13u, 160u, 320u, 333u, 5000u}) {
    const std::vector<EncoderStep> steps = stream(samples, block);
    ASSERT_EQ(steps.size(), whole.size()) << block;
    for (std::size_t n = 0; n < steps.size(); ++n)
      ASSERT_TRUE(same(steps[n], whole[n])) << "step " << n << " block " << block;
  }
}

TEST_F(Encoder, HearsOnlyWhatItSays) {
  // Step n is complete with 20 n + 35 ms of sound and does not depend on anything later.
  std::vector<float> samples = babble(1.0, 2);
  const std::vector<EncoderStep> before = stream(samples, samples.size());
  const std::size_t n = 20;
  const auto heard = static_cast<std::size_t>(std::lround(16000 * (kEncoderFirstHeard + 0.02 * n)));
  EXPECT_EQ(stream(std::span(samples).first(heard), heard).size(), n + 1);
  EXPECT_EQ(stream(std::span(samples).first(heard - 1), heard).size(), n);
  for (std::size_t i = heard; i < samples.size(); ++i) samples[i] = -samples[i] * 0.5f;
  const std::vector<EncoderStep> after = stream(samples, samples.size());
  for (std::size_t k = 0; k <= n; ++k) EXPECT_TRUE(same(before[k], after[k]));
  EXPECT_FALSE(same(before[n + 2], after[n + 2]));
}

TEST_F(Encoder, PosteriorsAreProbabilities) {
  std::vector<float> samples = babble(0.5, 3);
  samples[100] = std::numeric_limits<float>::quiet_NaN();
  for (const EncoderStep& step : stream(samples, 777)) {
    float sum = 0;
    for (const float p : step.posteriors) {
      EXPECT_GE(p, 0);
      sum += p;
    }
    EXPECT_NEAR(sum, 1, 1e-4);
    for (const float v : step.bottleneck) EXPECT_LE(std::abs(v), 1);
  }
}

TEST_F(Encoder, WholeRecordingsAreCovered) {
  EXPECT_EQ(encoder_->encode({}).size(), static_cast<std::size_t>(kEncoderDelay));
  EXPECT_EQ(encoder_->encode(std::vector<float>(1, 0.1f)).size(), static_cast<std::size_t>(1 + kEncoderDelay));
  EXPECT_EQ(encoder_->encode(std::vector<float>(16000, 0.1f)).size(), static_cast<std::size_t>(50 + kEncoderDelay));
  EXPECT_DOUBLE_EQ(encoder_->time(kEncoderDelay), 0.01);
}

TEST_F(Encoder, HostileFilesAreRefused) {
  const auto refusal = [](const SafetensorsWriter& writer) -> std::string {
    const TemporaryFile file("hostile.safetensors");
    writer.write(file.path());
    try {
      PhoneticEncoder encoder(SafetensorsFile::open(file.path()));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kBadFile);
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(refusal(testing::random_speech_model(1)), "");
  EXPECT_NE(refusal(SafetensorsWriter()).find("encoder.conv1"), std::string::npos);
  SafetensorsWriter wrong_shape = testing::random_speech_model(1);
  wrong_shape.add_half("encoder.gru1.bias_hh", {3}, std::vector<float>(3));
  EXPECT_NE(refusal(wrong_shape).find("encoder.gru1.bias_hh"), std::string::npos);
  SafetensorsWriter poisoned = testing::random_speech_model(1);
  std::vector<float> values(kPhoneCount, 0.0f);
  values[5] = std::numeric_limits<float>::quiet_NaN();
  poisoned.add("encoder.phones.bias", {kPhoneCount}, values);
  EXPECT_NE(refusal(poisoned).find("not finite"), std::string::npos);
  for (const char* delay : {"", "x", "2 ", "-1", "26", "99999999999999999999"}) {
    SafetensorsWriter late = testing::random_speech_model(1);
    late.metadata(kEncoderDelayMetadata, delay);
    EXPECT_NE(refusal(late).find(kEncoderDelayMetadata), std::string::npos) << delay;
  }
}

// The layers against their definitions, in double.
TEST_F(Encoder, GruLayerFollowsItsEquations) {
  const SafetensorsFile file = SafetensorsFile::open(file_.path());
  const int inputs = kEncoderConv2;
  const int hidden = kEncoderHidden;
  const GruLayer layer(file, "encoder.gru1", inputs, hidden);
  const std::vector<float> wi = file.floats("encoder.gru1.weight_ih", {3 * hidden, inputs});
  const std::vector<float> wh = file.floats("encoder.gru1.weight_hh", {3 * hidden, hidden});
  const std::vector<float> bi = file.floats("encoder.gru1.bias_ih", {3 * hidden});
  const std::vector<float> bh = file.floats("encoder.gru1.bias_hh", {3 * hidden});
  Random random(4);
  std::vector<float> state = layer.make_state();
  std::vector<double> truth(hidden, 0.0);
  for (int step = 0; step < 3; ++step) {
    std::vector<float> x(inputs);
    for (float& v : x) v = random.normal();
    layer.step(x, state);
    std::vector<double> gi(3 * hidden), gh(3 * hidden);
    for (int g = 0; g < 3 * hidden; ++g) {
      gi[g] = bi[g];
      gh[g] = bh[g];
      for (int i = 0; i < inputs; ++i) gi[g] += static_cast<double>(wi[g * inputs + i]) * x[i];
      for (int i = 0; i < hidden; ++i) gh[g] += wh[g * hidden + i] * truth[i];
    }
    for (int j = 0; j < hidden; ++j) {
      const double r = 1 / (1 + std::exp(-gi[j] - gh[j]));
      const double z = 1 / (1 + std::exp(-gi[hidden + j] - gh[hidden + j]));
      const double n = std::tanh(gi[2 * hidden + j] + r * gh[2 * hidden + j]);
      truth[j] = (1 - z) * n + z * truth[j];
    }
    for (int j = 0; j < hidden; ++j) ASSERT_NEAR(state[j], truth[j], 1e-5);
  }
}

}  // namespace
}  // namespace mien
