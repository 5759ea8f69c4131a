#include <gtest/gtest.h>

#include "mien/base/error.h"
#include "mien/speech/log_mel.h"
#include "mien/speech/phonetic_encoder.h"
#include "mien/speech/speech_encoder.h"
#include "speech/random_model.h"
#include "tiny_model.h"

namespace mien {
namespace {

namespace fs = std::filesystem;
using testing::test_sound;

class CausalEncoders : public ::testing::Test {
 protected:
  void SetUp() override { testing::random_speech_model(5).write(path_); }
  void TearDown() override { fs::remove(path_); }
  std::shared_ptr<const SpeechEncoder> make(SpeechEncoderKind kind) const {
    SpeechEncoderOptions options;
    options.kind = kind;
    if (kind == SpeechEncoderKind::kPhonetic) options.model = path_;
    return make_speech_encoder(options);
  }
  fs::path path_ = fs::temp_directory_path() / fmt::format("mien_encoders_{}.safetensors", ::getpid());
};

TEST_F(CausalEncoders, MelIsPairsOfNormalisedFrames) {
  const std::vector<float> sound = test_sound(8000);
  const auto encoder = make(SpeechEncoderKind::kMel);
  const SpeechFeatures features = encoder->encode(sound);
  EXPECT_EQ(features.width, encoder->info().width);
  ASSERT_EQ(features.count(), 25);
  LogMel mel;
  FeatureNormalizer normalizer;
  std::vector<MelFrame> frames;
  mel.push(sound, frames);
  mel.push(std::vector<float>(640, 0.0f), frames);
  for (MelFrame& frame : frames) normalizer.apply(frame);
  for (int i = 0; i < features.count(); ++i) {
    for (int k = 0; k < 2 * kMelBands; ++k)
      ASSERT_EQ(features.at(i)[k], frames[2 * i + k / kMelBands][k % kMelBands]) << i << " " << k;
  }
}

TEST_F(CausalEncoders, PhoneticIsTheEncoderInTime) {
  const std::vector<float> sound = test_sound(8100);
  const auto encoder = make(SpeechEncoderKind::kPhonetic);
  const SpeechFeatures features = encoder->encode(sound);
  const std::vector<EncoderStep> steps = PhoneticEncoder(SafetensorsFile::open(path_)).encode(sound);
  ASSERT_EQ(features.count(), 26);
  ASSERT_EQ(steps.size(), 28u);
  EXPECT_NEAR(encoder->info().first_time, 0.01, 1e-12);
  EXPECT_NEAR(encoder->info().look_ahead, 0.065, 1e-12);
  for (int i = 0; i < features.count(); ++i) {
    std::vector<float> expected(kEncoderFeatures);
    steps[i + 2].features(expected);
    EXPECT_TRUE(std::equal(expected.begin(), expected.end(), features.at(i).begin())) << i;
  }
}

TEST_F(CausalEncoders, StreamsGiveTheSameAndKeepTheirLookAhead) {
  const std::vector<float> sound = test_sound(9000);
  for (const SpeechEncoderKind kind : {SpeechEncoderKind::kMel, SpeechEncoderKind::kPhonetic}) {
    const auto encoder = make(kind);
    const SpeechEncoderInfo& info = encoder->info();
    EXPECT_TRUE(info.causal);
    const SpeechFeatures whole = encoder->encode(sound);
    const auto stream = encoder->stream();
    SpeechFeatures streamed;
    for (std::size_t at = 0; at < sound.size(); at += 100) {
      stream->push({sound.data() + at, 100}, streamed);
      const double heard = static_cast<double>(at + 100) / 16000;
      const double due = (heard - info.first_time - info.look_ahead) * info.rate;  // the last feature that must be out
      EXPECT_EQ(streamed.count(), due < 0 ? 0 : static_cast<int>(due + 1e-9) + 1) << info.name << " " << at;
    }
    stream->finish(streamed);
    EXPECT_EQ(streamed.values, whole.values) << info.name;
    EXPECT_EQ(encoder->encode({}).count(), 0);
    EXPECT_EQ(encoder->encode(test_sound(1)).count(), 1);
  }
}

TEST_F(CausalEncoders, NamesAndMissingFiles) {
  EXPECT_EQ(parse_speech_encoder("mel"), SpeechEncoderKind::kMel);
  EXPECT_EQ(parse_speech_encoder("hubert"), SpeechEncoderKind::kHubert);
  EXPECT_THROW(parse_speech_encoder("ear"), Error);
  SpeechEncoderOptions options;
  options.model = path_.string() + ".absent";
  EXPECT_THROW(make_speech_encoder(options), Error);
}

}  // namespace
}  // namespace mien
