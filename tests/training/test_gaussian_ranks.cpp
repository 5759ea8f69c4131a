// The Gaussian trainer in two processes: the same as one with twice the pictures a step.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "base/two_ranks.h"
#include "mien/base/rank_group.h"
#include "mien/cuda/cuda.h"
#include "training/ball_capture.h"

namespace mien {
namespace {

namespace fs = std::filesystem;

class GaussianRanks : public BallCapture {
 protected:
  void SetUp() override {
    BallCapture::SetUp();
    choose();
  }
  void choose() {
    options_.device = Device::kCpu;
    options_.networks = false;
    options_.canonical_steps = 10;
    options_.dynamic_steps = 60;
    options_.initialise.surface_count = 600;
    options_.initialise.volume_count = 50;
    options_.progress = until(kCompared);
  }
  // The end is not reached: pruning there would turn a last bit into a Gaussian more or less.
  static ProgressCallback until(std::int64_t steps) {
    return [steps](std::int64_t done, std::int64_t, const std::string&) { return done < steps; };
  }
  static constexpr int kCompared = 50;
};

void write(const fs::path& path, const GaussianAvatar& avatar) {
  SafetensorsWriter out;
  const auto add = [&](const char* name, const std::vector<float>& values) {
    out.add(name, {static_cast<std::int64_t>(values.size())}, values);
  };
  add("means", avatar.gaussians.means);
  add("quats", avatar.gaussians.quats);
  add("sh", avatar.gaussians.sh);
  add("opacities", avatar.gaussians.opacity_logits);
  out.write(path);
}

// Mean absolute difference, each kind in units of its own size.
double apart(const fs::path& a, const fs::path& b) {
  const SafetensorsFile first = SafetensorsFile::open(a), second = SafetensorsFile::open(b);
  double sum = 0;
  for (const std::string& name : first.names()) {
    if (first.view(name).shape != second.view(name).shape) return HUGE_VAL;
    const std::vector<float> x = first.floats(name, first.view(name).shape),
                             y = second.floats(name, first.view(name).shape);
    double size = 0, difference = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      size += std::abs(x[i]);
      difference += std::abs(x[i] - y[i]);
    }
    sum += difference / size;
  }
  return sum;
}

struct Worker : GaussianRanks {
  void SetUp() override {
    folder_ = std::getenv("MIEN_TEST_FOLDER") == nullptr ? "" : std::getenv("MIEN_TEST_FOLDER");
    ASSERT_FALSE(folder_.empty());
    choose();
    options_.ranks = rank_group_from_environment();
  }
  void TearDown() override {}
};

// Stops in the middle and goes on from what the first rank has saved.
TEST_F(Worker, DISABLED_TrainsGaussians) {
  const bool leads = options_.ranks.leads();
  if (leads) options_.checkpoint = folder_ / "checkpoint";
  options_.progress = until(30);
  const Capture capture = Capture::load(folder_);
  GaussianTrainReport report;
  train_gaussian_avatar(capture, options_, &report);
  EXPECT_FALSE(report.finished);
  EXPECT_EQ(report.steps, 30);
  options_.progress = until(kCompared);
  const GaussianAvatar avatar = train_gaussian_avatar(capture, options_, &report);
  EXPECT_EQ(report.steps, kCompared);
  if (leads) write(folder_ / "two", avatar);
  // With growth, to the end: the ranks stay the same, or training would throw.
  options_.checkpoint.clear();
  options_.progress = nullptr;
  options_.grow_to = 800;
  const GaussianAvatar grown = train_gaussian_avatar(capture, options_, &report);
  EXPECT_TRUE(report.finished);
  EXPECT_GT(grown.gaussians.count(), avatar.gaussians.count());
  // Other options on one rank are refused on both.
  if (!leads) options_.seed = 2;
  EXPECT_THROW(train_gaussian_avatar(capture, options_, &report), Error);
}

TEST_F(GaussianRanks, TwoAreOneWithTwiceThePictures) {
  const TwoRanks ranks = run_two_ranks("Worker.DISABLED_TrainsGaussians", folder_);
  if (ranks.without_gloo()) GTEST_SKIP() << "this build has no Gloo";
  EXPECT_EQ(ranks.status[0], 0) << ranks.said[0];
  EXPECT_EQ(ranks.status[1], 0) << ranks.said[1];
  const Capture capture = Capture::load(folder_);
  write(folder_ / "half", train_gaussian_avatar(capture, options_, nullptr));
  options_.batch = 2;
  write(folder_ / "one", train_gaussian_avatar(capture, options_, nullptr));
  const double together = apart(folder_ / "two", folder_ / "one");
  EXPECT_GT(apart(folder_ / "half", folder_ / "one"), 50 * together) << together;
}

// On GPUs each rank goes its own way for a while, and then they are averaged.
TEST_F(Worker, DISABLED_TrainsGaussiansOnGpus) {
  options_.device = Device::kCuda;
  options_.networks = true;
  options_.grow_to = 1400;
  options_.canonical_steps = 60;
  options_.dynamic_steps = 340;
  options_.initialise.surface_count = 1500;
  options_.progress = until(350);  // the first rank alone prunes at the end
  GaussianTrainReport report;
  const GaussianAvatar avatar = train_gaussian_avatar(Capture::load(folder_), options_, &report);
  EXPECT_TRUE(report.cuda);
  EXPECT_EQ(report.steps, 350);
  write(folder_ / (options_.ranks.leads() ? "first" : "second"), avatar);
  GaussianEvaluationOptions evaluation;
  evaluation.split = "train";
  evaluation.every = 1;
  EXPECT_GT(evaluate_gaussian_avatar(avatar, Capture::load(folder_), evaluation).psnr, 27);
}

TEST_F(GaussianRanks, TwoGpusEndWithTheSameAvatar) {
  if (cuda_device_count() < 2) GTEST_SKIP() << "fewer than two GPUs";
  const TwoRanks ranks = run_two_ranks("Worker.DISABLED_TrainsGaussiansOnGpus", folder_);
  EXPECT_EQ(ranks.status[0], 0) << ranks.said[0];
  EXPECT_EQ(ranks.status[1], 0) << ranks.said[1];
  EXPECT_EQ(apart(folder_ / "first", folder_ / "second"), 0);
}

}  // namespace
}  // namespace mien
