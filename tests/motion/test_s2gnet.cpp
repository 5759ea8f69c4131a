// S2GNet in all its forms: every encoder, every head, persons, look-ahead. Plain C++ in a stream against LibTorch over
// the whole recording.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "mien/base/error.h"
#include "mien/base/json.h"
#include "mien/motion/speech_driver.h"
#include "motion/training/networks.h"
#include "speech/hubert/tiny_model.h"
#include "speech/random_model.h"

namespace mien {
namespace {

namespace fs = std::filesystem;
using testing::babble;
using testing::TemporaryFile;

struct Form {
  const char* name;
  SpeechEncoderKind encoder;
  S2GHead head;
  int lookahead;
  bool persons;
};
const Form kForms[] = {
    {"phonetic_weights", SpeechEncoderKind::kPhonetic, S2GHead::kWeights, 0, true},
    {"phonetic_pca_lookahead", SpeechEncoderKind::kPhonetic, S2GHead::kPca, 3, true},
    {"mel_vertices", SpeechEncoderKind::kMel, S2GHead::kVertices, 0, true},
    {"mel_weights_lookahead", SpeechEncoderKind::kMel, S2GHead::kWeights, 2, false},
    {"hubert_pca", SpeechEncoderKind::kHubert, S2GHead::kPca, 0, true},
    {"hubert_weights_lookahead", SpeechEncoderKind::kHubert, S2GHead::kWeights, 1, false},
};

// One form: a model file with random weights and what it needs.
class S2GForms : public ::testing::TestWithParam<Form> {
 protected:
  S2GForms() : file_(fmt::format("s2g_{}.safetensors", GetParam().name)) {}
  void SetUp() override {
    const Form& form = GetParam();
    if (form.encoder == SpeechEncoderKind::kHubert) {
      folder_ = fs::temp_directory_path() / fmt::format("mien_{}_{}", ::getpid(), form.name);
      testing::TinyModel tiny;
      tiny.make(5);
      tiny.write(folder_);
      encoder_ =
          make_speech_encoder({.kind = form.encoder, .model = folder_, .chunk_seconds = 0.4, .context_seconds = 0.2});
    } else if (form.encoder == SpeechEncoderKind::kMel) {
      encoder_ = make_mel_encoder();
    }
    settings_.lookahead_frames = form.lookahead;
    settings_.head = form.head;
    if (form.persons) settings_.persons = {kDefaultPerson, "ada", "bob"};
    if (form.head != S2GHead::kWeights) {
      settings_.vertices = 40;
      settings_.moving_vertices = 11;
    }
    if (form.head == S2GHead::kPca) settings_.components = 5;
    if (encoder_ != nullptr) {
      const SpeechEncoderInfo& info = encoder_->info();
      settings_.encoder = info.name;
      settings_.width = info.width;
      settings_.rate = info.rate;
      settings_.first_time = info.first_time;
      settings_.look_ahead = info.look_ahead;
    }
    testing::random_speech_model(77, settings_).write(file_.path());
    model_ = SpeechModel::load(file_.path(), form.encoder == SpeechEncoderKind::kHubert ? encoder_ : nullptr);
    emotion_.keys = {{0.0, emotion_vector(Emotion::kHappy, 0.3f)}, {1.0, emotion_vector(Emotion::kSad, 0.9f)}};
  }
  void TearDown() override {
    if (!folder_.empty()) fs::remove_all(folder_);
  }

  std::vector<SpeechFrame> drive(std::span<const float> samples, std::size_t block, double fps = 30) const {
    SpeechDriver driver(model_, {.fps = fps, .person = GetParam().persons ? "bob" : ""});
    driver.set_emotion(emotion_);
    std::vector<SpeechFrame> frames;
    SpeechFrame frame;
    for (std::size_t at = 0; at < samples.size(); at += block) {
      driver.push(samples.subspan(at, std::min(block, samples.size() - at)));
      while (driver.pull(frame)) frames.push_back(frame);
    }
    driver.finish();
    while (driver.pull(frame)) frames.push_back(frame);
    EXPECT_TRUE(driver.finished());
    return frames;
  }

  // All features of the sound and half a second of silence, [1, N, width].
  at::Tensor features(std::span<const float> samples) const {
    std::vector<float> values;
    if (encoder_ == nullptr) {
      std::vector<EncoderStep> steps;
      const PhoneticEncoder plain(SafetensorsFile::open(file_.path()));
      PhoneticEncoder::Stream stream(plain);
      stream.push(samples, steps);
      stream.push(std::vector<float>(8000, 0.0f), steps);
      values.resize(steps.size() * kEncoderFeatures);
      for (std::size_t n = 0; n < steps.size(); ++n)
        steps[n].features({values.data() + n * kEncoderFeatures, kEncoderFeatures});
    } else {
      SpeechFeatures out;
      const auto stream = encoder_->stream();
      stream->push(samples, out);
      if (encoder_->info().causal) stream->push(std::vector<float>(8000, 0.0f), out);
      stream->finish(out);
      values = out.values;
    }
    const auto count = static_cast<std::int64_t>(values.size()) / settings_.width;
    return at::from_blob(values.data(), {1, count, settings_.width}, at::kFloat).clone();
  }

