// A capture of a ball with a coloured pattern that grows and turns, drawn by a ray caster: independent of the splats
// that learn it.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>

#include "gaussian_avatar/simple_head.h"
#include "mien/base/error.h"
#include "mien/base/safetensors.h"
#include "mien/capture/capture.h"
#include "mien/training/gaussian_trainer.h"

namespace mien {

constexpr int kBallSize = 96;
constexpr int kBallCameras = 6;
constexpr int kBallFrames = 4;

inline ImageF draw_ball(const Camera& camera, const MotionFrame& frame, ImageF& matte) {
  ImageF rgb(kBallSize, kBallSize, 3);
  matte = ImageF(kBallSize, kBallSize, 1);
  const float radius = 0.1f * (1 + 0.1f * frame.expression[0]);
  const Mat3 to_world = camera.world_to_camera.topLeftCorner<3, 3>().transpose();
  const Vec3 eye = camera.centre();
  for (int y = 0; y < kBallSize; ++y) {
    for (int x = 0; x < kBallSize; ++x) {
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

class BallCapture : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(folder_);
    SafetensorsWriter writer;
    simple_head().save(writer, "");
    writer.write(folder_ / "head.safetensors");
    capture_.folder = folder_;
    capture_.person = "ball";
    capture_.head_model = "head.safetensors";
    CaptureSequence sequence;
    sequence.id = "turn";
    sequence.frames = kBallFrames;
    sequence.motion = "motion.safetensors";
    HeadMotion motion;
    motion.head_model = "sphere";
    motion.expression_names.assign(kArkitNames.begin(), kArkitNames.end());
    for (int f = 0; f < kBallFrames; ++f) {
      MotionFrame frame;
      frame.expression.assign(kArkitCount, 0.0f);
      frame.expression[0] = 0.4f * static_cast<float>(f);
      frame.pose.root = Quat(Eigen::AngleAxisf(0.2f * static_cast<float>(f), Vec3::UnitY()));
      frame.emotion[0] = 1 - 0.2f * static_cast<float>(f);
      frame.emotion[5] = 0.2f * static_cast<float>(f);
      motion.frames.push_back(frame);
    }
    motion.save(folder_ / "motion.safetensors");
    for (int c = 0; c < kBallCameras; ++c) {
      const float angle = 3.14159f * (static_cast<float>(c) / (kBallCameras - 1) - 0.5f);
      CaptureCamera camera;
      camera.id = "c" + std::to_string(c);
      camera.camera = look_at(Vec3(std::sin(angle), 0.1f, std::cos(angle)), Vec3::Zero(), 0.35f, kBallSize, kBallSize);
      camera.background = {0.2f, 0.3f, 0.4f};
      capture_.cameras.push_back(camera);
      CaptureView view{camera.id, camera.id + "/rgb", camera.id + "/matte", ""};
      std::filesystem::create_directories(folder_ / view.images);
      std::filesystem::create_directories(folder_ / view.masks);
      for (int f = 0; f < kBallFrames; ++f) {
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
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_ = std::filesystem::temp_directory_path() / fmt::format("mien_trainer_{}", ::getpid());
  Capture capture_;
  GaussianTrainOptions options_;
};

}  // namespace mien
