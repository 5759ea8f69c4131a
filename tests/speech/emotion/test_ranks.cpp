// Training by two processes: the same as one process with twice the batch.
#include <ATen/ATen.h>
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <future>

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

int free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ::bind(socket, reinterpret_cast<sockaddr*>(&address), size);
  ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(socket);
  return ntohs(address.sin_port);
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
  const std::string program = fs::read_symlink("/proc/self/exe").string();
  const int port = free_port();
  const auto start = [&](int rank) {
    const std::string line = fmt::format(
        "WORLD_SIZE=2 RANK={} MASTER_PORT={} MIEN_TEST_FOLDER='{}' OMP_NUM_THREADS=1 '{}' "
        "--gtest_also_run_disabled_tests --gtest_filter=RanksWorker.* > '{}/log{}' 2>&1",
        rank, port, folder.string(), program, folder.string(), rank);
    return std::async(std::launch::async, [line] { return std::system(line.c_str()); });
  };
  auto first = start(0), second = start(1);
  const int a = first.get(), b = second.get();
  std::ifstream log(folder / "log1");
  const std::string said{std::istreambuf_iterator<char>(log), {}};
  if (said.find("has no Gloo") != std::string::npos) {
    fs::remove_all(folder);
    GTEST_SKIP() << "this build has no Gloo";
  }
  EXPECT_EQ(a, 0) << said;
  EXPECT_EQ(b, 0) << said;
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
