// mien train on captures that are wrong, and what a killed training leaves behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <csignal>
#include <thread>

#include "base/two_ranks.h"
#include "cli/program.h"
#include "cli/sounds.h"
#include "training/ball_capture.h"

namespace mien::testing_cli {
namespace {

namespace fs = std::filesystem;

class TinyTraining : public BallCapture {
 protected:
  void SetUp() override {
    folder_ = scratch_ / "cap";
    fs::create_directories(folder_);
    BallCapture::SetUp();
  }
  std::vector<std::string> arguments(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> out = {"train",    folder_.string(),
                                    "-o",       (scratch_ / "me.mien").string(),
                                    "--device", "cpu",
                                    "-q",       "--report",
                                    "none",     "--surface-count",
                                    "300",      "--volume-count",
                                    "20",       "--grow-to",
                                    "0",        "--canonical-steps",
                                    "5"};
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }
  std::vector<std::string> command(const std::vector<std::string>& more) const {
    std::vector<std::string> out = arguments(more);
    out.insert(out.begin(), mien_program());
    return out;
  }
  // One line, this status, and no avatar or checkpoint.
  void refused(int status, const std::vector<std::string>& words) {
    capture_.save();
    expect_refusal(mien(arguments({"--steps", "5"})), status, words);
    for (const std::string& name : scratch_.names()) EXPECT_THAT(name, testing::Not(testing::HasSubstr("me.mien")));
  }

