#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "mien/base/error.h"
#include "mien/base/resource.h"

namespace mien {
namespace {

namespace fs = std::filesystem;

TEST(Resource, HomeWinsAndErrorsNameThePlaces) {
  const fs::path home = fs::temp_directory_path() / fmt::format("mien_home_{}", ::getpid());
  fs::create_directories(home / "models");
  std::ofstream(home / "models" / "a.mien") << "x";
  ::setenv("MIEN_HOME", home.c_str(), 1);
  EXPECT_EQ(find_resource("models/a.mien"), home / "models" / "a.mien");
  try {
    find_resource("models/b.mien", "train it");
    FAIL() << "a missing resource was found";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNotFound);
    EXPECT_NE(std::string(error.what()).find(home.string()), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("train it"), std::string::npos) << error.what();
  }
  ::unsetenv("MIEN_HOME");
  fs::remove_all(home);
  EXPECT_TRUE(fs::exists(find_resource("LICENSE")));  // of the source tree
}

TEST(Resource, CacheFollowsTheEnvironment) {
  const char* before = std::getenv("MIEN_CACHE");
  const std::string kept = before == nullptr ? "" : before;
  ::setenv("MIEN_CACHE", "/somewhere", 1);
  EXPECT_EQ(cache_folder(), "/somewhere");
  ::unsetenv("MIEN_CACHE");
  EXPECT_EQ(cache_folder().filename(), ".cache");
  if (before != nullptr) ::setenv("MIEN_CACHE", kept.c_str(), 1);
}

}  // namespace
}  // namespace mien
