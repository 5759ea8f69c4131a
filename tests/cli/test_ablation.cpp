// scripts/ablation and the flags it trains with, whole, on a tiny capture of the actor.
#include <gtest/gtest.h>

#include <algorithm>

#include "cli/program.h"
#include "cli/sounds.h"
#include "mien/base/json.h"

namespace mien::testing_cli {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kVariants = {
    "full", "no-geometry", "no-emotion", "no-feature-net", "feature-net-only", "colour-modes-only", "dynamic-opacity"};

class Ablation : public testing::Test {
 protected:
  // Five sequences of a second, four frames each, one camera; the last sequence is the test split.
  static void SetUpTestSuite() {
    scratch_ = new Scratch;
    made_ = mien({"actor", "-q", "--rig", "mono", "--emotions", "all", "--sequences", "5", "--seconds", "1", "--fps",
                  "4", "--size", "64", "-o", capture()});
  }
  static void TearDownTestSuite() { delete scratch_; }
  void SetUp() override {
    constexpr int kMissingPart = 5;
    if (made_.status == kMissingPart && made_.err.find("flite") != std::string::npos) GTEST_SKIP() << made_.err;
    ASSERT_EQ(made_.status, 0) << made_.err;
  }
  static std::string capture() { return (*scratch_ / "cap").string(); }
  static Outcome ablation(const fs::path& cap, const fs::path& out, std::vector<std::string> more) {
    std::vector<std::string> command = {"python3", MIEN_SOURCE_DIR "/scripts/ablation", cap.string(), out.string()};
    for (const char* word : {"--mien", MIEN_PROGRAM, "--steps", "6", "--canonical-steps", "6", "--speech-steps", "2",
                             "--train", "-q --surface-count 1000 --volume-count 150 --grow-to 0 --report none"})
      command.emplace_back(word);
    command.insert(command.end(), more.begin(), more.end());
    Invocation what;
    what.command = std::move(command);
    return run(what);
  }
  static Json json(const fs::path& file) { return Json::parse(read_bytes(file)); }
  static Json header(const fs::path& avatar) { return Json::parse(mien({"inspect", avatar.string(), "--json"}).out); }

