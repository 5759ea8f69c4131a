// PLY files: the layout byte by byte, the way back, and files that lie.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <limits>

#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/base/random.h"
#include "mien/splat/ply.h"

namespace mien {
namespace {

namespace fs = std::filesystem;

Gaussians random_gaussians(int n) {
  Random random(1);
  Gaussians g;
  for (int i = 0; i < 3 * n; ++i) g.means.push_back(random.normal());
  for (int i = 0; i < 4 * n; ++i) g.quats.push_back(random.normal());
  for (int i = 0; i < 3 * n; ++i) g.log_scales.push_back(random.normal());
  for (int i = 0; i < n; ++i) g.opacity_logits.push_back(random.normal());
  for (int i = 0; i < 48 * n; ++i) g.sh.push_back(random.normal());
  return g;
}

class Ply : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }
  std::string refusal(const std::string& content) {
    std::ofstream(path_, std::ios::binary) << content;
    try {
      read_ply(path_);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kBadFile);
      return error.what();
    }
    return "";
  }
  std::string written(int n) {
    write_ply(path_, random_gaussians(n));
    return read_text(path_);
  }
  fs::path folder_ = fs::temp_directory_path() / fmt::format("mien_ply_{}", ::getpid());
  fs::path path_ = folder_ / "a.ply";
};

TEST_F(Ply, ComesBackUnchanged) {
  const Gaussians g = random_gaussians(37);
  write_ply(path_, g);
  const Gaussians back = read_ply(path_);
  EXPECT_EQ(back.means, g.means);
  EXPECT_EQ(back.quats, g.quats);
  EXPECT_EQ(back.log_scales, g.log_scales);
  EXPECT_EQ(back.opacity_logits, g.opacity_logits);
  EXPECT_EQ(back.sh, g.sh);
}

TEST_F(Ply, HasTheLayoutThatViewersExpect) {
  const Gaussians g = random_gaussians(3);
  const std::string text = written(3);
  const std::string end = "end_header\n";
  const std::size_t data = text.find(end) + end.size();
  EXPECT_EQ(text.substr(0, data).find("element vertex 3\nproperty float x\nproperty float y\nproperty float z\n"
                                      "property float nx\n"),
            std::string("ply\nformat binary_little_endian 1.0\n").size());
  ASSERT_EQ(text.size() - data, 3u * 62 * 4);
  std::vector<float> row(62);
  std::memcpy(row.data(), text.data() + data + 62 * 4, 62 * 4);  // the second Gaussian
  EXPECT_EQ(row[0], g.means[3]);
  EXPECT_EQ(row[6], g.sh[48]);               // f_dc_0
  EXPECT_EQ(row[9], g.sh[48 + 3]);           // f_rest_0: red of coefficient 1
  EXPECT_EQ(row[9 + 1], g.sh[48 + 6]);       // f_rest_1: red of coefficient 2
  EXPECT_EQ(row[9 + 15], g.sh[48 + 3 + 1]);  // f_rest_15: green of coefficient 1
  EXPECT_EQ(row[54], g.opacity_logits[1]);
  EXPECT_EQ(row[55], g.log_scales[3]);
  EXPECT_EQ(row[58], g.quats[4]);
}

TEST_F(Ply, ReadsLowerDegreesAndSkipsWhatItDoesNotKnow) {
  std::string text = "ply\nformat binary_little_endian 1.0\ncomment made elsewhere\nelement vertex 1\n";
  for (const char* name : {"rot_0", "rot_1", "rot_2", "rot_3", "x", "y", "z", "f_dc_0", "f_dc_1", "f_dc_2", "opacity",
                           "scale_0", "scale_1", "scale_2"})
    text += std::string("property float ") + name + "\n";
  text += "property uchar red\nend_header\n";
  for (int i = 0; i < 14; ++i) {
    const auto value = static_cast<float>(i);
    text.append(reinterpret_cast<const char*>(&value), 4);
  }
  text += '\7';
  std::ofstream(path_, std::ios::binary) << text;
  const Gaussians g = read_ply(path_);
  EXPECT_EQ(g.quats, (std::vector<float>{0, 1, 2, 3}));
  EXPECT_EQ(g.means, (std::vector<float>{4, 5, 6}));
  EXPECT_EQ(g.sh[2], 9);
  EXPECT_EQ(g.sh[3], 0);
  EXPECT_EQ(g.log_scales, (std::vector<float>{11, 12, 13}));
}

TEST_F(Ply, HostileFilesAreRefused) {
  const std::string good = written(5);
  EXPECT_NE(refusal(""), "");
  EXPECT_NE(refusal("ply\n"), "");
  EXPECT_NE(refusal("solid cube"), "");
  EXPECT_NE(refusal(good.substr(0, good.size() - 1)), "");
  auto with = [&good](const std::string& from, const std::string& to) {
    std::string text = good;
    return text.replace(text.find(from), from.size(), to);
  };
  EXPECT_NE(refusal(with("vertex 5", "vertex 99999999999999999999999")), "");
  EXPECT_NE(refusal(with("vertex 5", "vertex 4611686018427387904")), "");
  EXPECT_NE(refusal(with("vertex 5", "vertex -5")), "");
  EXPECT_NE(refusal(with("binary_little_endian", "ascii")), "");
  EXPECT_NE(refusal(with("property float x", "property list uchar int x")), "");
  EXPECT_NE(refusal(with("property float opacity", "property float opaque")), "");
  EXPECT_NE(refusal(with("property float f_rest_44", "property float f_rest_99")), "");
  std::string text = good;
  const float bad = std::numeric_limits<float>::quiet_NaN();
  text.replace(text.size() - 4, 4, reinterpret_cast<const char*>(&bad), 4);
  EXPECT_NE(refusal(text).find("rot_3 of Gaussian 4"), std::string::npos);
}

TEST_F(Ply, UnequalArraysAreRefused) {
  Gaussians g = random_gaussians(3);
  g.quats.pop_back();
  EXPECT_THROW(write_ply(path_, g), Error);
  EXPECT_FALSE(fs::exists(path_));
}

}  // namespace
}  // namespace mien
