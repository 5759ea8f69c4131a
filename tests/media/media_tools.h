// What the media tests share: a folder that cleans up, sines, and the ffmpeg programs as second opinion.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/base/json.h"

namespace mien {

class MediaFolder : public testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        std::filesystem::temp_directory_path() /
        fmt::format("mien_media_{}_{}", ::getpid(), testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  int entries() const { return static_cast<int>(std::distance(std::filesystem::directory_iterator(folder_), {})); }
  // The message of the mien::Error that `call` throws; a failure when it throws none.
  template <typename Call>
  static std::string error_of(const Call& call) {
    try {
      call();
    } catch (const Error& error) {
      return error.what();
    }
    ADD_FAILURE() << "no error was thrown";
    return "";
  }
  std::filesystem::path folder_;
};

inline bool have_program(const char* name) {
  return std::system(fmt::format("command -v {} > /dev/null 2>&1", name).c_str()) == 0;
}

// Without the flush to disk of write_file(): tests write files by the thousand.
inline void put_file(const std::filesystem::path& path, const void* data, std::size_t bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(static_cast<const char*>(data), static_cast<long>(bytes));
}

// Runs a command line; true when it succeeds.
inline bool shell(const std::string& command) {
  return std::system((command + " > /dev/null 2>&1").c_str()) == 0;
}

inline Json ffprobe(const std::filesystem::path& path) {
  const std::filesystem::path out = path.string() + ".json";
  const std::string command = fmt::format(
      "ffprobe -v error -count_frames -show_format -show_streams -of json '{}' > '{}'", path.string(), out.string());
  if (std::system(command.c_str()) != 0) return {};
  Json json = read_json(out);
  std::filesystem::remove(out);
  return json;
}

inline std::vector<float> sine(double hertz, int rate, std::size_t count, double amplitude = 0.5) {
  std::vector<float> out(count);
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = static_cast<float>(amplitude * std::sin(2 * M_PI * hertz * static_cast<double>(i) / rate));
  }
  return out;
}

// Largest difference, leaving out `edge` samples at both ends.
inline double largest_difference(const std::vector<float>& a, const std::vector<float>& b, std::size_t edge = 0) {
  double worst = 0;
  for (std::size_t i = edge; i + edge < std::min(a.size(), b.size()); ++i) {
    worst = std::max(worst, static_cast<double>(std::abs(a[i] - b[i])));
  }
  return worst;
}

}  // namespace mien

#define MIEN_NEED_PROGRAM(name) \
  if (!have_program(name)) GTEST_SKIP() << "the program " name " is not installed (package ffmpeg)"
