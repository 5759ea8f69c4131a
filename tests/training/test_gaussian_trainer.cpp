#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "gaussian_avatar/simple_head.h"
#include "mien/base/error.h"
#include "mien/base/json.h"
#include "mien/base/safetensors.h"
#include "mien/training/framing.h"
#include "mien/training/gaussian_trainer.h"

namespace mien {
namespace {

namespace fs = std::filesystem;
constexpr int kSize = 96;
constexpr int kCameras = 6;
constexpr int kFrames = 4;

// A ball with a coloured pattern that grows and turns, drawn by a ray caster: independent of the splats that learn it.
ImageF draw_ball(const Camera& camera, const MotionFrame& frame, ImageF& matte) {
  ImageF rgb(kSize, kSize, 3);
  matte = ImageF(kSize, kSize, 1);
  const float radius = 0.1f * (1 + 0.1f * frame.expression[0]);
  const Mat3 to_world = camera.world_to_camera.topLeftCorner<3, 3>().transpose();
  const Vec3 eye = camera.centre();
  for (int y = 0; y < kSize; ++y) {
    for (int x = 0; x < kSize; ++x) {
      Vec3 colour = Vec3::Zero();
      int hits = 0;
      for (int sample = 0; sample < 4; ++sample) {
        const Vec3 ray((static_cast<float>(x) + 0.25f + 0.5f * static_cast<float>(sample & 1) - camera.cx) / camera.fx,
                       (static_cast<float>(y) + 0.25f + 0.5f * static_cast<float>(sample >> 1) - camera.cy) / camera.fy,
                       1);
        const Vec3 d = (to_world * ray).normalized();
        const float along = eye.dot(d);
        const float root = along * along - eye.squaredNorm() + radius * radius;
        if (root < 0) continue;
        const Vec3 local = frame.pose.root.conjugate() * (eye + (-along - std::sqrt(root)) * d) / radius;
        colour += Vec3(0.5f + 0.4f * local.x(), 0.5f + 0.4f * local.y(), local.z() > 0.3f ? 0.8f : 0.3f);
        ++hits;
      }
      for (int c = 0; c < 3; ++c) rgb.at(x, y)[c] = colour[c] / 4;
      *matte.at(x, y) = static_cast<float>(hits) / 4;
    }
  }
  return rgb;
}

class GaussianTrainer : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder_);
    SafetensorsWriter writer;
    simple_head().save(writer, "");
    writer.write(folder_ / "head.safetensors");
    capture_.folder = folder_;
    capture_.person = "ball";
    capture_.head_model = "head.safetensors";
    CaptureSequence sequence;
    sequence.id = "turn";
    sequence.frames = kFrames;
    sequence.motion = "motion.safetensors";
    HeadMotion motion;
    motion.head_model = "sphere";
    motion.expression_names.assign(kArkitNames.begin(), kArkitNames.end());
    for (int f = 0; f < kFrames; ++f) {
      MotionFrame frame;
      frame.expression.assign(kArkitCount, 0.0f);
      frame.expression[0] = 0.4f * static_cast<float>(f);
      frame.pose.root = Quat(Eigen::AngleAxisf(0.2f * static_cast<float>(f), Vec3::UnitY()));
      motion.frames.push_back(frame);
    }
    motion.save(folder_ / "motion.safetensors");
    for (int c = 0; c < kCameras; ++c) {
      const float angle = 3.14159f * (static_cast<float>(c) / (kCameras - 1) - 0.5f);
      CaptureCamera camera;
      camera.id = "c" + std::to_string(c);
      camera.camera = look_at(Vec3(std::sin(angle), 0.1f, std::cos(angle)), Vec3::Zero(), 0.35f, kSize, kSize);
      camera.background = {0.2f, 0.3f, 0.4f};
      capture_.cameras.push_back(camera);
      CaptureView view{camera.id, camera.id + "/rgb", camera.id + "/matte", ""};
      fs::create_directories(folder_ / view.images);
      fs::create_directories(folder_ / view.masks);
      for (int f = 0; f < kFrames; ++f) {
        ImageF matte;
        ImageF rgb = draw_ball(camera.camera, motion.frames[f], matte);
        for (std::size_t i = 0; i < matte.pixels.size(); ++i) {
          for (int k = 0; k < 3; ++k) rgb.pixels[i * 3 + k] += (1 - matte.pixels[i]) * camera.background[k];
        }
        write_image(folder_ / view.images / fmt::format("{:06}.png", f), to_8bit(rgb));
        write_image(folder_ / view.masks / fmt::format("{:06}.png", f), to_8bit(matte));
      }
      sequence.views.push_back(view);
    }
    capture_.sequences.push_back(sequence);
    capture_.save();
    options_.networks = true;
    options_.canonical_steps = 60;
    options_.dynamic_steps = 140;
    options_.initialise.surface_count = 1500;
    options_.initialise.volume_count = 100;
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path folder_ = fs::temp_directory_path() / fmt::format("mien_trainer_{}", ::getpid());
  Capture capture_;
  GaussianTrainOptions options_;
};

TEST_F(GaussianTrainer, LearnsAMovingBallAndResumesExactly) {
  const Capture capture = Capture::load(folder_);
  GaussianTrainReport report;
  const GaussianAvatar whole = train_gaussian_avatar(capture, options_, &report);
  EXPECT_TRUE(report.finished);
  GaussianEvaluationOptions evaluation;
  evaluation.split = "train";
  evaluation.every = 1;
  const GaussianEvaluation result = evaluate_gaussian_avatar(whole, capture, evaluation);
  EXPECT_EQ(result.pictures, kCameras * kFrames);
  EXPECT_GT(result.psnr, 25) << "SSIM " << result.ssim;

  // Stopped in the middle and resumed: the same numbers to the last bit.
  options_.checkpoint = folder_ / "checkpoint";
  options_.log = folder_ / "log.jsonl";
  options_.progress = [](std::int64_t done, std::int64_t, const std::string&) { return done < 90; };
  train_gaussian_avatar(capture, options_, &report);
  EXPECT_FALSE(report.finished);
  EXPECT_EQ(report.steps, 90);
  options_.progress = nullptr;
  const GaussianAvatar resumed = train_gaussian_avatar(capture, options_, &report);
  EXPECT_TRUE(report.finished);
  EXPECT_EQ(resumed.gaussians.means, whole.gaussians.means);
  EXPECT_EQ(resumed.gaussians.sh, whole.gaussians.sh);
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
  EXPECT_EQ(lines, 3) << "one of 90 steps, two of 110";

  // A checkpoint of other options is refused.
  options_.seed = 2;
  EXPECT_THROW(train_gaussian_avatar(capture, options_, nullptr), Error);
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
