#include <gtest/gtest.h>

#include <fstream>

#include "mien/base/json.h"
#include "mien/cuda/cuda.h"
#include "mien/training/framing.h"
#include "training/ball_capture.h"

namespace mien {
namespace {

namespace fs = std::filesystem;

class GaussianTrainer : public BallCapture {};

// The same on either device.
class GaussianTrainerOn : public BallCapture, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    options_.device = parse_device(GetParam());
    if (options_.device == Device::kCuda && !cuda_missing().empty()) GTEST_SKIP() << cuda_missing();
    BallCapture::SetUp();
    options_.grow_to = 1400;
  }
};
INSTANTIATE_TEST_SUITE_P(Devices, GaussianTrainerOn, testing::Values("cpu", "cuda"),
                         [](const auto& p) { return std::string(p.param); });

TEST_P(GaussianTrainerOn, LearnsAMovingBallAndResumesExactly) {
  const Capture capture = Capture::load(folder_);
  GaussianTrainReport report;
  const GaussianAvatar whole = train_gaussian_avatar(capture, options_, &report);
  EXPECT_TRUE(report.finished);
  EXPECT_EQ(report.cuda, options_.device == Device::kCuda);
  GaussianEvaluationOptions evaluation;
  evaluation.split = "train";
  evaluation.every = 1;
  const GaussianEvaluation result = evaluate_gaussian_avatar(whole, capture, evaluation);
  EXPECT_EQ(result.pictures, kBallCameras * kBallFrames);
  EXPECT_GT(result.psnr, 25) << "SSIM " << result.ssim;

  // Stopped in the middle and resumed: the same numbers to the last bit.
  options_.checkpoint = folder_ / "checkpoint";
  options_.log = folder_ / "log.jsonl";
  options_.progress = [](std::int64_t done, std::int64_t, const std::string&) { return done < 100; };
  train_gaussian_avatar(capture, options_, &report);
  EXPECT_FALSE(report.finished);
  EXPECT_EQ(report.steps, 100);
  options_.progress = nullptr;
  const GaussianAvatar resumed = train_gaussian_avatar(capture, options_, &report);
  EXPECT_TRUE(report.finished);
  EXPECT_EQ(resumed.gaussians.means, whole.gaussians.means);
  EXPECT_EQ(resumed.gaussians.sh, whole.gaussians.sh);
  EXPECT_EQ(resumed.anchors.size(), whole.anchors.size());
  ASSERT_EQ(resumed.g2anet.feature.size(), 4u);
  EXPECT_EQ(resumed.g2anet.gaussian, whole.g2anet.gaussian);
  for (std::size_t l = 0; l < 4; ++l) EXPECT_EQ(resumed.g2anet.feature[l].weight, whole.g2anet.feature[l].weight);
  for (std::size_t l = 0; l < 2; ++l) EXPECT_EQ(resumed.g2anet.rotation[l].weight, whole.g2anet.rotation[l].weight);
  for (std::size_t i = 0; i < 3 * 32; ++i) EXPECT_NE(whole.g2anet.feature[3].weight[i], 0) << "it learned";
  // A log of one line each 50 steps, which goes on where it stopped.
  std::ifstream log(folder_ / "log.jsonl");
  int lines = 0, last = 0;
  for (std::string line; std::getline(log, line); ++lines) {
    const Json entry = Json::parse(line);
    EXPECT_GT(entry.at("step"), last);
    last = entry.at("step");
    EXPECT_EQ(entry.at("stage"), last <= 60 ? "canonical" : "dynamic");
    EXPECT_GT(entry.at("l1"), 0);
  }
  EXPECT_EQ(lines, 4) << "two of 100 steps, two of the other 100";

  // A checkpoint of other options is refused.
  options_.seed = 2;
  EXPECT_THROW(train_gaussian_avatar(capture, options_, nullptr), Error);
}

// Every block of it, down to the smallest that the device hands out.
std::vector<CudaMemory> fill_the_gpu() {
  std::vector<CudaMemory> all;
  for (std::size_t bytes = std::size_t{1} << 40; bytes >= std::size_t{1} << 16;) {
    CudaMemory block;
    try {
      block.reserve(bytes, "nothing");
      all.push_back(std::move(block));
    } catch (const Error&) {
      bytes /= 2;
    }
  }
  return all;
}

