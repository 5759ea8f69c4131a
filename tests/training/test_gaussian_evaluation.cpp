#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>

#include "mien/base/error.h"
#include "mien/base/safetensors.h"
#include "mien/metrics/lpips.h"
#include "mien/training/gaussian_trainer.h"

namespace mien {
namespace {

namespace fs = std::filesystem;
constexpr int kSize = 48;

// A triangle with a landmark on two corners; the second is a lip, and expression 0 pulls it sideways by 50 mm.
HeadModel two_landmarks() {
  HeadModel model;
  model.id = "two";
  model.mesh.positions = {Vec3(0, 0, 0), Vec3(0.05f, 0, 0), Vec3(0, 0.05f, 0)};
  model.mesh.faces = {{0, 1, 2}};
  model.face_part = {HeadPart::kSkin};
  model.region = {HeadRegion::kNose, HeadRegion::kLowerLip, HeadRegion::kFace};
  model.expression_names.assign(kArkitNames.begin(), kArkitNames.end());
  model.expression.assign(3 * kArkitCount, Vec3::Zero());
  model.expression[1] = Vec3(0.05f, 0, 0);
  model.joints.fill(Vec3::Zero());
  model.skin_weights.assign(3, {0.0f, 0.0f});
  model.landmarks = {{0, Vec3(1, 0, 0)}, {0, Vec3(0, 1, 0)}};
  return model;
}

HeadMotion pulls(const std::vector<float>& weights) {
  HeadMotion motion;
  motion.head_model = "two";
  motion.expression_names.assign(kArkitNames.begin(), kArkitNames.end());
  for (const float weight : weights) {
    motion.frames.emplace_back();
    motion.frames.back().expression.assign(kArkitCount, 0.0f);
    motion.frames.back().expression[0] = weight;
  }
  return motion;
}

// An avatar that draws nothing, against even pictures: every figure is known by hand.
class GaussianEvaluationTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder_ / "images");
    avatar_.head = two_landmarks();
    avatar_.gaussians.means = {0, 0, 0};
    avatar_.gaussians.quats = {1, 0, 0, 0};
    avatar_.gaussians.log_scales = {-7, -7, -7};
    avatar_.gaussians.opacity_logits = {-20};
    avatar_.gaussians.sh.assign(3 * kShCoefficients, 0.0f);
    avatar_.anchors.resize(1);
    avatar_.anchors[0].weight[0] = 1;
    Capture capture;
    capture.folder = folder_;
    capture.person = "test";
    capture.head_model = "head.safetensors";
    SafetensorsWriter writer;
    avatar_.head.save(writer, "");
    writer.write(folder_ / capture.head_model);
    CaptureCamera camera;
    camera.id = "F";
    camera.camera = look_at(Vec3(0, 0, 1), Vec3::Zero(), 0.5f, kSize, kSize);
    capture.cameras.push_back(camera);
    CaptureSequence sequence;
    sequence.id = "one";
    sequence.frames = 3;
    sequence.motion = "motion.safetensors";
    sequence.split = "test";
    sequence.views.push_back({"F", "images", "", ""});
    pulls({0, 0.4f, 0}).save(folder_ / sequence.motion);
    for (int f = 0; f < 3; ++f) write_image(folder_ / "images" / (frame_name(f) + ".png"), picture_);
    capture.sequences.push_back(sequence);
    capture.save();
    capture_ = Capture::load(folder_);
    options_.every = 1;
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path folder_ = fs::temp_directory_path() / fmt::format("mien_evaluation_{}", ::getpid());
  Image8 picture_ = Image8(kSize, kSize, 3, 51);
  GaussianAvatar avatar_;
  Capture capture_;
  GaussianEvaluationOptions options_;
};

TEST_F(GaussianEvaluationTest, TrackedMotionByHand) {
  options_.lpips_weights = Lpips::find_weights();
  const GaussianEvaluation result = evaluate_gaussian_avatar(avatar_, capture_, options_);
  EXPECT_EQ(result.pictures, 3);
  EXPECT_NEAR(result.psnr, 20 * std::log10(255.0 / 51.0), 1e-6);
  ASSERT_TRUE(result.lpips.has_value());
  EXPECT_NEAR(*result.lpips, Lpips::load()(picture_, Image8(kSize, kSize, 3)), 1e-9);
  EXPECT_GT(*result.lpips, 0.001);
  EXPECT_EQ(result.cpbd, 0);
  EXPECT_EQ(result.cpbd_truth, 0);
  EXPECT_NEAR(result.lmd.value_or(9), 0, 1e-3);
  EXPECT_NEAR(result.lmd_lips.value_or(9), 0, 1e-3);
  EXPECT_FALSE(result.lve_mm.has_value());
  EXPECT_FALSE(result.jitter_ratio.has_value());
}

TEST_F(GaussianEvaluationTest, AnotherMotionByHand) {
  int asked = 0;
  options_.motion = [&](const CaptureSequence& sequence) {
    ++asked;
    EXPECT_EQ(sequence.id, "one");
    HeadMotion motion = pulls({0.5f, 0.7f, 0.5f});
    for (MotionFrame& frame : motion.frames) frame.pose.translation = Vec3(0.3f, 0, 0);  // must not count
    return motion;
  };
  GaussianEvaluation result = evaluate_gaussian_avatar(avatar_, capture_, options_);
  EXPECT_EQ(asked, 1);
  EXPECT_FALSE(result.lpips.has_value());            // no weights given
  const double pull = (0.5 + 0.3 + 0.5) / 3 * 0.05;  // metres
  const double pixels = 0.5 * kSize / std::tan(0.25) * pull;
  EXPECT_NEAR(*result.lmd_lips, pixels, 1e-3);
  EXPECT_NEAR(*result.lmd, pixels / 2, 1e-3);
  EXPECT_NEAR(*result.lve_mm, 1000 * pull, 1e-3);
  EXPECT_NEAR(*result.jitter_ratio, 0.5, 1e-4);

  options_.motion = [](const CaptureSequence&) { return pulls({0.5f}); };  // ends early: stands still
  result = evaluate_gaussian_avatar(avatar_, capture_, options_);
  EXPECT_NEAR(*result.lmd_lips, 0.5 * kSize / std::tan(0.25) * (0.5 + 0.1 + 0.5) / 3 * 0.05, 1e-3);
  options_.motion = [](const CaptureSequence&) { return HeadMotion(); };
  EXPECT_THROW(evaluate_gaussian_avatar(avatar_, capture_, options_), Error);
}

TEST_F(GaussianEvaluationTest, HeadsWithoutCommonLandmarksHaveNoDistance) {
  avatar_.head.landmarks.pop_back();
  EXPECT_FALSE(evaluate_gaussian_avatar(avatar_, capture_, options_).lmd.has_value());
  avatar_.head.landmarks.clear();
  EXPECT_FALSE(evaluate_gaussian_avatar(avatar_, capture_, options_).lmd.has_value());
}

}  // namespace
}  // namespace mien
