#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>

#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/base/safetensors.h"

namespace mien {
namespace {

namespace fs = std::filesystem;

class Safetensors : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }
  // A file with this header text and this much data behind it.
  fs::path file_with(const std::string& header, std::size_t data_bytes, std::uint64_t stated_length = 0) {
    const fs::path path = folder_ / "hostile.safetensors";
    std::ofstream out(path, std::ios::binary);
    const std::uint64_t length = stated_length != 0 ? stated_length : header.size();
    out.write(reinterpret_cast<const char*>(&length), 8);
    out << header << std::string(data_bytes, '\1');
    return path;
  }
  std::string message(const fs::path& path) {
    try {
      SafetensorsFile::open(path);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kBadFile);
      return error.what();
    }
    return "";
  }
  fs::path folder_ = fs::temp_directory_path() / fmt::format("mien_safetensors_{}", ::getpid());
};

TEST_F(Safetensors, RoundTrip) {
  const std::vector<float> values = {1.5f, -2.25f, 3e-5f, 65504.f, 0.f, -0.f};
  const std::vector<std::int32_t> indices = {1, -2, 1 << 30};
  const std::vector<std::uint8_t> blob = {1, 2, 3};
  SafetensorsWriter writer;
  writer.metadata("format", "test \"quoted\"");
  writer.add("values", {2, 3}, values);
  writer.add_half("half", {6}, values);
  writer.add("indices", {3}, indices);
  writer.add("blob", blob);
  writer.write(folder_ / "a.safetensors");
  const SafetensorsFile file = SafetensorsFile::open(folder_ / "a.safetensors");
  EXPECT_EQ(file.metadata().at("format"), "test \"quoted\"");
  EXPECT_EQ(file.floats("values", {2, -1}), values);
  EXPECT_EQ(file.ints("indices", {3}), indices);
  EXPECT_EQ(file.bytes("blob"), blob);
  const std::vector<float> half = file.floats("half", {6});
  for (std::size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(half[i], values[i], std::abs(values[i]) / 1024 + 3e-8);
  EXPECT_THROW(file.floats("values", {3, 2}), Error);
  EXPECT_THROW(file.view("absent"), Error);
  EXPECT_THROW(file.ints("values", {2, 3}), Error);
}

TEST_F(Safetensors, HalfConversionIsExactBothWays) {
  for (std::uint32_t h = 0; h < 0x10000; ++h) {
    const auto half = static_cast<std::uint16_t>(h);
    const float value = half_to_float(half);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(half_to_float(float_to_half(value))));
    } else {
      ASSERT_EQ(float_to_half(value), half) << "half " << h;
    }
  }
  EXPECT_EQ(float_to_half(1.0f + 0x1p-11f), float_to_half(1.0f));          // a tie goes to even
  EXPECT_EQ(float_to_half(1.0f + 3 * 0x1p-11f), float_to_half(1.0f) + 2);  // and the other way
  EXPECT_EQ(float_to_half(1e9f), 0x7c00);                                  // infinity
}

TEST_F(Safetensors, HostileFilesAreRefused) {
  const std::string one = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  EXPECT_EQ(message(file_with(one, 8)), "");
  EXPECT_NE(message(file_with(one, 7)).find("bytes 0 to 8 of 7"), std::string::npos);
  EXPECT_NE(message(file_with(one, 8, 1ull << 62)).find("header of"), std::string::npos);
  EXPECT_NE(message(file_with("[]", 8)).find("not a JSON object"), std::string::npos);
  EXPECT_NE(message(file_with("{\"a\":", 8)).find("not a JSON object"), std::string::npos);
  EXPECT_NE(message(file_with(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}})", 8))
                .find("larger than the file"),
            std::string::npos);
  EXPECT_NE(message(file_with(R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", 8)).find("negative"),
            std::string::npos);
  EXPECT_NE(message(file_with(R"({"a":{"dtype":"Q4","shape":[2],"data_offsets":[0,8]}})", 8)).find("element type"),
            std::string::npos);
  EXPECT_NE(message(file_with(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},
                                  "b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})",
                              12))
                .find("overlap"),
            std::string::npos);
  EXPECT_NE(
      message(file_with(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8)).find("8 bytes for shape"),
      std::string::npos);
  std::ofstream(folder_ / "hostile.safetensors") << "abc";
  EXPECT_NE(message(folder_ / "hostile.safetensors").find("3 bytes long"), std::string::npos);
  EXPECT_THROW(SafetensorsFile::open(folder_ / "absent"), Error);
}

}  // namespace
}  // namespace mien