TEST_F(GaussianTrainer, AFullGpuIsOneClearLineAndTheCheckpointStays) {
  if (!cuda_missing().empty()) GTEST_SKIP() << cuda_missing();
  const Capture capture = Capture::load(folder_);
  options_.device = Device::kCuda;
  options_.checkpoint = folder_ / "checkpoint";
  options_.progress = [](std::int64_t done, std::int64_t, const std::string&) { return done < 100; };
  train_gaussian_avatar(capture, options_, nullptr);
  options_.progress = nullptr;
  const auto content = [&] {
    std::ifstream in(options_.checkpoint, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  const std::string before = content();
  {
    const std::vector<CudaMemory> full = fill_the_gpu();
    try {
      train_gaussian_avatar(capture, options_, nullptr);
      FAIL() << "there was room";
    } catch (const Error& error) {
      std::printf("%s\n", error.what());
      EXPECT_EQ(error.code(), ErrorCode::kIo);
      EXPECT_TRUE(error.message().starts_with("GPU memory: ")) << error.message();
      EXPECT_NE(error.mend().find("--grow-to"), std::string::npos) << error.mend();
    }
  }
  EXPECT_EQ(content(), before);
  GaussianTrainReport report;
  train_gaussian_avatar(capture, options_, &report);
  EXPECT_TRUE(report.finished) << "with room again";
}

TEST(GpuMemory, WhatCannotBeHadIsNamedWithItsSize) {
  try {
    refuse_gpu_memory("pictures to train on", (std::size_t{3} << 30) + 1, std::size_t{1} << 30, std::size_t{80} << 30);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(exit_status(error.code()), 4);
    EXPECT_EQ(error.message(), "GPU memory: 3073 MB asked for pictures to train on, 1024 of 81920 MB free");
    for (const char* option : {"--grow-to", "--surface-count", "--size"})
      EXPECT_NE(error.mend().find(option), std::string::npos) << option;
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
  }
  const auto refused = [](std::size_t size, const char* expected) {
    try {
      CudaArray<double> array;
      array.resize(size, "an absurd array");
      FAIL() << size;
    } catch (const Error& error) {
      EXPECT_NE(error.message().find(expected), std::string::npos) << error.message();
    }
  };
  refused(~std::size_t{0} / 2, "MB asked for an absurd array");  // more than can be counted: anywhere
  if (!cuda_missing().empty()) return;
  refused(std::size_t{1} << 50, "8589934592 MB asked for an absurd array");
  CudaArray<double> still(1000);
  EXPECT_EQ(still.host().size(), 1000u) << "the device goes on";
}

TEST_F(GaussianTrainer, WithoutTrainingFramesIsRefused) {
  Capture capture = Capture::load(folder_);
  capture.sequences[0].split = "test";
  EXPECT_THROW(train_gaussian_avatar(capture, options_, nullptr), Error);
}

TEST_F(GaussianTrainer, FramingFindsTheFrontAndTheFocus) {
  const Framing framing = capture_framing(Capture::load(folder_));
  EXPECT_LT(framing.focus.norm(), 0.01f);
  EXPECT_GT(framing.front.centre().z(), 0.9f);
}

TEST_F(GaussianTrainer, PatienceEndsWhatDoesNotLearn) {
  options_.networks = false;
  options_.canonical_steps = 10;
  options_.dynamic_steps = 3000;
  options_.patience = 60;
  options_.rate_means = options_.rate_quats = options_.rate_scales = options_.rate_opacity = 0;
  options_.rate_sh = options_.rate_modes = 0;
  GaussianTrainReport report;
  train_gaussian_avatar(Capture::load(folder_), options_, &report);
  EXPECT_TRUE(report.finished);
  EXPECT_TRUE(report.early);
  EXPECT_GE(report.steps, 70);
  EXPECT_LT(report.steps, 2000);
}

}  // namespace
}  // namespace mien
