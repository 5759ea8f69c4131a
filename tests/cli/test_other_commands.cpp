// Bad arguments of train, render, actor, head and eval.
#include <gtest/gtest.h>

#include "capture/small_capture.h"
#include "cli/program.h"
#include "cli/sounds.h"

namespace mien::testing_cli {
namespace {

namespace fs = std::filesystem;

TEST(Train, CapturesThatAreNone) {
  const Scratch scratch;
  const std::string out = (scratch / "x.mien").string();
  expect_refusal(mien({"train", (scratch / "absent").string(), "-q", "-o", out}), 3, {"absent"});
  const Capture capture = write_small_capture(scratch / "cap");
  expect_refusal(mien({"train", capture.folder.string(), "-q", "-o", (scratch / "x.txt").string()}), 2,
                 {"x.txt", ".mien"});
  expect_refusal(mien({"train", capture.folder.string(), "-q", "--renderer", "paint", "-o", out}), 2,
                 {"paint", "gaussians"});
  fs::remove(capture.folder / "one/F/images/000000.png");
  const Outcome missing = mien({"train", capture.folder.string(), "-q", "-o", out});
  EXPECT_EQ(missing.status, 3) << missing.err;
  EXPECT_EQ(missing.error_lines().size(), 1u) << missing.err;
  EXPECT_FALSE(fs::exists(out));
}

TEST(Render, WrongInputsAndOutputs) {
  const Scratch scratch;
  const std::string out = (scratch / "x.png").string();
  expect_refusal(mien({"render", (scratch / "no.safetensors").string(), "-q", "-o", out}), 3, {"no.safetensors"});
  expect_refusal(mien({"render", "-q", "--camera", "above", "-o", out}), 2, {"above", "front"});
  expect_refusal(mien({"render", "-q", "--avatar", "nobody", "-o", out}), 3, {"nobody", "ada"});
  expect_refusal(mien({"render", "-q", "-o", (scratch / "x.bmp").string()}), 2, {"x.bmp", ".png"});
  expect_refusal(mien({"render", "-q", "-o", (scratch / "absent/x.png").string()}), 4, {"absent"});
  EXPECT_EQ(scratch.names(), std::vector<std::string>{});
}

TEST(Actor, UnknownNamesListThose) {
  const Scratch scratch;
  const std::string out = (scratch / "cap").string();
  expect_refusal(mien({"actor", "-q", "--person", "nobody", "-o", out}), 2, {"nobody", "ada"});
  expect_refusal(mien({"actor", "-q", "--emotion", "joyful", "-o", out}), 2, {"joyful", "happy"});
  expect_refusal(mien({"actor", "-q", "--rig", "balloon", "-o", out}), 2, {"balloon", "emotalk"});
  expect_refusal(mien({"actor", "-q", "--seconds", "-1", "-o", out}), 2, {"-1"});
  EXPECT_EQ(scratch.names(), std::vector<std::string>{});
}

TEST(Head, BuildFromNothing) {
  const Scratch scratch;
  const std::string out = (scratch / "head.safetensors").string();
  expect_refusal(mien({"head", "build", "--makehuman", (scratch / "absent").string(), "-o", out}), 3, {"absent"});
  expect_refusal(mien({"head", "info", "--model", (scratch / "no.safetensors").string()}), 3, {"no.safetensors"});
  EXPECT_EQ(scratch.names(), std::vector<std::string>{});
}

TEST(Capture, SubcommandsAreNamed) {
  expect_refusal(mien({"capture", "chekc"}), 2, {"chekc", "check"});
}

}  // namespace
}  // namespace mien::testing_cli
