// Training by two processes: the same as one process with twice the batch.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>

#include "base/two_ranks.h"
#include "mien/base/error.h"
#include "mien/base/safetensors.h"
#include "mien/speech/emotion_training.h"
#include "speech/emotion/acted_voice.h"
#include "speech/training/ranks.h"

namespace mien {
namespace {

namespace fs = std::filesystem;

EmotionTrainingReport train(const fs::path& data, int batch, const fs::path& out) {
  EmotionTrainingOptions options;
  options.steps = 6;
  options.batch = batch;
  options.seconds = 1;
  options.dropout = 0;
  options.leave_out = {"voice1"};
  return train_emotion(data, options, out);
}

// Mean absolute difference of all weights.
double difference(const fs::path& a, const fs::path& b) {
  const SafetensorsFile first = SafetensorsFile::open(a), second = SafetensorsFile::open(b);
  double sum = 0;
  std::size_t count = 0;
  for (const std::string& name : first.names()) {
    const std::vector<float> x = first.floats(name, first.view(name).shape),
                             y = second.floats(name, first.view(name).shape);
    for (std::size_t i = 0; i < x.size(); ++i) sum += std::abs(x[i] - y[i]);
    count += x.size();
  }
  return sum / static_cast<double>(count);
}

// What each of the two processes of the test below runs.
TEST(RanksWorker, DISABLED_TrainsEmotion) {
  const char* folder = std::getenv("MIEN_TEST_FOLDER");
  ASSERT_NE(folder, nullptr);
  const EmotionTrainingReport report = train(fs::path(folder) / "data", 3, fs::path(folder) / "two.safetensors");
  EXPECT_EQ(report.leads, std::string(std::getenv("RANK")) == "0");
  EXPECT_TRUE(report.finished);
}

TEST(Ranks, TwoAreOneWithTwiceTheBatch) {
  const fs::path folder = fs::temp_directory_path() / fmt::format("mien_ranks_{}", ::getpid());
  testing::write_acted_voices(folder / "data", 2, 2, 0.8);
  const TwoRanks ranks = run_two_ranks("RanksWorker.DISABLED_TrainsEmotion", folder);
  if (ranks.without_gloo()) {
    fs::remove_all(folder);
    GTEST_SKIP() << "this build has no Gloo";
  }
  EXPECT_EQ(ranks.status[0], 0) << ranks.said[0];
  EXPECT_EQ(ranks.status[1], 0) << ranks.said[1];
  train(folder / "data", 6, folder / "one.safetensors");
  train(folder / "data", 3, folder / "half.safetensors");
  const double apart = difference(folder / "two.safetensors", folder / "one.safetensors");
  const double noise = difference(folder / "half.safetensors", folder / "one.safetensors");
  EXPECT_LT(apart, 2e-5);
  EXPECT_GT(noise, 20 * apart) << "another batch is something else";
  fs::remove_all(folder);
}

TEST(Ranks, OneWaitsForNobody) {
  const Ranks one = Ranks::from_environment();
  EXPECT_EQ(one.size(), 1);
  EXPECT_TRUE(one.leads());
  EXPECT_EQ(one.average(3.5), 3.5);
  EXPECT_FALSE(one.all(false));
  const at::Tensor t = at::arange(4).to(at::kFloat);
  one.average({t});
  EXPECT_EQ(t[3].item<float>(), 3);
  const RankGroup group = one.group();
  std::vector<std::int32_t> numbers = {-7, 1 << 30};
  group.share(numbers);
  EXPECT_EQ(numbers[1], 1 << 30);
  group.must_agree(17, "", "");
  EXPECT_TRUE(group.all(true));
  EXPECT_FALSE(group.all(false));
}

TEST(RanksWorker, DISABLED_Exchanges) {
  const RankGroup group = rank_group_from_environment();
  ASSERT_EQ(group.size, 2);
  const bool leads = group.leads();
  EXPECT_EQ(group.average(leads ? 1.0 : 4.0), 2.5);
  EXPECT_EQ(group.share(leads ? 1.0 / 3 : 7.0), 1.0 / 3) << "doubles arrive whole";
  EXPECT_TRUE(group.all(true));
  EXPECT_FALSE(group.all(leads));
  std::vector<float> values(leads ? 3 : 1, leads ? 0.25f : 9.0f);
  group.share(values);
  EXPECT_EQ(values, std::vector<float>(3, 0.25f));
  std::vector<std::int32_t> numbers;
  if (leads) numbers = {-7, 1 << 30, 0x7fffffff};
  group.share(numbers);
  EXPECT_EQ(numbers, (std::vector<std::int32_t>{-7, 1 << 30, 0x7fffffff}));
  std::vector<float> a(2, leads ? 0.0f : 2.0f), b(1, 5.0f);
  group.average(std::vector<std::span<float>>{a, b});
  EXPECT_EQ(a, std::vector<float>(2, 1.0f));
  EXPECT_EQ(b[0], 5.0f);
  group.must_agree(1234567890123456789u, "", "");
  EXPECT_THROW(group.must_agree(leads ? 1 : 2, "other options", "give the same"), Error);
}

TEST(Ranks, NumbersAndArraysArriveWhole) {
  const fs::path folder = fs::temp_directory_path() / fmt::format("mien_exchange_{}", ::getpid());
  fs::create_directories(folder);
  const TwoRanks ranks = run_two_ranks("RanksWorker.DISABLED_Exchanges", folder);
  fs::remove_all(folder);
  if (ranks.without_gloo()) GTEST_SKIP() << "this build has no Gloo";
  EXPECT_EQ(ranks.status[0], 0) << ranks.said[0];
  EXPECT_EQ(ranks.status[1], 0) << ranks.said[1];
}

// Tensors on two GPUs meet there, by NCCL.
TEST(RanksWorker, DISABLED_ExchangesOnGpus) {
  const Ranks ranks = Ranks::from_environment();
  const auto cuda = at::TensorOptions().device(at::kCUDA);
  ASSERT_EQ(at::getNumGPUs(), 1u) << "each rank sees its own GPU";
  const float own = ranks.leads() ? 1.0f : 4.0f;
  const at::Tensor a = at::full({1000, 3}, own, cuda), b = at::full({7}, 2 * own, cuda);
  ranks.average({a, b});
  EXPECT_TRUE(a.is_cuda());
  EXPECT_EQ(a.sum().item<float>(), 7500);
  EXPECT_EQ(b.sum().item<float>(), 35);
  const at::Tensor c = at::full({5}, own, cuda);
  ranks.share({c});
  EXPECT_EQ(c.sum().item<float>(), 5);
  EXPECT_EQ(ranks.average(static_cast<double>(own)), 2.5) << "and what lies in host memory goes too";
}

TEST(Ranks, GpusExchange) {
  if (at::getNumGPUs() < 2) GTEST_SKIP() << "fewer than two GPUs";
  const fs::path folder = fs::temp_directory_path() / fmt::format("mien_gpus_{}", ::getpid());
  fs::create_directories(folder);
  const TwoRanks ranks = run_two_ranks("RanksWorker.DISABLED_ExchangesOnGpus", folder);
  fs::remove_all(folder);
  EXPECT_EQ(ranks.status[0], 0) << ranks.said[0];
  EXPECT_EQ(ranks.status[1], 0) << ranks.said[1];
}

// The first rank dies without a word while the other waits for it.
TEST(RanksWorker, DISABLED_LosesOne) {
  const RankGroup group = rank_group_from_environment();
  EXPECT_EQ(group.average(1.0), 1.0);
  if (group.leads()) std::raise(SIGKILL);
  try {
    group.average(1.0);
    ADD_FAILURE() << "nobody is there";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kIo);
    EXPECT_THAT(error.what(), ::testing::HasSubstr("rank 1 of 2: another rank has ended"));
  }
}

TEST(Ranks, TheOtherOneNotices) {
  const fs::path folder = fs::temp_directory_path() / fmt::format("mien_lost_{}", ::getpid());
  fs::create_directories(folder);
  const auto start = std::chrono::steady_clock::now();
  const TwoRanks ranks = run_two_ranks("RanksWorker.DISABLED_LosesOne", folder);
  fs::remove_all(folder);
  if (ranks.without_gloo()) GTEST_SKIP() << "this build has no Gloo";
  EXPECT_NE(ranks.status[0], 0);
  EXPECT_EQ(ranks.status[1], 0) << ranks.said[1];
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::minutes(2)) << "it did not wait for the time limit";
}

TEST(Ranks, NonsenseInTheEnvironment) {
  const auto refused = [](const char* size, const char* rank, const char* word) {
    ::setenv("WORLD_SIZE", size, 1);
    ::setenv("RANK", rank, 1);
    try {
      Ranks::from_environment();
      ADD_FAILURE() << word;
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kMissingFeature) {
        EXPECT_EQ(error.code(), ErrorCode::kBadArgument);
        EXPECT_THAT(error.what(), ::testing::HasSubstr(word));
      }
    }
    ::unsetenv("WORLD_SIZE");
    ::unsetenv("RANK");
  };
  refused("two", "0", "WORLD_SIZE is \"two\"");
  refused("0", "0", "WORLD_SIZE is \"0\"");
  refused("2", "2", "RANK is \"2\"");
  refused("2", "", "RANK is \"\"");
}

}  // namespace
}  // namespace mien
