// Still scenes: a painted ball that a ray caster drew, and photographs of a real head.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "mien/base/error.h"
#include "mien/capture/import.h"
#include "mien/scene/scene.h"
#include "mien/splat/ply.h"
#include "scene/densify.h"

namespace mien {
namespace {

namespace fs = std::filesystem;

constexpr int kSize = 64;
constexpr float kRadius = 0.1f;

// A ball with a pattern: no splats in it.
void draw_ball(const Camera& camera, Image8& rgb, Image8& matte) {
  rgb = Image8(kSize, kSize, 3);
  matte = Image8(kSize, kSize, 1);
  const Mat3 to_world = camera.world_to_camera.topLeftCorner<3, 3>().transpose();
  const Vec3 eye = camera.centre();
  for (int y = 0; y < kSize; ++y) {
    for (int x = 0; x < kSize; ++x) {
      Vec3 sum = Vec3::Zero();
      int hits = 0;
      for (int s = 0; s < 16; ++s) {
        const Vec3 ray((static_cast<float>(x) + 0.125f + 0.25f * static_cast<float>(s % 4) - camera.cx) / camera.fx,
                       (static_cast<float>(y) + 0.125f + 0.25f * static_cast<float>(s / 4) - camera.cy) / camera.fy, 1);
        const Vec3 d = (to_world * ray).normalized();
        const float along = eye.dot(d), root = along * along - eye.squaredNorm() + kRadius * kRadius;
        if (root < 0) continue;
        const Vec3 p = (eye + (-along - std::sqrt(root)) * d) / kRadius;
        sum += Vec3(0.5f + 0.3f * std::sin(7 * p.x()), 0.5f + 0.3f * std::sin(9 * p.y()), 0.5f + 0.3f * p.z());
        ++hits;
      }
      for (int c = 0; c < 3; ++c) rgb.at(x, y)[c] = static_cast<std::uint8_t>(std::lround(255 * sum[c] / 16));
      *matte.at(x, y) = static_cast<std::uint8_t>(255 * hits / 16);
    }
  }
}

class SceneTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(folder_);
    capture_.folder = folder_;
    capture_.person = "ball";
    capture_.tracked = false;
    CaptureSequence train, test;
    train.id = "views";
    test.id = "held-out";
    test.split = "test";
    train.frames = test.frames = 1;
    for (int i = 0; i < 20; ++i) {
      const float yaw = -0.8f + 0.08f * static_cast<float>(i);
      CaptureCamera camera;
      camera.id = std::to_string(i);
      camera.camera = look_at(Vec3(std::sin(yaw), 0.3f * std::sin(3 * yaw), std::cos(yaw)) * 0.6f, Vec3::Zero(), 0.5f,
                              kSize, kSize);
      capture_.cameras.push_back(camera);
      CaptureSequence& s = i % 8 == 4 ? test : train;
      CaptureView view{camera.id, camera.id + "/images", camera.id + "/masks", ""};
      fs::create_directories(folder_ / view.images);
      fs::create_directories(folder_ / view.masks);
      Image8 rgb, matte;
      draw_ball(camera.camera, rgb, matte);
      write_image(folder_ / view.images / "000000.png", rgb);
      write_image(folder_ / view.masks / "000000.png", matte);
      s.views.push_back(view);
    }
    capture_.sequences = {train, test};
    capture_.save();
    capture_ = Capture::load(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  static SceneTrainOptions quick() {
    SceneTrainOptions options;
    options.steps = 250;
    options.initial_points = 1500;
    options.max_gaussians = 2000;
    return options;
  }
  fs::path folder_ = fs::temp_directory_path() / fmt::format("mien_scene_{}", ::getpid());
  Capture capture_;
};

TEST_F(SceneTest, FirstPointsLieOnWhatThePicturesShow) {
  const Gaussians g = initial_scene(capture_, quick());
  ASSERT_EQ(g.count(), 1500);
  int near = 0;
  for (int i = 0; i < g.count(); ++i) {
    const float* m = &g.means[static_cast<std::size_t>(i) * 3];
    near += std::abs(Vec3(m[0], m[1], m[2]).norm() - kRadius) < 0.02f ? 1 : 0;
  }
  // From a random depth along the rays some 15 in 100 would be.
  EXPECT_GT(near, 1000);
}

TEST_F(SceneTest, LearnsABallAndShowsItFromNewSides) {
  EXPECT_TRUE(check_capture(folder_).empty());
  SceneReport report;
  const Gaussians g = train_scene(capture_, quick(), &report);
  EXPECT_EQ(report.views, 18);
  EXPECT_LE(g.count(), 2000);
  EXPECT_GT(g.count(), 1500) << "densification added some";
  const SceneEvaluation seen = evaluate_scene(g, capture_),
                        first = evaluate_scene(initial_scene(capture_, quick()), capture_);
  ASSERT_EQ(seen.views.size(), 2u);
  EXPECT_GT(seen.mean.psnr, 30);
  EXPECT_GT(seen.mean.psnr, first.mean.psnr + 6);
  EXPECT_EQ(seen.sheet.height, 2 * kSize + 3 * 4);

  // Through a file, and the same again from the same seed.
  write_ply(folder_ / "ball.ply", g);
  const SceneEvaluation read = evaluate_scene(read_ply(folder_ / "ball.ply"), capture_);
  EXPECT_DOUBLE_EQ(read.mean.psnr, seen.mean.psnr);
  SceneTrainOptions short_run = quick();
  short_run.steps = 60;
  EXPECT_EQ(train_scene(capture_, short_run).means, train_scene(capture_, short_run).means);
}

TEST_F(SceneTest, KnownPointsAreUsed) {
  CapturePoints points;
  for (int i = 0; i < 700; ++i) {
    const float a = 0.1f * static_cast<float>(i);
    points.positions.push_back(kRadius * Vec3(std::sin(a), std::cos(3 * a), std::cos(a)).normalized());
    points.colours.push_back({1, 2, 3});
  }
  write_capture_points(folder_ / "points.safetensors", points);
  capture_.points = "points.safetensors";
  const Gaussians g = initial_scene(capture_, quick());
  EXPECT_EQ(g.count(), 1500);
  EXPECT_EQ(g.means[3], points.positions[1].x());
}

TEST_F(SceneTest, WhatCannotBeTrainedIsRefused) {
  Capture one = capture_;
  one.sequences[0].views.resize(1);
  EXPECT_THROW(train_scene(one, quick()), Error);
  one = capture_;
  one.sequences.pop_back();
  EXPECT_THROW(evaluate_scene(initial_scene(capture_, quick()), one), Error);
  SceneTrainOptions options = quick();
  options.steps = 0;
  EXPECT_THROW(train_scene(capture_, options), Error);
  options = quick();
  options.progress = [](std::int64_t, std::int64_t, const std::string&) { return false; };
  EXPECT_THROW(train_scene(capture_, options), Error);
  for (const CaptureView& view : capture_.sequences[0].views) {
    write_image(folder_ / view.masks / "000000.png", Image8(kSize, kSize, 1, 0));
  }
  EXPECT_THROW(train_scene(capture_, quick()), Error);
}

TEST(Densify, KeepsClonesSplitsAndDrops) {
  Gaussians g;
  g.means.assign(9, 0.0f);
  g.quats = {1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0};
  const float small = std::log(0.001f), large = std::log(0.02f);
  g.log_scales = {small, small, small, large, large, large, small, small, small};
  g.opacity_logits = {2, 2, -9};  // the last is not to be seen
  g.sh.assign(3 * 48, 0.1f);
  scene::SceneOptimiser optimiser(g);
  const Camera camera = look_at(Vec3(0.01f, 0, 1), Vec3(0, 0.005f, 0), 0.2f, kSize, kSize);
  scene::Picture picture{std::vector<float>(kSize * kSize * 3, 0.2f), std::vector<float>(kSize * kSize, 1.0f)};
  const float black[3] = {0, 0, 0};
  optimiser.step({nullptr, nullptr, camera, false}, picture, black, 0, {});
  for (const float gradient : optimiser.mean_gradients()) EXPECT_GE(gradient, 0);
  scene::DensifyOptions options;
  options.gradient = 0;
  Random random(1);
  scene::densify(optimiser, options, random);
  const Gaussians out = optimiser.gaussians();
  ASSERT_EQ(out.count(), 4);
  // A clone beside its original; halves of a split, smaller and apart.
  EXPECT_EQ(out.log_scales[0], out.log_scales[2 * 3]);
  EXPECT_EQ(out.means[0], out.means[2 * 3]);
  EXPECT_NEAR(out.log_scales[3], large - std::log(1.6f), 0.02f);
  EXPECT_NE(out.means[3], out.means[3 * 3]);
  options.most = 2;
  scene::densify(optimiser, options, random);
  EXPECT_EQ(optimiser.count(), 4) << "full: nothing is added, nothing seen is dropped";
}

TEST(SceneOfARealHead, HeldOutViews) {
  const char* shared = std::getenv("MIEN_SHARED");
  const fs::path source = (shared != nullptr ? fs::path(shared) : fs::path(MIEN_SOURCE_DIR) / "../shared") /
                          "data/multiview_static/fangzhou";
  if (!fs::is_directory(source)) GTEST_SKIP() << "needs " << source;
  const fs::path folder = fs::temp_directory_path() / fmt::format("mien_fangzhou_{}", ::getpid());
  ImportOptions import;
  import.longest_side = 96;
  import_capture({source}, folder, import);
  const Capture capture = Capture::load(folder);
  EXPECT_EQ(capture.sequence("held-out").views.size(), 13u);
  SceneTrainOptions options;
  options.steps = 350;
  options.initial_points = 6000;
  options.max_gaussians = 9000;
  const SceneEvaluation out = evaluate_scene(train_scene(capture, options), capture);
  EXPECT_GT(out.mean.psnr, 26) << "SSIM " << out.mean.ssim;
  fs::remove_all(folder);
}

}  // namespace
}  // namespace mien
