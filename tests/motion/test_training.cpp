#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>
#include <torch/optim/adam.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "base/two_ranks.h"
#include "mien/base/error.h"
#include "mien/base/safetensors.h"
#include "mien/head/phone.h"
#include "motion/training/losses.h"
#include "motion/training/networks.h"
#include "motion/training/trainer.h"
#include "motion/training/weight_average.h"
#include "speech/random_model.h"

namespace mien {
namespace {

using testing::TemporaryFile;

// Where a frame looks, for a delay of two steps: frame k sees 10/6 k + 14/6 (tap 0) and 10/6 k + 9/6 steps.
S2GTap s2g_tap(std::int64_t frame, int tap) {
  const std::int64_t sixths = 10 * frame + (tap == 0 ? 14 : 9);
  const std::int64_t low = sixths / 6;
  const std::int64_t rest = sixths % 6;
  return {low, rest == 0 ? low : low + 1, static_cast<float>(rest) / 6.0f};
}

// A pack of random spectra whose labels and motion follow from the spectra, so that there is something to learn.
SpeechPack small_pack(int clips, std::int64_t mel_count) {
  Random random(5);
  SpeechPack pack;
  pack.speakers = {"one", "two"};
  pack.head_model = "test";
  pack.expression_names = {"a", "b", "c"};
  for (int c = 0; c < clips; ++c) {
    SpeechClip clip;
    clip.speaker = c % 2;
    clip.first_mel = static_cast<std::int64_t>(pack.mel.size()) / kMelBands;
    clip.mel_count = mel_count;
    clip.renders = {c};
    std::vector<int> loud;  // which half of the bands sounds, per tenth of a second
    for (std::int64_t i = 0; i < mel_count / 10; ++i) loud.push_back(static_cast<int>(random.below(2)));
    for (std::int64_t t = 0; t < mel_count; ++t) {
      for (int b = 0; b < kMelBands; ++b) {
        pack.mel.push_back(
            quantize_mel((b < kMelBands / 2) == (loud[t / 10] == 0) ? -6 + random.normal() : -14 + random.normal()));
      }
      if (t % 2 == 0) pack.labels.push_back(static_cast<std::uint8_t>(loud[t / 10] == 0 ? 1 : 7));
    }
    SpeechRender render;
    render.first_frame = static_cast<std::int64_t>(pack.motion.size()) / 3;
    render.begin = render.end = emotion_vector(c % 2 == 0 ? Emotion::kHappy : Emotion::kNeutral, 1);
    for (std::int64_t k = 0; k < mel_count * 3 / 10; ++k) {
      pack.motion.push_back(loud[k / 3] == 0 ? 200 : 20);
      pack.motion.push_back(c % 2 == 0 ? 150 : 0);
      pack.motion.push_back(0);
    }
    pack.renders.push_back(render);
    pack.clips.push_back(clip);
  }
  pack.lips.vertices = 2;
  pack.lips.lip_vertices = 1;
  pack.lips.basis = {0, -0.02f, 0, 0, 0, 0, 0, 0.005f, 0, 0, 0.001f, 0, 0, 0, 0, 0, -0.004f, 0};
  pack.lips.gaps = 1;
  pack.lips.gap_rest = {0.0f};
  pack.lips.gap_basis = {0.02f, -0.003f, 0};
  return pack;
}

TEST(SpeechPack, RoundTripAndDamage) {
  const SpeechPack pack = small_pack(3, 50);
  const TemporaryFile file("pack.safetensors");
  pack.save(file.path());
  const SpeechPack back = SpeechPack::load(file.path());
  EXPECT_EQ(back.mel, pack.mel);
  EXPECT_EQ(back.labels, pack.labels);
  EXPECT_EQ(back.motion, pack.motion);  // the column that is always 0 is left out of the file, and is here again
  EXPECT_EQ(back.expression_names, pack.expression_names);
  ASSERT_EQ(back.clips.size(), 3u);
  EXPECT_EQ(back.clips[2].first_mel, 100);
  EXPECT_EQ(back.renders[2].begin, pack.renders[2].begin);
  const auto refused = [&](const auto& change) {
    SpeechPack damaged = small_pack(2, 50);
    change(damaged);
    damaged.save(file.path());
    try {
      SpeechPack::load(file.path());
    } catch (const Error& error) {
      return error.code() == ErrorCode::kBadFile;
    }
    return false;
  };
  EXPECT_FALSE(refused([](SpeechPack&) {}));
  EXPECT_TRUE(refused([](SpeechPack& p) { p.clips[1].mel_count = 60; }));
  EXPECT_TRUE(refused([](SpeechPack& p) { p.clips[1].first_mel = -2; }));
  EXPECT_TRUE(refused([](SpeechPack& p) { p.clips[0].speaker = 9; }));
  EXPECT_TRUE(refused([](SpeechPack& p) { p.renders[1].first_frame = 1000; }));
  EXPECT_TRUE(refused([](SpeechPack& p) { p.labels[3] = 77; }));
  EXPECT_TRUE(refused([](SpeechPack& p) { p.labels.pop_back(); }));
}

TEST(StreamSampler, SameIndexSameBatch) {
  const SpeechPack pack = small_pack(4, 100);
  StreamOptions options;
  options.batch = 3;
  options.seconds = 2;
  const StreamSampler sampler(pack, options);
  const StreamBatch a = sampler.sample(7, 3);
  sampler.sample(7, 4);
  const StreamBatch b = sampler.sample(7, 3);
  EXPECT_EQ(a.features, b.features);
  EXPECT_EQ(a.labels, b.labels);
  EXPECT_EQ(a.motion, b.motion);
  EXPECT_NE(a.features, sampler.sample(7, 4).features);
  for (const float v : a.features) ASSERT_TRUE(std::isfinite(v) && std::abs(v) <= 5);
  // Motion and labels stay together: frame k shows 200 or 20 as the label of its time says.
  for (int row = 0; row < a.batch; ++row) {
    for (int k = 0; k < a.motion_frames; ++k) {
      if (a.motion_known[row * a.motion_frames + k] == 0) continue;
      const std::int64_t label = a.labels[row * a.steps + k * 5 / 3];
      if (label == 0) continue;  // a pause shows the face before or after it
      EXPECT_NEAR(a.motion[(row * a.motion_frames + k) * 3], (label == 1 ? 200 : 20) / 255.0, 1e-6) << "frame " << k;
    }
  }
}

namespace fs = std::filesystem;

SpeechTrainingReport train_small(int batch, const fs::path& out) {
  const SpeechPack pack = small_pack(6, 200);
  SpeechTrainingOptions options;
  options.device = "cpu";
  options.streams.batch = batch;
  options.streams.seconds = 2;
  options.streams.leave_out = {"two"};
  options.encoder_steps = options.motion_steps = 3;
  options.dropout = options.weight_average = 0;
  options.lip_phone_weight = 1;
  return train_speech(pack, options, out);
}

double weights_apart(const fs::path& a, const fs::path& b) {
  const SafetensorsFile first = SafetensorsFile::open(a), second = SafetensorsFile::open(b);
  double sum = 0;
  for (const std::string& name : first.names()) {
    const std::vector<float> x = first.floats(name, first.view(name).shape),
                             y = second.floats(name, first.view(name).shape);
    for (std::size_t i = 0; i < x.size(); ++i) sum += std::abs(x[i] - y[i]);
  }
  return sum;
}

TEST(SpeechTraining, DISABLED_OneOfTwoRanks) {
  const char* folder = std::getenv("MIEN_TEST_FOLDER");
  ASSERT_NE(folder, nullptr);
  const SpeechTrainingReport report = train_small(2, fs::path(folder) / "two");
  EXPECT_EQ(report.leads, std::string(std::getenv("RANK")) == "0");
  EXPECT_EQ(report.phone_accuracy > 0, report.leads) << "only the first one validates";
}

// Means are over each rank's own phones and frames, hence a little noise.
TEST(SpeechTraining, TwoRanksAreOneWithTwiceTheBatch) {
  const fs::path folder = fs::temp_directory_path() / fmt::format("mien_speech_ranks_{}", ::getpid());
  fs::create_directories(folder);
  const TwoRanks ranks = run_two_ranks("SpeechTraining.DISABLED_OneOfTwoRanks", folder);
  if (ranks.without_gloo()) {
    fs::remove_all(folder);
    GTEST_SKIP() << "this build has no Gloo";
  }
  EXPECT_EQ(ranks.status[0], 0) << ranks.said[0];
  EXPECT_EQ(ranks.status[1], 0) << ranks.said[1];
  train_small(4, folder / "one");
  train_small(2, folder / "half");
  const double together = weights_apart(folder / "two", folder / "one");
  EXPECT_GT(weights_apart(folder / "half", folder / "one"), 4 * together) << together;
  fs::remove_all(folder);
}

// The networks of the program (plain C++, one step at a time) against LibTorch's (whole sequences).
TEST(SpeechNetworks, PlainAndLibTorchAgree) {
  const TemporaryFile file("networks.safetensors");
  testing::random_speech_model(31).write(file.path());
  EncoderModule encoder(0.3);
  S2GModule s2g(testing::kTestExpressions, 0.3);
  load_speech_networks(file.path(), encoder, s2g);
  encoder->eval();
  s2g->eval();
  const at::NoGradGuard no_grad;

  const std::vector<float> samples = testing::babble(1.5, 12);
  const SafetensorsFile opened = SafetensorsFile::open(file.path());
  const PhoneticEncoder plain(opened);
  PhoneticEncoder::Stream stream(plain);
  std::vector<EncoderStep> steps;
  stream.push(samples, steps);

  LogMel analysis;
  std::vector<MelFrame> frames;
  analysis.push(samples, frames);
  FeatureNormalizer normalizer;
  for (MelFrame& frame : frames) normalizer.apply(frame);
  const auto count = static_cast<std::int64_t>(frames.size() / 2 * 2);
  const at::Tensor features = at::from_blob(frames[0].data(), {1, count, kMelBands}, at::kFloat).clone();
  const EncoderOutput output = encoder->forward(features);
  const at::Tensor posteriors = at::softmax(output.logits, -1);
  ASSERT_EQ(posteriors.size(1), static_cast<std::int64_t>(steps.size()));
  std::vector<float> energy;
  for (std::size_t n = 0; n < steps.size(); ++n) {
    for (int p = 0; p < kPhoneCount; ++p) {
      ASSERT_NEAR(steps[n].posteriors[p], posteriors[0][static_cast<int>(n)][p].item<float>(), 2e-4) << "step " << n;
    }
    energy.insert(energy.end(), {steps[n].energy, steps[n].smooth_energy});
  }

  const at::Tensor joined = join_features(
      output, at::from_blob(energy.data(), {1, static_cast<std::int64_t>(steps.size()), 2}, at::kFloat).clone());
  const std::int64_t usable = usable_motion_frames(static_cast<std::int64_t>(steps.size()) * 6 / 10,
                                                   static_cast<std::int64_t>(steps.size()), S2GSettings{});
  const EmotionVector emotion = emotion_vector(Emotion::kSad, 0.7f);
  at::Tensor emotions = at::zeros({1, usable, kEmotionCount});
  for (int e = 0; e < kEmotionCount; ++e) emotions.select(2, e).fill_(emotion[e]);
  const at::Tensor weights = s2g->forward(joined, emotions);
  const S2GNet plain_s2g(opened);
  S2GNet::Stream s2g_stream(plain_s2g);
  const auto mixed = [&](const S2GTap& tap) {
    std::vector<float> low(kEncoderFeatures), high(kEncoderFeatures);
    steps[tap.low].features(low);
    steps[tap.high].features(high);
    for (int i = 0; i < kEncoderFeatures; ++i) low[i] += tap.share * (high[i] - low[i]);
    return low;
  };
  std::vector<float> out(testing::kTestExpressions);
  for (std::int64_t k = 0; k < usable; ++k) {
    s2g_stream.step(mixed(s2g_tap(k, 0)), mixed(s2g_tap(k, 1)), emotion, out);
    for (int e = 0; e < testing::kTestExpressions; ++e)
      ASSERT_NEAR(out[e], weights[0][k][e].item<float>(), 1e-3) << "frame " << k;
  }
}

TEST(SpeechNetworks, FileRoundTrip) {
  const TemporaryFile first("first.safetensors");
  const TemporaryFile second("second.safetensors");
  testing::random_speech_model(32).write(first.path());
  EncoderModule encoder(0);
  S2GModule s2g(testing::kTestExpressions, 0);
  load_speech_networks(first.path(), encoder, s2g);
  save_speech_networks(second.path(), encoder, s2g, {"a", "b", "c", "d", "e", "f", "g"}, {{"note", "x"}});
  const SafetensorsFile a = SafetensorsFile::open(first.path());
  const SafetensorsFile b = SafetensorsFile::open(second.path());
  EXPECT_EQ(a.names(), b.names());
  EXPECT_EQ(b.metadata().at("note"), "x");
  for (const std::string& name : a.names()) EXPECT_EQ(a.bytes(name), b.bytes(name)) << name;
}

TEST(LipLoss, IsZeroAtTheTruthAndHasTheRightSlope) {
  const SpeechPack pack = small_pack(1, 100);
  const LipLoss loss(pack.lips, 3, at::zeros({1}));
  at::manual_seed(3);
  const at::Tensor truth = at::rand({2, 6, 3});
  const at::Tensor known = at::ones({2, 6});
  EXPECT_EQ(loss(truth, truth, known, {}).total.item<double>(), 0);
  at::Tensor predicted = (truth + 0.3 * at::randn({2, 6, 3})).set_requires_grad(true);
  loss(predicted, truth, known, {}).total.backward();
  const at::Tensor direction = at::randn({2, 6, 3});
  const double slope = (predicted.grad() * direction).sum().item<double>();
  const at::NoGradGuard no_grad;
  const double h = 1e-3;
  const double difference = (loss(predicted + h * direction, truth, known, {}).total.item<double>() -
                             loss(predicted - h * direction, truth, known, {}).total.item<double>()) /
                            (2 * h);
  EXPECT_NEAR(slope, difference, 0.02 * std::abs(difference) + 0.02);
}

// What a recording does not know neither costs anything nor has a gradient; the rest has the right slope.
TEST(LipLoss, IgnoresUnknownWeights) {
  const SpeechPack pack = small_pack(1, 100);
  const LipLoss loss(pack.lips, 3, at::zeros({1}));
  at::manual_seed(4);
  const at::Tensor known = at::ones({2, 6});
  at::Tensor channels = at::ones({2, 6, 3});
  channels.select(2, 1).zero_();
  const at::Tensor truth = at::rand({2, 6, 3}) * channels;
  at::Tensor predicted = (truth + 0.3 * at::randn({2, 6, 3})).set_requires_grad(true);
  const auto value = [&](const at::Tensor& p) { return loss(p, truth, known, {}, channels).total.item<double>(); };
  loss(predicted, truth, known, {}, channels).total.backward();
  EXPECT_EQ(predicted.grad().select(2, 1).abs().max().item<float>(), 0);
  EXPECT_GT(predicted.grad().select(2, 0).abs().max().item<float>(), 0);
  const at::NoGradGuard no_grad;
  at::Tensor other = predicted.detach().clone();
  other.select(2, 1).add_(5.0);
  EXPECT_EQ(value(other), value(predicted));
  const at::Tensor direction = at::randn({2, 6, 3});
  const double h = 1e-3;
  const double difference = (value(predicted + h * direction) - value(predicted - h * direction)) / (2 * h);
  const double slope = (predicted.grad() * direction).sum().item<double>();
  EXPECT_NEAR(slope, difference, 0.02 * std::abs(difference) + 0.02);
  // Knowing everything is the same as no mask.
  EXPECT_NEAR(loss(predicted, truth, known, {}, at::ones({2, 6, 3})).total.item<double>(),
              loss(predicted, truth, known, {}).total.item<double>(), 1e-5);
}

// Persons and what is known of them travel with the pack into the batches.
TEST(StreamSampler, PersonsAndKnownWeights) {
  SpeechPack pack = small_pack(4, 100);
  pack.persons = {"default", "two"};
  pack.speaker_person = {0, 1};
  pack.channel_sets = {1, 0, 1};
  for (const int clip : {1, 3}) pack.renders[pack.clips[clip].renders[0]].channels = 0;
  const TemporaryFile file("persons.safetensors");
  pack.save(file.path());
  const SpeechPack back = SpeechPack::load(file.path());
  EXPECT_EQ(back.persons, pack.persons);
  EXPECT_EQ(back.renders[1].channels, 0);
  EXPECT_EQ(back.renders[2].channels, -1);
  const StreamSampler sampler(back, {});
  const StreamBatch first = sampler.whole_clip(0);
  const StreamBatch second = sampler.whole_clip(1);
  ASSERT_EQ(first.person.size(), 30u);
  for (int k = 0; k < 30; ++k) {
    EXPECT_EQ(first.person[k], 0);
    EXPECT_EQ(second.person[k], 1);
    for (int e = 0; e < 3; ++e) {
      EXPECT_EQ(first.channels[3 * k + e], 1);
      EXPECT_EQ(second.channels[3 * k + e], e == 1 ? 0 : 1);
    }
  }
  const auto refused = [&](const auto& change) {
    SpeechPack damaged = pack;
    change(damaged);
    damaged.save(file.path());
    EXPECT_THROW(SpeechPack::load(file.path()), Error);
  };
  refused([](SpeechPack& p) { p.speaker_person[1] = 2; });
  refused([](SpeechPack& p) { p.speaker_person.pop_back(); });
  refused([](SpeechPack& p) { p.channel_sets.pop_back(); });
  refused([](SpeechPack& p) { p.renders[1].channels = 1; });
}

// From nothing to the motion of one sentence: every part must pass gradients on.
TEST(S2GTraining, OverfitsOneSentence) {
  at::manual_seed(1);
  const SpeechPack pack = small_pack(2, 100);
  StreamOptions options;
  const StreamSampler sampler(pack, options);
  const StreamBatch batch = sampler.whole_clip(0);
  EncoderModule encoder(0);
  S2GModule s2g(3, 0);
  const at::Tensor features =
      at::from_blob(const_cast<float*>(batch.features.data()), {1, batch.mel_frames, kMelBands}, at::kFloat);
  const at::Tensor energy = at::from_blob(const_cast<float*>(batch.energy.data()), {1, batch.steps, 2}, at::kFloat);
  const at::Tensor motion =
      at::from_blob(const_cast<float*>(batch.motion.data()), {1, batch.motion_frames, 3}, at::kFloat);
  const at::Tensor emotion =
      at::from_blob(const_cast<float*>(batch.emotion.data()), {1, batch.motion_frames, kEmotionCount}, at::kFloat);
  const std::int64_t usable = usable_motion_frames(batch.motion_frames, batch.steps, S2GSettings{});
  const LipLoss loss(pack.lips, 3, motion);
  const at::Tensor known = at::ones({1, usable});
  std::vector<at::Tensor> parameters = encoder->parameters();
  for (const at::Tensor& p : s2g->parameters()) parameters.push_back(p);
  torch::optim::Adam optimizer(parameters, torch::optim::AdamOptions(3e-3));
  double first = 0;
  double last = 0;
  for (int i = 0; i < 90; ++i) {
    optimizer.zero_grad();
    const EncoderOutput output = encoder->forward(features);
    const at::Tensor predicted = s2g->forward(join_features(output, energy), emotion.narrow(1, 0, usable));
    if (i == 0) {
      EXPECT_EQ(predicted.abs().max().item<float>(), 0) << "the head starts at zero";
    }
    const MotionLoss result = loss(predicted, motion.narrow(1, 0, usable), known, {});
    result.total.backward();
    if (i == 1) {
      for (const at::Tensor& p : parameters) {
        ASSERT_TRUE(p.grad().defined());
        EXPECT_GT(p.grad().abs().max().item<float>(), 0);
      }
    }
    optimizer.step();
    (i == 0 ? first : last) = result.total.item<double>();
  }
  EXPECT_LT(last, first / 4) << "from " << first << " to " << last;
}

TEST(WeightAverage, FollowsTheRecurrenceAndGivesTheWeightsBack) {
  // The same in plain double arithmetic.
  const at::Tensor weight = at::zeros({3});
  WeightAverage average({weight}, 0.9);
  double expected[3] = {0, 0, 0};
  for (int step = 1; step <= 200; ++step) {
    const double decay = std::min(0.9, step / (10.0 + step));
    for (int i = 0; i < 3; ++i) {
      const double value = std::sin(0.3 * step + i);
      weight[i] = value;
      expected[i] = decay * expected[i] + (1 - decay) * value;
    }
    average.update();
  }
  const at::Tensor newest = weight.clone();
  average.swap();
  for (int i = 0; i < 3; ++i) EXPECT_NEAR(weight[i].item<double>(), expected[i], 1e-5);
  average.swap();
  EXPECT_TRUE(at::equal(weight, newest));
  EXPECT_THROW(WeightAverage({weight}, 1.0), Error);
}

}  // namespace
}  // namespace mien