  TemporaryFile file_;
  fs::path folder_;
  std::shared_ptr<const SpeechEncoder> encoder_;
  S2GSettings settings_;
  std::shared_ptr<const SpeechModel> model_;
  EmotionTrack emotion_;
};

TEST_P(S2GForms, PlainAndLibTorchAgree) {
  const std::vector<float> samples = babble(1.3, 12);
  const std::vector<SpeechFrame> frames = drive(samples, samples.size());
  ASSERT_EQ(frames.size(), 39u);
  EncoderModule encoder(0.3);
  S2GModule s2g(settings_, testing::kTestExpressions, 0.3);
  load_speech_networks(file_.path(), encoder, s2g);
  s2g->eval();
  const at::NoGradGuard no_grad;
  at::Tensor emotions = at::zeros({1, 39, kEmotionCount});
  for (int k = 0; k < 39; ++k) {
    const EmotionVector v = emotion_.at(k / 30.0);
    for (int e = 0; e < kEmotionCount; ++e) emotions[0][k][e] = v[e];
  }
  const at::Tensor person =
      GetParam().persons ? at::one_hot(at::full({1, 1}, 2, at::kLong), 3).to(at::kFloat) : at::Tensor();
  const S2GOutput out = s2g->run(features(samples), emotions, person);
  double moved = 0;
  for (int k = 0; k < 39; ++k) {
    for (int e = 0; e < testing::kTestExpressions; ++e) {
      ASSERT_NEAR(frames[k].motion.expression[e], std::clamp(out.weights[0][k][e].item<float>(), 0.0f, 1.0f), 1e-3)
          << "frame " << k;
    }
    ASSERT_EQ(out.offsets.defined(), !frames[k].motion.offsets.empty());
    if (!out.offsets.defined()) continue;
    ASSERT_EQ(frames[k].motion.offsets.size(), 40u);
    for (int m = 0; m < settings_.moving_vertices; ++m) {
      for (int c = 0; c < 3; ++c) {
        const float millimetres = out.offsets[0][k][3 * m + c].item<float>();
        moved = std::max<double>(moved, std::abs(millimetres));
        ASSERT_NEAR(1000 * frames[k].motion.offsets[39 - m][c], millimetres, 2e-3) << "frame " << k;
      }
    }
    EXPECT_EQ(frames[k].motion.offsets[0], Vec3(Vec3::Zero())) << "a vertex that does not move";
  }
  if (out.offsets.defined()) {
    EXPECT_GT(moved, 0.1);
  }
}

TEST_P(S2GForms, BlocksDoNotMatter) {
  const std::vector<float> samples = babble(1.1, 6);
  for (const double fps : {30.0, 25.0}) {
    const std::vector<SpeechFrame> whole = drive(samples, samples.size(), fps);
    ASSERT_EQ(whole.size(), static_cast<std::size_t>(std::ceil(1.1 * fps - 1e-9)));
    for (const std::size_t block : {97u, 533u, 1600u}) {
      const std::vector<SpeechFrame> frames = drive(samples, block, fps);
      ASSERT_EQ(frames.size(), whole.size());
      for (std::size_t i = 0; i < frames.size(); ++i) {
        ASSERT_EQ(frames[i].motion.expression, whole[i].motion.expression) << "frame " << i << ", blocks of " << block;
        ASSERT_EQ(frames[i].motion.offsets, whole[i].motion.offsets);
        ASSERT_EQ(frames[i].phones, whole[i].phones);
      }
    }
  }
}

TEST_P(S2GForms, LatencyIsWhatItSays) {
  const std::vector<float> samples = babble(2.0, 8);
  SpeechDriver driver(model_);
  double worst = 0;
  SpeechFrame frame;
  int pulled = 0;
  for (std::size_t at = 0; at < samples.size(); at += 16) {
    driver.push(std::span(samples).subspan(at, 16));
    while (driver.pull(frame)) worst = std::max(worst, static_cast<double>(at + 16) / 16000 - pulled++ / 30.0);
  }
  EXPECT_GT(pulled, 30);
  EXPECT_LE(worst, driver.lookahead_seconds() + 0.0011);
  // Chunks of an encoder that is not causal come at once: the worst place in a chunk need not meet a frame.
  EXPECT_GE(worst, driver.lookahead_seconds() - (GetParam().encoder == SpeechEncoderKind::kHubert ? 0.034 : 0.0011));
}

TEST_P(S2GForms, FileRoundTrip) {
  EncoderModule encoder(0);
  S2GModule s2g(settings_, testing::kTestExpressions, 0);
  load_speech_networks(file_.path(), encoder, s2g);
  const TemporaryFile again("again.safetensors");
  save_speech_networks(again.path(), encoder, s2g, {"a", "b", "c", "d", "e", "f", "g"}, {});
  const SafetensorsFile a = SafetensorsFile::open(file_.path());
  const SafetensorsFile b = SafetensorsFile::open(again.path());
  EXPECT_EQ(a.names(), b.names());
  EXPECT_EQ(a.metadata(), b.metadata());
  for (const std::string& name : a.names()) EXPECT_EQ(a.bytes(name), b.bytes(name)) << name;
}

INSTANTIATE_TEST_SUITE_P(All, S2GForms, ::testing::ValuesIn(kForms),
                         [](const auto& form) { return std::string(form.param.name); });

// A file of the first form goes on as a net with persons, and says the same until somebody is trained.
TEST(S2GPersons, NewPersonsBeginAsTheDefault) {
  const TemporaryFile first("first.safetensors");
  const TemporaryFile more("more.safetensors");
  testing::random_speech_model(3).write(first.path());
  S2GSettings settings;
  settings.persons = {kDefaultPerson, "ada"};
  EncoderModule encoder(0);
  S2GModule s2g(settings, testing::kTestExpressions, 0);
  load_speech_networks(first.path(), encoder, s2g);
  save_speech_networks(more.path(), encoder, s2g, {"a", "b", "c", "d", "e", "f", "g"}, {});
  const std::vector<float> samples = babble(0.7, 4);
  const auto run = [&](const fs::path& path, const std::string& person) {
    SpeechDriver driver(SpeechModel::load(path), {.person = person});
    driver.push(samples);
    driver.finish();
    std::vector<float> all;
    for (SpeechFrame frame; driver.pull(frame);)
      all.insert(all.end(), frame.motion.expression.begin(), frame.motion.expression.end());
    return all;
  };
  const std::vector<float> before = run(first.path(), "");
  EXPECT_EQ(run(more.path(), ""), before);
  EXPECT_EQ(run(more.path(), "ada"), before);
  try {
    run(more.path(), "eve");
    FAIL() << "nobody of that name";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kBadArgument);
    EXPECT_NE(std::string(error.what()).find("eve"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("default, ada"), std::string::npos);
  }
}

TEST(S2GSettings, HostileMetadataIsRefused) {
  S2GSettings settings;
  settings.persons = {kDefaultPerson, "ada"};
  settings.head = S2GHead::kPca;
  settings.components = 4;
  settings.moving_vertices = 6;
  settings.vertices = 9;
  const TemporaryFile file("hostile.safetensors");
  const auto load = [&](const std::string& text) {
    SafetensorsWriter out = testing::random_speech_model(8, settings);
    out.metadata(kS2GMetadata, text);
    out.write(file.path());
    try {
      SpeechModel::load(file.path());
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
      return error.code();
    }
    return ErrorCode::kInternal;
  };
  const auto changed = [&](const char* key, const Json& value) {
    Json json = Json::parse(s2g_settings_json(settings));
    json[key] = value;
    return load(json.dump());
  };
  EXPECT_EQ(load(s2g_settings_json(settings)), ErrorCode::kInternal) << "unchanged it loads";
  EXPECT_EQ(load("{"), ErrorCode::kBadFile);
  EXPECT_EQ(load("[]"), ErrorCode::kBadFile);
  EXPECT_EQ(load("{}"), ErrorCode::kBadFile);
  EXPECT_EQ(changed("width", 107), ErrorCode::kBadFile);
  EXPECT_EQ(changed("width", -1), ErrorCode::kBadFile);
  EXPECT_EQ(changed("width", "wide"), ErrorCode::kBadFile);
  EXPECT_EQ(changed("rate", 0), ErrorCode::kBadFile);
  EXPECT_EQ(changed("first_time", 1e300), ErrorCode::kBadFile);
  EXPECT_EQ(changed("lookahead_frames", 1000000), ErrorCode::kBadFile);
  EXPECT_EQ(changed("lookahead_frames", -1), ErrorCode::kBadFile);
  EXPECT_EQ(changed("persons", {"ada"}), ErrorCode::kBadFile);
  EXPECT_EQ(changed("persons", {"default", "ada", "ada"}), ErrorCode::kBadFile);
  EXPECT_EQ(changed("persons", {"default", "ada", "bob"}), ErrorCode::kBadFile);
  EXPECT_EQ(changed("persons", 7), ErrorCode::kBadFile);
  EXPECT_EQ(changed("head", "spline"), ErrorCode::kUnsupported);
  EXPECT_EQ(changed("components", 5), ErrorCode::kBadFile);
  EXPECT_EQ(changed("components", 0), ErrorCode::kBadFile);
  EXPECT_EQ(changed("vertices", 5), ErrorCode::kBadFile);
  EXPECT_EQ(changed("vertices", 8), ErrorCode::kBadFile) << "the file's moving vertices reach 8";
  EXPECT_EQ(changed("moving_vertices", 7), ErrorCode::kBadFile);
  EXPECT_EQ(changed("encoder", "hubert"), ErrorCode::kMissingFeature);
}

TEST(S2GSettings, AnotherEncoderThanTrainedOnIsRefused) {
  const TemporaryFile file("encoder.safetensors");
  testing::random_speech_model(8).write(file.path());
  EXPECT_THROW(SpeechModel::load(file.path(), make_mel_encoder()), Error);
}

}  // namespace
}  // namespace mien
