// mien capture import and mien scene, as a person meets them.
#include <gtest/gtest.h>

#include <fstream>

#include "capture/small_capture.h"
#include "capture/vhap_layout.h"
#include "cli/program.h"
#include "cli/sounds.h"

namespace mien::testing_cli {
namespace {

namespace fs = std::filesystem;

class Imports : public testing::Test {
 protected:
  void SetUp() override {
    const Capture capture = write_small_capture(scratch_ / "truth");
    write_vhap(capture, capture.sequences[0], scratch_ / "p7_happy_mild", {.white = false});
  }
  std::string path(const char* name) const { return (scratch_ / name).string(); }
  Scratch scratch_;
};

TEST_F(Imports, AGoodSetBecomesAGoodCapture) {
  const Outcome outcome = mien({"capture", "import", "-q", path("p7_happy_mild"), "-o", path("cap")});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("layout vhap: 2 cameras, 1 sequences, 6 pictures"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("without sound"), std::string::npos) << outcome.out;
  EXPECT_EQ(mien({"capture", "check", "-q", path("cap")}).status, 0);
  const Capture capture = Capture::load(scratch_ / "cap");
  EXPECT_EQ(capture.sequence("p7_happy_mild").emotion.at(0), parse_emotion_vector("happy:0.5"));
  const Outcome json = mien({"capture", "import", path("p7_happy_mild"), "-o", path("cap2"), "--json"});
  EXPECT_EQ(Json::parse(json.out).at("pictures"), 6);
  expect_refusal(mien({"capture", "import", path("p7_happy_mild"), "-o", path("cap")}), 2, {"is there already"});
}

TEST_F(Imports, RefusalsAreOneLineAndLeaveNothing) {
  const std::vector<std::string> before = scratch_.names();
  expect_refusal(mien({"capture", "import", path("nowhere"), "-o", path("cap")}), 3, {"nowhere", "no such folder"});
  expect_refusal(mien({"capture", "import", path("truth"), "-o", path("cap")}), 3, {"docs/import.md"});
  expect_refusal(mien({"capture", "import", path("p7_happy_mild"), "-o", path("cap"), "--up", "1,2"}), 2, {"--up"});
  expect_refusal(mien({"capture", "import", path("p7_happy_mild"), "-o", path("cap"), "--layout", "colmap"}), 3,
                 {"no COLMAP model"});
  EXPECT_EQ(scratch_.names(), before);
  fs::remove(scratch_ / "p7_happy_mild/images/00002_01.png");
  const std::vector<std::string> damaged = scratch_.names();
  expect_refusal(mien({"capture", "import", path("p7_happy_mild"), "-o", path("cap")}), 3, {"00002_01.png"});
  EXPECT_EQ(scratch_.names(), damaged);
}

TEST_F(Imports, ScenesNeedViewsAndAName) {
  expect_refusal(mien({"scene", "train", path("nowhere"), "-o", path("a.ply")}), 3, {"capture.json"});
  expect_refusal(mien({"scene", "train", path("truth"), "-o", path("a.mien")}), 2, {"a.mien", ".ply"});
  ASSERT_EQ(mien({"capture", "import", "-q", path("p7_happy_mild"), "-o", path("one"), "--skip-cameras", "M"}).status,
            0);
  expect_refusal(mien({"scene", "train", path("one"), "-o", path("a.ply")}), 2,
                 {"1 view of split \"train\"", "2 cameras"});
  expect_refusal(mien({"scene", "eval", path("none.ply"), path("one")}), 3, {"none.ply"});
  EXPECT_FALSE(fs::exists(scratch_ / "a.ply"));
}

TEST_F(Imports, PicturesWithoutTrackingMakeNoAvatar) {
  Json json = read_json(scratch_ / "p7_happy_mild/transforms.json");
  for (Json& frame : json["frames"]) frame.erase("mesh_path");
  std::ofstream(scratch_ / "p7_happy_mild/transforms.json") << json.dump();
  ASSERT_EQ(mien({"capture", "import", "-q", path("p7_happy_mild"), "-o", path("cap")}).status, 0);
  expect_refusal(mien({"train", "-q", path("cap"), "-o", path("a.mien")}), 2, {"cap"});
  EXPECT_FALSE(fs::exists(scratch_ / "a.mien"));
}

}  // namespace
}  // namespace mien::testing_cli
