#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "mien/base/resource.h"

namespace mien {
namespace {

// Sets a variable of the environment for one test.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    had_ = std::getenv(name) != nullptr;
    ::setenv(name, value, 1);
  }
  ~Variable() { had_ ? ::setenv(name_, before_.c_str(), 1) : ::unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::string before_;
  bool had_ = false;
};

TEST(Resource, ModelsComeFromTheNamedFolderOnly) {
  const Variable named("MIEN_MODELS", "/elsewhere");
  ASSERT_EQ(model_folders().size(), 1u);
  EXPECT_EQ(model_folders()[0], "/elsewhere");
}

TEST(Resource, ModelsOfTheSourceTreeComeLast) {
  const Variable empty("MIEN_MODELS", "");
  ASSERT_EQ(model_folders().size(), 2u);
  EXPECT_EQ(model_folders()[0].lexically_relative(model_folders()[0].parent_path().parent_path()), "mien/models");
  EXPECT_TRUE(std::filesystem::exists(model_folders()[1].parent_path() / "LICENSE"));
}

TEST(Resource, CacheFollowsTheEnvironment) {
  {
    const Variable cache("MIEN_CACHE", "/somewhere");
    EXPECT_EQ(cache_folder(), "/somewhere");
  }
  const Variable empty("MIEN_CACHE", "");
  EXPECT_EQ(cache_folder().filename(), ".cache");
}

}  // namespace
}  // namespace mien
