// Bad arguments of train, render, actor, head and eval.
#include <gtest/gtest.h>

#include "capture/small_capture.h"
#include "cli/program.h"
#include "cli/sounds.h"
#include "mien/base/json.h"
#include "mien/media/image.h"

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

TEST(Eval, PicturesAndTheirWeights) {
  const Scratch scratch;
  const std::string a = (scratch / "a.png").string();
  const std::string b = (scratch / "b.png").string();
  write_image(a, Image8(40, 40, 3, 90));
  write_image(b, Image8(40, 40, 3, 100));
  const Outcome good = mien({"eval", "images", a, b, "--json"});
  ASSERT_EQ(good.status, 0) << good.err;
  const Json mean = Json::parse(good.out)["mean"];
  EXPECT_NEAR(mean["psnr"].get<double>(), 28.1308, 1e-3);
  EXPECT_GT(mean["lpips"].get<double>(), 0);
  for (const char* key : {"ssim", "cpbd_a", "cpbd_b"}) EXPECT_TRUE(mean[key].is_number()) << key;
  expect_refusal(mien({"eval", "images", a, b, "--lpips-weights", (scratch / "w.safetensors").string()}), 3,
                 {"w.safetensors"});
  expect_refusal(mien({"eval", "images", a, b, "--lpips-weights", a}), 3, {"a.png", "safetensors"});
  expect_refusal(mien({"eval", "images", a, (scratch / "c.png").string()}), 3, {"c.png"});
  write_image(b, Image8(40, 41, 3, 100));
  expect_refusal(mien({"eval", "images", a, b}), 2, {"b.png", "40x41"});
}

TEST(Eval, AvatarBySpeechNeedsSound) {
  const Scratch scratch;
  Capture capture = write_small_capture(scratch / "cap");
  for (CaptureSequence& sequence : capture.sequences) sequence.audio.clear();
  capture.save();
  expect_refusal(mien({"eval", "avatar", "ada", "--capture", capture.folder.string(), "--motion", "speech"}), 3,
                 {"sequence two", "no audio", "tracked"});
  expect_refusal(mien({"eval", "avatar", "ada", "--capture", capture.folder.string(), "--motion", "dance"}), 2,
                 {"dance", "tracked", "speech"});
}

TEST(Capture, SubcommandsAreNamed) {
  expect_refusal(mien({"capture", "chekc"}), 2, {"chekc", "check"});
}

}  // namespace
}  // namespace mien::testing_cli
