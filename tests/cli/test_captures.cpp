// mien capture check on captures that are wrong, and mien train on them.
#include <gtest/gtest.h>

#include <fstream>

#include "capture/small_capture.h"
#include "cli/program.h"
#include "cli/sounds.h"

namespace mien::testing_cli {
namespace {

namespace fs = std::filesystem;

class Captures : public testing::Test {
 protected:
  void SetUp() override { capture_ = write_small_capture(folder()); }
  fs::path folder() const { return scratch_ / "cap"; }

  // The check lists problems on standard output, so only its last line goes to standard error.
  void wrong(const std::vector<std::string>& words) {
    const Outcome outcome = mien({"capture", "check", "-q", folder().string()});
    EXPECT_EQ(outcome.status, 3) << outcome.err;
    EXPECT_EQ(outcome.error_lines().size(), 1u) << outcome.err;
    for (const std::string& word : words) {
      EXPECT_NE((outcome.out + outcome.err).find(word), std::string::npos)
          << word << " in: " << outcome.out << outcome.err;
    }
  }

  Scratch scratch_;
  Capture capture_;
};

TEST_F(Captures, AGoodOnePasses) {
  const Outcome outcome = mien({"capture", "check", "-q", folder().string()});
  EXPECT_EQ(outcome.status, 0) << outcome.out << outcome.err;
  EXPECT_EQ(outcome.err, "");
}

TEST_F(Captures, AbsentFolder) {
  fs::remove_all(folder());
  wrong({"capture.json", "no such file"});
}

TEST_F(Captures, MissingFrame) {
  fs::remove(folder() / "two/F/images/000001.png");
  wrong({"two", "000001", "F"});
}

TEST_F(Captures, WrongPath) {
  capture_.sequences[0].motion = "elsewhere.safetensors";
  capture_.save();
  wrong({"one", "elsewhere.safetensors"});
}

TEST_F(Captures, PathThatLeavesTheFolder) {
  std::string text = read_bytes(folder() / "capture.json");
  const std::size_t at = text.find("one.wav");
  ASSERT_NE(at, std::string::npos);
  text.replace(at, 7, "../../../etc/passwd");
  write_bytes(folder() / "capture.json", text);
  wrong({"../../../etc/passwd", "leaves"});
}

TEST_F(Captures, DamagedPicture) {
  const fs::path picture = folder() / "one/F/images/000002.png";
  const std::string bytes = read_bytes(picture);
  write_bytes(picture, bytes.substr(0, bytes.size() / 2));
  wrong({"one", "000002"});
}

}  // namespace
}  // namespace mien::testing_cli