  Scratch scratch_;
};

TEST_F(TinyTraining, ATinyCapture) {
  const Outcome outcome = mien(arguments({"--steps", "5"}));
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  EXPECT_TRUE(fs::exists(scratch_ / "me.mien"));
  EXPECT_FALSE(fs::exists(scratch_ / "me.mien.checkpoint"));
}

TEST_F(TinyTraining, OneCamera) {
  capture_.cameras.resize(1);
  capture_.sequences[0].views.resize(1);
  capture_.save();
  const Outcome outcome = mien(arguments({"--steps", "5"}));
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_TRUE(fs::exists(scratch_ / "me.mien"));
}

TEST_F(TinyTraining, WithoutMasksSaysWhatThatMeans) {
  for (CaptureView& view : capture_.sequences[0].views) view.masks = "";
  capture_.save();
  const Outcome outcome = mien(arguments({"--steps", "5"}));
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.error_lines().size(), 1u) << outcome.err;
  EXPECT_NE(outcome.err.find("no masks for camera c0, c1"), std::string::npos) << outcome.err;
}

TEST_F(TinyTraining, UnequalFrames) {
  capture_.sequences[0].frames = 3;
  refused(3, {"sequence turn", "4 frames of motion; the sequence has 3"});
}

TEST_F(TinyTraining, WrongFrameRate) {
  capture_.sequences[0].fps = 25;
  refused(3, {"sequence turn", "motion at 30 frames/s; the sequence has 25"});
}

TEST_F(TinyTraining, MissingMask) {
  fs::remove(folder_ / "c3/matte/000002.png");
  refused(3, {"sequence turn, camera c3, frame 2", "missing"});
}

TEST_F(TinyTraining, MissingPicture) {
  fs::remove(folder_ / "c3/rgb/000002.png");
  refused(3, {"c3/rgb/000002", "no such file"});
}

TEST_F(TinyTraining, CameraBehindTheHead) {
  Mat4& view = capture_.cameras[2].camera.world_to_camera;
  const Mat4 about = Eigen::Affine3f(Eigen::AngleAxisf(3.14159265f, Vec3::UnitY())).matrix();
  view = about * view;
  refused(3, {"camera c2 looks away from the head"});
}

TEST_F(TinyTraining, NanInTheMotion) {
  HeadMotion motion = HeadMotion::load(folder_ / "motion.safetensors");
  motion.frames[2].expression[5] = std::nanf("");
  motion.save(folder_ / "motion.safetensors");
  refused(3, {"motion.safetensors", "nan"});
}

TEST_F(TinyTraining, SpeechStageWithoutSound) {
  const Outcome outcome = mien(arguments({"--stage", "speech", "--speech-device", "cpu"}));
  EXPECT_EQ(outcome.status, 2) << outcome.err;
  ASSERT_FALSE(outcome.error_lines().empty());
  EXPECT_NE(outcome.error_lines().back().find("has sound and motion"), std::string::npos) << outcome.err;
  EXPECT_FALSE(fs::exists(scratch_ / "me.speech.safetensors"));
}

// Killed in the middle of writing its second checkpoint: the first one opens, and the run goes on from it.
TEST_F(TinyTraining, KilledDuringACheckpoint) {
  const fs::path checkpoint = scratch_ / "me.mien.checkpoint";
  Invocation what;
  what.command = command({"--steps", "100000"});
  int checkpoints = 0;
  fs::file_time_type last;
  what.kill_when = [&] {
    std::error_code none;
    const auto time = fs::last_write_time(checkpoint, none);
    if (!none && time != last) {
      last = time;
      ++checkpoints;
    }
    if (checkpoints == 0) return false;
    for (const auto& entry : fs::directory_iterator(scratch_.path(), none)) {
      if (entry.path().filename().string().starts_with("me.mien.checkpoint.part")) return true;
    }
    return checkpoints > 3;  // its writing was too quick to be seen
  };
  EXPECT_EQ(run(what).status, -SIGKILL);
  ASSERT_TRUE(fs::exists(checkpoint));
  what.kill_when = nullptr;
  what.command = command({"--steps", "100000", "--log-level", "info"});
  std::erase(what.command, "-q");
  const auto log_size = [&] {
    std::error_code none;
    const auto size = fs::file_size(scratch_ / "me.log", none);
    return none ? 0 : size;
  };
  what.interrupt_when = [&, before = log_size()] { return log_size() > before; };  // it has gone on
  const Outcome second = run(what);
  EXPECT_EQ(second.status, 130) << second.err;
  EXPECT_NE(second.err.find("resuming from"), std::string::npos) << second.err;
  for (const std::string& name : scratch_.names()) EXPECT_EQ(name.find(".part"), std::string::npos) << name;
  // Another capture, or other options, do not go on from it; it stays.
  const std::string bytes = read_bytes(checkpoint);
  expect_refusal(mien(arguments({"--steps", "90000"})), 3, {"another capture or other options"});
  HeadMotion motion = HeadMotion::load(folder_ / "motion.safetensors");
  motion.frames[2].expression[0] += 0.01f;
  motion.save(folder_ / "motion.safetensors");
  expect_refusal(mien(arguments({"--steps", "100000"})), 3, {"another capture or other options"});
  EXPECT_EQ(read_bytes(checkpoint), bytes);
  // A damaged one is named.
  write_bytes(checkpoint, bytes.substr(0, bytes.size() / 2));
  expect_refusal(mien(arguments({"--steps", "100000"})), 3, {"me.mien.checkpoint"});
}

// Two processes by WORLD_SIZE; one of them is killed.
TEST_F(TinyTraining, AKilledRankEndsTheOther) {
  Invocation first;
  first.command = command({"--steps", "100000"});
  const std::string port = "MASTER_PORT=" + std::to_string(free_port());
  first.environment = {"WORLD_SIZE=2", "RANK=0", port, "OMP_NUM_THREADS=1"};
  Invocation second = first;
  second.environment[1] = "RANK=1";
  second.kill_when = [&] {  // once both train
    std::error_code none;
    return fs::file_size(scratch_ / "me.log", none) > 0 && !none;
  };
  Outcome lost;
  std::thread other([&] { lost = run(second); });
  const Outcome outcome = run(first);
  other.join();
  if (outcome.err.find("has no Gloo") != std::string::npos) GTEST_SKIP() << "this build has no Gloo";
  EXPECT_EQ(lost.status, -SIGKILL) << lost.err;
  EXPECT_EQ(outcome.status, 4) << outcome.err;
  ASSERT_FALSE(outcome.error_lines().empty());
  EXPECT_NE(outcome.error_lines().back().find("rank 0 of 2: another rank has ended"), std::string::npos) << outcome.err;
}

}  // namespace
}  // namespace mien::testing_cli