  static Scratch* scratch_;
  static Outcome made_;
};
Scratch* Ablation::scratch_ = nullptr;
Outcome Ablation::made_;

TEST_F(Ablation, EveryVariantOnTwoMachines) {
  const Scratch scratch;
  const fs::path there = scratch / "there", here = scratch / "here";
  // Avatars on one machine, everything else on another, to which the folder is copied.
  Outcome trained = ablation(capture(), there, {"--only", "train", "--device", "cpu"});
  ASSERT_EQ(trained.status, 0) << trained.err;
  EXPECT_FALSE(fs::exists(there / "ablation.md"));
  const Outcome early = ablation(capture(), there, {"--only", "eval"});
  EXPECT_NE(early.status, 0);
  EXPECT_NE(early.err.find("--only speech"), std::string::npos) << early.err;
  fs::copy(there, here);
  const fs::path capture_here = scratch / "copy";
  fs::copy(capture(), capture_here, fs::copy_options::recursive);
  const Outcome spoken = ablation(capture_here, here, {"--only", "speech"});
  ASSERT_EQ(spoken.status, 0) << spoken.err;
  const Outcome judged = ablation(capture_here, here, {"--threads", "1", "--tracked"});
  ASSERT_EQ(judged.status, 0) << judged.err;
  for (const std::string& name : kVariants)
    EXPECT_NE(judged.err.find("training " + name + ": done before"), std::string::npos) << name << judged.err;

  const std::string table = read_bytes(here / "ablation.md");
  EXPECT_EQ(judged.out, table + "\n");
  const Json result = json(here / "ablation.json");
  ASSERT_EQ(result.at("variants").size(), kVariants.size());
  for (std::size_t i = 0; i < kVariants.size(); ++i) {
    const Json& row = result.at("variants")[i];
    EXPECT_EQ(row.at("name"), kVariants[i]);
    EXPECT_EQ(row.at("train").at("steps"), 12);
    EXPECT_EQ(row.at("speech").at("pictures"), 4);
    for (const char* key : {"psnr", "ssim", "lpips", "lmd_px", "lmd_lips_px", "cpbd", "lve_mm", "jitter_ratio"})
      EXPECT_TRUE(row.at("speech").at(key).is_number()) << kVariants[i] << " " << key;
    EXPECT_NE(table.find("| " + kVariants[i] + " |"), std::string::npos);
    EXPECT_TRUE(fs::exists(here / (kVariants[i] + ".png")));
  }
  EXPECT_EQ(result.at("verdicts").size(), 6u);
  EXPECT_TRUE(result.at("variants")[0].at("tracked").at("psnr").is_number());
  EXPECT_FALSE(result.at("variants")[1].contains("tracked"));

  // What the flags did to the avatars.
  const auto network = [&](const std::string& name) { return header(here / (name + ".mien")).value("g2anet", Json()); };
  const auto modes = [&](const std::string& name) { return header(here / (name + ".mien")).contains("colour_modes"); };
  EXPECT_TRUE(network("full").at("emotion").get<bool>() && network("full").at("feature_net").get<bool>());
  EXPECT_FALSE(network("full").at("dynamic_opacity").get<bool>() || network("full").contains("sound"));
  EXPECT_TRUE(modes("full"));
  EXPECT_EQ(network("no-geometry").at("sound"), 198);
  EXPECT_FALSE(modes("no-geometry"));
  EXPECT_FALSE(network("no-emotion").at("emotion").get<bool>());
  EXPECT_FALSE(network("no-feature-net").at("feature_net").get<bool>() || modes("no-feature-net"));
  EXPECT_TRUE(network("feature-net-only").at("feature_net").get<bool>() && !modes("feature-net-only"));
  EXPECT_TRUE(network("colour-modes-only").is_null() && modes("colour-modes-only"));
  EXPECT_TRUE(network("dynamic-opacity").at("dynamic_opacity").get<bool>());

  // Again nothing is done; another capture or another avatar is.
  const Outcome again = ablation(capture_here, here, {"--variants", "full"});
  EXPECT_EQ(again.err.find("mien train"), std::string::npos) << again.err;
  EXPECT_NE(again.err.find("evaluating full: done before"), std::string::npos) << again.err;
  fs::copy_file(here / "dynamic-opacity.mien", here / "full.mien", fs::copy_options::overwrite_existing);
  const Outcome other = ablation(capture_here, here, {"--variants", "full", "--only", "eval"});
  EXPECT_NE(other.err.find("evaluating full: " MIEN_PROGRAM), std::string::npos) << other.err;
  const Outcome longer =
      ablation(capture_here, here, {"--variants", "full", "--only", "train", "--canonical-steps", "7"});
  EXPECT_NE(longer.err.find("training full: " MIEN_PROGRAM), std::string::npos) << longer.err;
}

TEST_F(Ablation, WrongOptionsAreOneLine) {
  const Scratch scratch;
  const auto refused = [&](std::vector<std::string> more, const std::string& word) {
    const Outcome outcome = ablation(capture(), scratch / "out", std::move(more));
    EXPECT_EQ(outcome.status, 1);
    EXPECT_EQ(outcome.error_lines().size(), 1u) << outcome.err;
    EXPECT_NE(outcome.err.find(word), std::string::npos) << outcome.err;
  };
  refused({"--variants", "no-nose"}, "no-nose");
  refused({"--only", "train,dance"}, "dance");
  refused({"--mien", "/nowhere/mien"}, "/nowhere/mien");
  const Outcome none = ablation(scratch / "absent", scratch / "out", {});
  EXPECT_NE(none.err.find("capture.json"), std::string::npos) << none.err;
}

TEST_F(Ablation, PatienceEndsTrainingAndTheReportSaysSo) {
  const Scratch scratch;
  const fs::path avatar = scratch / "a.mien";
  const auto train = [&](std::vector<std::string> more) {
    std::vector<std::string> all = {"train",
                                    capture(),
                                    "-q",
                                    "--device",
                                    "cpu",
                                    "-o",
                                    avatar.string(),
                                    "--surface-count",
                                    "1000",
                                    "--volume-count",
                                    "150",
                                    "--grow-to",
                                    "0",
                                    "--canonical-steps",
                                    "2",
                                    "--steps",
                                    "4000",
                                    "--json"};
    all.insert(all.end(), more.begin(), more.end());
    return mien(all);
  };
  const Outcome outcome = train({"--patience", "60", "--g2anet"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_LT(Json::parse(outcome.out).at("steps"), 4002);
  const std::string page = read_bytes(scratch / "a.report.html");
  for (const char* word : {"settled before the last step (--patience)", "--patience", "Gaussians", "<svg"})
    EXPECT_NE(page.find(word), std::string::npos) << word;
  expect_refusal(train({"--patience", "-1"}), 2, {"--patience"});
  expect_refusal(train({"--dynamic-opacity"}), 2, {"--dynamic-opacity", "--g2anet"});
  expect_refusal(train({"--no-feature-net"}), 2, {"--no-feature-net", "--g2anet"});
}

// What the avatar hears goes with it: speak makes it of the sound, render wants the sound, and training needs it.
TEST_F(Ablation, WithoutGeometryTheSoundMovesTheAvatar) {
  const Scratch scratch;
  const std::string avatar = (scratch / "deaf.mien").string(), picture = (scratch / "a.png").string();
  const fs::path silent = scratch / "silent";
  fs::copy(capture(), silent, fs::copy_options::recursive);
  const std::string text = read_bytes(silent / "capture.json");
  Json json = Json::parse(text);
  const std::string sequence = json.at("sequences")[1].at("id"), motion = json.at("sequences")[0].at("motion"),
                    sound = json.at("sequences")[0].at("audio");
  json["sequences"][1]["audio"] = "";
  write_bytes(silent / "capture.json", json.dump());
  const auto train = [&](const fs::path& from) {
    return mien({"train", from.string(), "-q", "--no-geometry", "--device", "cpu", "-o", avatar, "--surface-count",
                 "1000", "--volume-count", "150", "--grow-to", "0", "--canonical-steps", "2", "--steps", "4",
                 "--json"});
  };
  expect_refusal(train(silent), 3, {"sequence " + sequence, "no sound"});
  ASSERT_EQ(train(capture()).status, 0);
  const std::string moved = (fs::path(capture()) / motion).string(), heard = (fs::path(capture()) / sound).string();
  const Outcome still = mien({"render", "--avatar", avatar, "-o", picture, "--size", "64x64"});
  EXPECT_EQ(still.status, 0) << still.err;
  expect_refusal(mien({"render", moved, "--avatar", avatar, "-o", picture, "--size", "64x64"}), 2, {"--audio"});
  const Outcome drawn = mien({"render", moved, "--audio", heard, "--avatar", avatar, "-o", picture, "--size", "64x64"});
  EXPECT_EQ(drawn.status, 0) << drawn.err;
  // Trained on another encoder it would move as by chance.
  std::string content = read_bytes(avatar);
  const std::size_t at = content.find("phonetic-80ms-");
  ASSERT_NE(at, std::string::npos);
  content.replace(at + 14, 8, "00000000");
  write_bytes(avatar, content);
  expect_refusal(mien({"eval", "avatar", avatar, "--capture", capture()}), 3,
                 {"phonetic-80ms-00000000", "--no-geometry"});
}

}  // namespace
}  // namespace mien::testing_cli
