#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/base/json.h"

namespace mien {
namespace {

namespace fs = std::filesystem;

class Files : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }
  int entries() { return static_cast<int>(std::distance(fs::directory_iterator(folder_), fs::directory_iterator())); }
  fs::path folder_ = fs::temp_directory_path() / fmt::format("mien_files_{}", ::getpid());
};

TEST_F(Files, AtomicFileLeavesNothingWithoutCommit) {
  write_file(folder_ / "a", "old", 3);
  {
    AtomicFile file(folder_ / "a");
    file.write("new content");
  }
  EXPECT_EQ(read_text(folder_ / "a"), "old");
  EXPECT_EQ(entries(), 1);
  {
    AtomicFile file(folder_ / "a");
    file.write("new content");
    file.commit();
  }
  EXPECT_EQ(read_text(folder_ / "a"), "new content");
  EXPECT_EQ(entries(), 1);
}

TEST_F(Files, FullDiskIsSaidAndLeavesNothing) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "no /dev/full on this machine";
  // The temporary name is taken by a link to /dev/full: every write then fails as on a full disk.
  fs::create_symlink("/dev/full", folder_ / fmt::format("a.part{}", ::getpid()));
  try {
    write_file(folder_ / "a", "content", 7);
    FAIL() << "writing to a full disk went unnoticed";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kIo);
    EXPECT_NE(std::string(error.what()).find("disk is full"), std::string::npos) << error.what();
  }
  EXPECT_EQ(entries(), 0);
}

TEST_F(Files, MissingFolderIsNamed) {
  try {
    write_file(folder_ / "absent" / "a", "x", 1);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("absent/a"), std::string::npos);
  }
}

TEST_F(Files, PathsStayInside) {
  EXPECT_EQ(path_inside(folder_, "x/y.png", "test"), folder_ / "x/y.png");
  EXPECT_THROW(path_inside(folder_, "/etc/passwd", "test"), Error);
  EXPECT_THROW(path_inside(folder_, "x/../../y", "test"), Error);
  EXPECT_THROW(path_inside(folder_, "", "test"), Error);
  fs::create_directory_symlink("/etc", folder_ / "link");
  EXPECT_THROW(path_inside(folder_, "link/passwd", "test"), Error);
}

TEST_F(Files, JsonErrorsSayWhere) {
  std::ofstream(folder_ / "a.json") << "{\n  \"a\": 1,\n  oops\n}";
  try {
    read_json(folder_ / "a.json");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("a.json:3:"), std::string::npos) << error.what();
  }
  const Json object = {{"n", "text"}};
  EXPECT_THROW(get_field<int>(object, "n", "here"), Error);
  EXPECT_THROW(get_field<int>(object, "m", "here"), Error);
  EXPECT_EQ(get_field_or<int>(object, "m", "here", 4), 4);
}

}  // namespace
}  // namespace mien
