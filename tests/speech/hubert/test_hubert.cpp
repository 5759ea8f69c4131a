#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>

#include "mien/speech/speech_encoder.h"
#include "tiny_model.h"

namespace mien {
namespace {

namespace fs = std::filesystem;
using testing::test_sound;
using testing::TinyModel;

class Hubert : public ::testing::Test {
 protected:
  void TearDown() override { fs::remove_all(folder_); }
  fs::path folder_ = fs::temp_directory_path() / fmt::format("mien_hubert_{}", ::getpid());

  SpeechEncoderOptions options() const {
    SpeechEncoderOptions out;
    out.kind = SpeechEncoderKind::kHubert;
    out.model = folder_;
    return out;
  }
  SpeechFeatures encode(const std::vector<float>& samples) const {
    return make_speech_encoder(options())->encode(samples);
  }
  // What loading complains of; "" when it does not.
  std::string complaint() const {
    try {
      make_speech_encoder(options());
      return "";
    } catch (const Error& error) {
      EXPECT_FALSE(error.mend().empty()) << error.what();
      return error.what();
    }
  }
};

void expect_near(const SpeechFeatures& features, const TinyModel::Rows& expected, double tolerance) {
  ASSERT_EQ(features.count(), static_cast<int>(expected.size()));
  ASSERT_EQ(features.width, TinyModel::kHidden);
  double worst = 0, size = 0;
  for (int t = 0; t < features.count(); ++t) {
    for (int i = 0; i < features.width; ++i) {
      worst = std::max(worst, std::abs(features.at(t)[i] - expected[t][i]));
      size = std::max(size, std::abs(expected[t][i]));
    }
  }
  EXPECT_LT(worst, tolerance);
  EXPECT_GT(size, 0.3);
}

TEST_F(Hubert, AgreesWithTransformers) {
  const char* shared = std::getenv("MIEN_SHARED");
  int found = 0;
  for (const char* name : {"hubert_tiny_base", "hubert_tiny_large"}) {
    for (const fs::path& root :
         {fs::path(shared != nullptr ? shared : ""), fs::path(MIEN_SOURCE_DIR) / ".." / "shared"}) {
      const fs::path model = root / "reference/hubert" / name;
      if (root.empty() || !fs::exists(model / "expected.safetensors")) continue;
      ++found;
      const SafetensorsFile expected = SafetensorsFile::open(model / "expected.safetensors");
      SpeechEncoderOptions options;
      options.kind = SpeechEncoderKind::kHubert;
      options.model = model;
      const auto encoder = make_speech_encoder(options);
      const std::vector<float> states =
          expected.floats("last_hidden_state", {-1, static_cast<std::int64_t>(encoder->info().width)});
      // `waveform` is as recorded; `input_values`, already normalised, must not change when normalised once more.
      for (const char* input : {"waveform", "input_values"}) {
        const SpeechFeatures features = encoder->encode(expected.floats(input, {-1}));
        ASSERT_EQ(features.values.size(), states.size());
        double worst = 0;
        for (std::size_t i = 0; i < states.size(); ++i)
          worst = std::max<double>(worst, std::abs(features.values[i] - states[i]));
        EXPECT_LT(worst, 2e-5) << name << " " << input;
        RecordProperty(std::string(name) + "_" + input, fmt::format("{:.2e}", worst));
      }
      break;
    }
  }
  if (found == 0) GTEST_SKIP() << "no reference/hubert: set MIEN_SHARED";
  EXPECT_EQ(found, 2);
}

TEST_F(Hubert, AgreesWithItsDefinition) {
  const std::vector<float> sound = test_sound(2500);
  const std::vector<float> input = testing::standardised(sound);
  std::uint64_t seed = 1;
  for (const bool large : {false, true}) {
    for (const bool old_names : {false, true}) {
      TinyModel model;
      model.large = large;
      model.old_names = old_names;
      model.position_kernel = old_names ? 5 : 6;
      model.prefix = old_names ? "wav2vec2." : large ? "hubert." : "";
      model.model_type = old_names ? "wav2vec2" : "hubert";
      model.make(seed++);
      model.write(folder_);
      SCOPED_TRACE(fmt::format("large {} old names {}", large, old_names));
      expect_near(encode(sound), model.states(input).back(), 2e-5);
      write_json(folder_ / "preprocessor_config.json", {{"do_normalize", false}});
      expect_near(encode(sound), model.states(sound).back(), 2e-5);
      fs::remove_all(folder_);
    }
  }
}

TEST_F(Hubert, SaysWhatItIs) {
  TinyModel model;
  model.make(9);
  model.write(folder_);
  const auto encoder = make_speech_encoder(options());
  const SpeechEncoderInfo& info = encoder->info();
  EXPECT_EQ(info.name, "hubert");
  EXPECT_EQ(info.width, TinyModel::kHidden);
  EXPECT_EQ(info.rate, 50);
  EXPECT_NEAR(info.first_time, 0.0125, 1e-12);  // windows of 400 samples
  EXPECT_FALSE(info.causal);
  EXPECT_NEAR(info.look_ahead, 4 - 0.02 + 2 + 0.0125, 1e-9);
  // 400 samples give one feature, fewer are filled up, and none give none.
  using Pair = std::array<int, 2>;
  for (const auto& [samples, count] :
       {Pair{0, 0}, Pair{1, 1}, Pair{400, 1}, Pair{719, 1}, Pair{720, 2}, Pair{16000, 49}})
    EXPECT_EQ(encode(test_sound(samples)).count(), count) << samples;
}

TEST_F(Hubert, BrokenSamplesCountAsSilence) {
  TinyModel model;
  model.make(10);
  model.write(folder_);
  std::vector<float> broken = test_sound(2000);
  std::vector<float> silent = broken;
  for (const std::size_t i : {0, 700, 1999}) {
    broken[i] = i == 700 ? std::numeric_limits<float>::infinity() : std::numeric_limits<float>::quiet_NaN();
    silent[i] = 0;
  }
  EXPECT_EQ(encode(broken).values, encode(silent).values);
}

// Long recordings and streams are the middle parts of what their windows give on their own.
TEST_F(Hubert, LongSoundComesInWindows) {
  TinyModel model;
  model.make(11);
  model.write(folder_);
  SpeechEncoderOptions cut = options();
  cut.chunk_seconds = 0.1;     // 5 features
  cut.context_seconds = 0.04;  // 2
  cut.longest_seconds = 0.22;  // 11 features: windows keep 7
  const auto encoder = make_speech_encoder(cut);
  EXPECT_NEAR(encoder->info().look_ahead, 0.08 + 0.04 + 0.0125, 1e-9);
  const std::vector<float> sound = test_sound(16 * 320 + 400 + 77);  // 17 features
  const auto by_windows = [&](int step) {
    std::vector<float> out;
    for (int begin = 0; begin < 17; begin += step) {
      const int end = std::min(begin + step, 17);
      const int from = std::max(0, begin - 2);
      const int to = std::min(17, end + 2);
      const std::vector<float> part(sound.begin() + from * 320, sound.begin() + (to - 1) * 320 + 400);
      const SpeechFeatures window = encode(part);
      EXPECT_EQ(window.count(), to - from);
      for (int i = begin; i < end; ++i) out.insert(out.end(), window.at(i - from).begin(), window.at(i - from).end());
    }
    return out;
  };
  EXPECT_EQ(encoder->encode(sound).values, by_windows(7));
  const std::vector<float> start(sound.begin(), sound.begin() + 3520);
  EXPECT_EQ(encoder->encode(start).values, encode(start).values);  // short enough to be encoded whole

  const std::vector<float> expected = by_windows(5);
  for (const std::size_t block : {1u, 160u, 333u, 6000u}) {  // a stream gives the same, however it is cut
    const auto stream = encoder->stream();
    SpeechFeatures streamed;
    for (std::size_t at = 0; at < sound.size(); at += block)
      stream->push({sound.data() + at, std::min(block, sound.size() - at)}, streamed);
    EXPECT_EQ(streamed.count(), 15) << block;  // 17 features are heard; a fourth chunk would need 20 + 2
    stream->finish(streamed);
    EXPECT_EQ(streamed.values, expected) << block;
  }
  const auto brief = encoder->stream();
  SpeechFeatures one;
  brief->push(std::vector<float>(10, 0.1f), one);
  brief->finish(one);
  EXPECT_EQ(one.count(), 1);
  cut.chunk_seconds = 0;
  EXPECT_THROW(make_speech_encoder(cut), Error);
}

TEST_F(Hubert, TensorsOfAnotherShapeAreNamed) {
  TinyModel good;
  good.large = true;
  good.make(12);
  std::vector<std::string> used;
  for (const auto& [name, tensor] : good.tensors) {
    if (name != "masked_spec_embed" && name.find("classifier") != 0 && name.find("projector") != 0)
      used.push_back(name);
  }
  for (std::size_t n = 0; n < used.size(); ++n) {
    TinyModel bad = good;
    TinyModel::Tensor& tensor = bad.tensors[used[n]];
    if (n % 3 == 0) {
      bad.tensors.erase(used[n]);
    } else if (n % 3 == 1) {
      tensor.shape.back() += 1;
      tensor.values.resize(tensor.values.size() / (tensor.shape.back() - 1) * tensor.shape.back());
    } else {
      tensor.values.back() = std::numeric_limits<float>::quiet_NaN();
    }
    bad.write(folder_);
    const std::string said = complaint();
    EXPECT_NE(said.find(used[n]), std::string::npos) << used[n] << ": " << said;
    EXPECT_NE(said.find("model.safetensors"), std::string::npos) << said;
  }
}

TEST_F(Hubert, ConfigsThatMakeNoSenseAreNamed) {
  TinyModel model;
  model.make(13);
  const std::vector<std::pair<std::string, Json>> wrong = {
      {"model_type", "wavlm"},
      {"model_type", 7},
      {"hidden_size", 13},  // not a multiple of the heads
      {"hidden_size", -12},
      {"hidden_size", 1e12},
      {"hidden_size", 12.5},
      {"hidden_size", "big"},
      {"num_hidden_layers", 1e9},
      {"num_attention_heads", 0},
      {"num_conv_pos_embedding_groups", 5},
      {"num_conv_pos_embeddings", 0},
      {"conv_dim", Json::array()},
      {"conv_dim", {8, 8}},
      {"conv_kernel", {10, 3, 3, 3, 3, 2, -2}},
      {"conv_stride", {256, 256, 256, 256, 256, 256, 256}},
      {"conv_stride", {5, 2, 2, 2, 2, 2, 1}},
      {"feat_extract_norm", "batch"},
      {"hidden_act", "swish"},
      {"layer_norm_eps", 0},
      {"conv_pos_batch_norm", true},
      {"id2label", {{"0", "a"}, {"2", "b"}}},
  };
  for (const auto& [key, value] : wrong) {
    TinyModel bad = model;
    bad.config[key] = value;
    bad.write(folder_);
    const std::string said = complaint();
    EXPECT_NE(said.find(key), std::string::npos) << key << " " << value << ": " << said;
    EXPECT_NE(said.find("config.json"), std::string::npos) << said;
  }
  // A config that does not fit the weights names the first tensor that is not as it says.
  model.config["hidden_size"] = 24;
  model.write(folder_);
  EXPECT_NE(complaint().find("feature_projection.projection.weight"), std::string::npos) << complaint();
}

TEST_F(Hubert, FilesThatAreNotThere) {
  EXPECT_NE(complaint().find("config.json"), std::string::npos);
  TinyModel model;
  model.make(14);
  model.write(folder_);
  fs::rename(folder_ / "model.safetensors", folder_ / "pytorch_model.bin");
  EXPECT_NE(complaint().find("save_pretrained"), std::string::npos) << complaint();
  write_file(folder_ / "model.safetensors", "nonsense nonsense", 17);
  EXPECT_NE(complaint().find("model.safetensors"), std::string::npos);
  model.tensors.erase("feature_projection.projection.weight");
  model.write(folder_);
  EXPECT_NE(complaint().find("not a HuBERT"), std::string::npos) << complaint();
  write_file(folder_ / "config.json", "[]", 2);
  EXPECT_NE(complaint().find("config.json"), std::string::npos);
}

TEST_F(Hubert, DevicesThatAreNotThere) {
  TinyModel model;
  model.make(15);
  model.write(folder_);
  SpeechEncoderOptions elsewhere = options();
  elsewhere.device = "abacus";
  try {
    make_speech_encoder(elsewhere);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kMissingFeature);
    EXPECT_NE(std::string(error.what()).find("abacus"), std::string::npos);
  }
}

}  // namespace
}  // namespace mien
