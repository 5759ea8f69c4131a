#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <fstream>

#include "gaussian_avatar/simple_head.h"
#include "mien/avatar/avatar.h"
#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/base/random.h"

namespace mien {
namespace {

namespace fs = std::filesystem;

Avatar small_avatar() {
  Avatar avatar;
  avatar.name = "test";
  avatar.licence = "CC0";
  avatar.consent = "mine";
  avatar.front = look_at(Vec3(0, 0, 1), Vec3::Zero(), 0.4f, 64, 48);
  avatar.focus = Vec3(0.01f, 0.02f, 0);
  avatar.appearances.push_back({"studio", Image8(8, 8, 3, 77)});
  avatar.metrics = {{"psnr", 30.5}};
  avatar.gaussian.head = simple_head(6, 8);
  Random random(1);
  constexpr int kCount = 20;
  const auto fill = [&](std::vector<float>& values, int width) {
    for (int i = 0; i < kCount * width; ++i) values.push_back(random.uniform(-2, 2));
  };
  Gaussians& g = avatar.gaussian.gaussians;
  fill(g.means, 3);
  fill(g.quats, 4);
  fill(g.log_scales, 3);
  fill(g.opacity_logits, 1);
  fill(g.sh, kShCoefficients * 3);
  for (int i = 0; i < kCount; ++i) avatar.gaussian.anchors.push_back({{i, i + 1, i + 2, 0}, {0.5f, 0.25f, 0.25f, 0}});
  avatar.gaussian.modes = face_colour_modes(avatar.gaussian.head);
  avatar.gaussian.modes.gaussian = {2, 5, 19};
  for (int i = 0; i < 3 * avatar.gaussian.modes.count() * 3; ++i)
    avatar.gaussian.modes.colour.push_back(random.uniform(-0.5f, 0.5f));
  G2aNet& net = avatar.gaussian.g2anet;
  net.options = {8, 2, true, true, true};
  make_g2a_layers(net);
  net.gaussian = {0, 5, 6, 18};
  for (auto* stack : {&net.feature, &net.rotation}) {
    for (G2aLayer& layer : *stack) {
      for (float& w : layer.weight) w = random.uniform(-1, 1);
      for (float& b : layer.bias) b = random.uniform(-1, 1);
    }
  }
  return avatar;
}

class AvatarFile : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder_);
    small_avatar().save(path_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string error_of(const fs::path& path) {
    try {
      Avatar::load(path);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  // The file with one piece of its header text replaced by another of the same length.
  std::string error_after(const std::string& from, const std::string& to) {
    std::string content = read_text(path_);
    const std::size_t at = content.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    EXPECT_EQ(from.size(), to.size());
    content.replace(at, from.size(), to);
    write_file(folder_ / "changed.mien", content.data(), content.size());
    return error_of(folder_ / "changed.mien");
  }
  fs::path folder_ = fs::temp_directory_path() / fmt::format("mien_avatar_{}", ::getpid());
  fs::path path_ = folder_ / "a.mien";
};

Avatar with_looks(int copies) {
  Avatar avatar = small_avatar();
  const Gaussians small = avatar.gaussian.gaussians;
  const std::vector<GaussianAnchor> anchors = avatar.gaussian.anchors;
  for (int c = 1; c < copies; ++c) {
    for (const auto member :
         {&Gaussians::means, &Gaussians::quats, &Gaussians::log_scales, &Gaussians::opacity_logits, &Gaussians::sh}) {
      auto& to = avatar.gaussian.gaussians.*member;
      to.insert(to.end(), (small.*member).begin(), (small.*member).end());
    }
    avatar.gaussian.anchors.insert(avatar.gaussian.anchors.end(), anchors.begin(), anchors.end());
  }
  avatar.appearances.push_back({"beach", {}});
  Random random(3);
  avatar.gaussian.looks.names = avatar.appearance_names();
  for (int a = 0; a < 2; ++a) {
    auto& shift = avatar.gaussian.looks.shift.emplace_back();
    for (std::size_t i = 0; i < avatar.gaussian.anchors.size() * kLookRow; ++i) shift.push_back(random.uniform(-2, 2));
  }
  return avatar;
}

TEST_F(AvatarFile, AppearancesComeBack) {
  for (const int copies : {1, kCompactFrom / 20}) {  // halves, and bytes
    const Avatar avatar = with_looks(copies);
    avatar.save(path_);
    EXPECT_EQ(read_avatar_header(path_).at("version"), 7);
    const Avatar back = Avatar::load(path_);
    EXPECT_EQ(back.gaussian.looks.names, (std::vector<std::string>{"studio", "beach"}));
    ASSERT_EQ(back.gaussian.looks.shift.size(), 2u);
    for (std::size_t a = 0; a < 2; ++a)
      for (std::size_t i = 0; i < avatar.gaussian.looks.shift[a].size(); ++i)
        ASSERT_NEAR(back.gaussian.looks.shift[a][i], avatar.gaussian.looks.shift[a][i], 0.01f);
    EXPECT_EQ(back.appearance_mix(""), (AppearanceMix{1, 0}));
    EXPECT_EQ(back.appearance_mix("beach"), (AppearanceMix{0, 1}));
    EXPECT_THROW(back.appearance_mix("moon"), Error);
  }
}

TEST_F(AvatarFile, TwoAppearancesOfOneNameAreRefused) {
  Avatar avatar = small_avatar();
  avatar.appearances.push_back(avatar.appearances.front());
  avatar.appearances.back().thumbnail = {};
  avatar.save(path_);
  EXPECT_NE(error_of(path_).find("names \"studio\" twice"), std::string::npos) << error_of(path_);
}

TEST_F(AvatarFile, RoundTrip) {
  const Avatar saved = small_avatar();
  const Avatar loaded = Avatar::load(path_);
  EXPECT_EQ(loaded.name, saved.name);
  EXPECT_EQ(loaded.licence, saved.licence);
  EXPECT_EQ(loaded.consent, saved.consent);
  EXPECT_EQ(loaded.metrics, saved.metrics);
  EXPECT_EQ(loaded.appearances.at(0).name, "studio");
  EXPECT_EQ(loaded.appearances.at(0).thumbnail.pixels, saved.appearances.at(0).thumbnail.pixels);
  EXPECT_TRUE(loaded.front.world_to_camera.isApprox(saved.front.world_to_camera, 1e-5f));
  EXPECT_EQ(loaded.gaussian.gaussians.means, saved.gaussian.gaussians.means);
  for (std::size_t i = 0; i < saved.gaussian.gaussians.sh.size(); ++i) {
    EXPECT_NEAR(loaded.gaussian.gaussians.sh[i], saved.gaussian.gaussians.sh[i], 1e-3f);
  }
  EXPECT_EQ(loaded.gaussian.head.vertex_count(), saved.gaussian.head.vertex_count());
  EXPECT_EQ(loaded.gaussian.head.expression_names, saved.gaussian.head.expression_names);
  EXPECT_EQ(loaded.gaussian.anchors.at(7).vertex, saved.gaussian.anchors.at(7).vertex);
  EXPECT_EQ(loaded.gaussian.modes.names, saved.gaussian.modes.names);
  EXPECT_EQ(loaded.gaussian.modes.drivers, saved.gaussian.modes.drivers);
  EXPECT_EQ(loaded.gaussian.modes.gaussian, saved.gaussian.modes.gaussian);
  ASSERT_EQ(loaded.gaussian.modes.colour.size(), saved.gaussian.modes.colour.size());
  for (std::size_t i = 0; i < saved.gaussian.modes.colour.size(); ++i) {
    EXPECT_NEAR(loaded.gaussian.modes.colour[i], saved.gaussian.modes.colour[i], 5e-4f);
  }
  const G2aNet &net = loaded.gaussian.g2anet, &was = saved.gaussian.g2anet;
  EXPECT_EQ(net.gaussian, was.gaussian);
  EXPECT_EQ(net.options.width, 8);
  EXPECT_EQ(net.options.frequencies, 2);
  EXPECT_TRUE(net.options.feature_net && net.options.emotion && net.options.dynamic_opacity);
  const auto expect_layers = [](const std::vector<G2aLayer>& got, const std::vector<G2aLayer>& want) {
    ASSERT_EQ(got.size(), want.size());
    for (std::size_t l = 0; l < want.size(); ++l) {
      ASSERT_EQ(got[l].weight.size(), want[l].weight.size());
      for (std::size_t i = 0; i < want[l].weight.size(); ++i) EXPECT_NEAR(got[l].weight[i], want[l].weight[i], 5e-4f);
      for (std::size_t i = 0; i < want[l].bias.size(); ++i) EXPECT_NEAR(got[l].bias[i], want[l].bias[i], 5e-4f);
    }
  };
  expect_layers(net.feature, was.feature);
  expect_layers(net.rotation, was.rotation);
}

TEST_F(AvatarFile, WithoutNetworksItIsAVersion2FileAsBefore) {
  Avatar plain = small_avatar();
  plain.gaussian.g2anet = {};
  plain.save(path_);
  EXPECT_EQ(read_avatar_header(path_).at("version"), 2);
  EXPECT_FALSE(read_avatar_header(path_).contains("g2anet"));
  EXPECT_TRUE(Avatar::load(path_).gaussian.g2anet.empty());
}

TEST_F(AvatarFile, KeepsThePixelFilter) {
  EXPECT_EQ(Avatar::load(path_).gaussian.pixel_filter, 0.3f) << "files that do not name it";
  Avatar sharp = small_avatar();
  sharp.gaussian.pixel_filter = 0.125f;
  sharp.save(path_);
  EXPECT_EQ(read_avatar_header(path_).at("version"), 6);
  EXPECT_EQ(Avatar::load(path_).gaussian.pixel_filter, 0.125f);
  EXPECT_NE(error_after("\\\"pixel_filter\\\":0.125", "\\\"pixel_filter\\\":-9.25").find("pixel_filter"),
            std::string::npos);
}

TEST_F(AvatarFile, LargeAvatarsAreStoredInBytes) {
  Avatar large = small_avatar();
  large.gaussian.g2anet = {};
  Random random(4);
  GaussianAvatar& avatar = large.gaussian;
  Gaussians& g = avatar.gaussians;
  avatar.anchors.resize(kCompactFrom, avatar.anchors.front());
  g.means.resize(std::size_t{kCompactFrom} * 3, 0.1f);
  g.quats.resize(std::size_t{kCompactFrom} * 4, 1.0f);
  g.log_scales.resize(std::size_t{kCompactFrom} * 3, -6.0f);
  g.opacity_logits.resize(kCompactFrom, 1.0f);
  g.sh.assign(std::size_t{kCompactFrom} * 48, 0.0f);
  for (float& v : g.sh) v = 0.05f * random.normal();
  g.sh[100 * 48 + 7] = 3;  // one that is far beyond the others of its column: clipped
  large.save(path_);
  EXPECT_EQ(read_avatar_header(path_).at("version"), 4);
  EXPECT_LT(fs::file_size(path_), std::size_t{kCompactFrom} * 113 + 200000) << "157 bytes a Gaussian otherwise";
  const Avatar loaded = Avatar::load(path_);
  ASSERT_EQ(loaded.gaussian.gaussians.sh.size(), g.sh.size());
  for (std::size_t i = 0; i < g.sh.size(); ++i) {
    if (i == 100 * 48 + 7) continue;
    ASSERT_NEAR(loaded.gaussian.gaussians.sh[i], g.sh[i], i % 48 < 3 ? 2e-4f : 0.05f * 8 / 127 / 2 * 1.06f) << i;
  }
  EXPECT_NEAR(loaded.gaussian.gaussians.sh[100 * 48 + 7], 0.05f * 8, 0.02f);
  for (std::size_t i = 0; i < avatar.modes.colour.size(); ++i)
    EXPECT_NEAR(loaded.gaussian.modes.colour[i], avatar.modes.colour[i], 0.5f / 127 / 2 * 1.01f);
  // Saved again it stays what it is.
  loaded.save(folder_ / "again.mien");
  const Avatar again = Avatar::load(folder_ / "again.mien");
  for (std::size_t i = 0; i < g.sh.size(); i += 5)  // passes by the clipped one
    ASSERT_NEAR(again.gaussian.gaussians.sh[i], loaded.gaussian.gaussians.sh[i], 4e-3f) << i;
}

TEST_F(AvatarFile, NetworksAreChecked) {
  Avatar avatar = small_avatar();
  avatar.gaussian.g2anet.gaussian = {0, 5, 20};
  avatar.save(path_);
  EXPECT_NE(error_of(path_).find("Gaussian 20"), std::string::npos);
  avatar = small_avatar();
  avatar.gaussian.g2anet.rotation[1].weight[2] = std::nanf("");
  avatar.save(path_);
  EXPECT_NE(error_of(path_).find("g2anet.rotation.1"), std::string::npos);
  avatar = small_avatar();
  avatar.gaussian.g2anet.feature[2].outputs = 4;  // a layer of another shape
  avatar.gaussian.g2anet.feature[2].weight.resize(32);
  avatar.gaussian.g2anet.feature[2].bias.resize(4);
  avatar.save(path_);
  EXPECT_NE(error_of(path_), "");
  avatar = small_avatar();
  avatar.save(path_);
  EXPECT_NE(error_after("\\\"width\\\":8", "\\\"width\\\":9"), "");
  EXPECT_NE(error_after("\\\"width\\\":8", "\\\"width\\\":0").find("wide"), std::string::npos);
  EXPECT_NE(error_after("\\\"frequencies\\\":2", "\\\"frequencies\\\":3"), "");
  EXPECT_NE(error_after("\\\"frequencies\\\":2", "\\\"frequencies\\\":x"), "");
  EXPECT_NE(error_after("\\\"feature_net\\\":true", "\\\"feature_net\\\":null"), "");
}

Avatar hearing_avatar() {
  Avatar avatar = small_avatar();
  avatar.gaussian.modes = {};
  G2aNet& net = avatar.gaussian.g2anet;
  net.options.sound = 7;
  net.hears = "phonetic-80ms-00c0ffee";
  make_g2a_layers(net);
  Random random(5);
  for (auto* stack : {&net.feature, &net.rotation}) {
    for (G2aLayer& layer : *stack) {
      for (float& w : layer.weight) w = random.uniform(-1, 1);
    }
  }
  return avatar;
}

TEST_F(AvatarFile, SaysWhatItHearsWithoutGeometry) {
  const Avatar saved = hearing_avatar();
  saved.save(path_);
  EXPECT_EQ(read_avatar_header(path_).at("version"), 5);
  const G2aNet net = Avatar::load(path_).gaussian.g2anet;
  EXPECT_EQ(net.options.sound, 7);
  EXPECT_EQ(net.hears, saved.gaussian.g2anet.hears);
  ASSERT_EQ(net.rotation.back().outputs, 6);
  const std::vector<float>& was = saved.gaussian.g2anet.rotation[0].weight;
  ASSERT_EQ(net.rotation[0].weight.size(), was.size());
  for (std::size_t i = 0; i < was.size(); ++i) EXPECT_NEAR(net.rotation[0].weight[i], was[i], 5e-4f);
}

TEST_F(AvatarFile, WhatItHearsIsChecked) {
  const auto saved = [&] { hearing_avatar().save(path_); };
  saved();
  EXPECT_NE(error_after("\\\"sound\\\":7", "\\\"sound\\\":6"), "");
  saved();
  EXPECT_NE(error_after("\\\"sound\\\":7", "\\\"sound\\\":0").find("hears 0 features"), std::string::npos);
  saved();
  EXPECT_NE(error_after("\\\"sound\\\":7", "\\\"sxund\\\":7").find("hears 0 features"), std::string::npos);
  saved();
  EXPECT_NE(error_after("\\\"sound\\\":7", "\\\"sound\\\":x"), "");
  saved();
  EXPECT_NE(error_after("\\\"hears\\\":\\\"phonetic-80ms-00c0ffee\\\"", "\\\"hears\\\":10000000000000000000000000")
                .find("hears"),
            std::string::npos);
  Avatar avatar = hearing_avatar();
  avatar.gaussian.g2anet.options.sound = 1000000;  // more than any layer has: refused before anything is allocated
  avatar.save(path_);
  EXPECT_NE(error_of(path_).find("1000000"), std::string::npos);
  avatar.gaussian.g2anet.options.sound = -1;
  avatar.save(path_);
  EXPECT_NE(error_of(path_), "");
  avatar.gaussian.g2anet.options.sound = 7;
  avatar.gaussian.g2anet.hears = "";
  avatar.save(path_);
  EXPECT_NE(error_of(path_).find("hears 7 features"), std::string::npos);
}

TEST_F(AvatarFile, WithoutColourModesItIsAVersion1FileAsBefore) {
  Avatar plain = small_avatar();
  plain.gaussian.modes = {};
  plain.gaussian.g2anet = {};
  plain.save(path_);
  EXPECT_EQ(read_avatar_header(path_).at("version"), 1);
  EXPECT_FALSE(read_avatar_header(path_).contains("colour_modes"));
  EXPECT_EQ(Avatar::load(path_).gaussian.modes.count(), 0);
}

TEST_F(AvatarFile, ColourModesAreChecked) {
  Avatar avatar = small_avatar();
  avatar.gaussian.modes.gaussian = {2, 5, 20};
  avatar.save(path_);
  EXPECT_NE(error_of(path_).find("Gaussian 20"), std::string::npos);
  avatar.gaussian.modes.gaussian = {5, 2, 19};
  avatar.save(path_);
  EXPECT_NE(error_of(path_).find("Gaussian 2 after 5"), std::string::npos);
  avatar = small_avatar();
  avatar.gaussian.modes.colour[3] = std::nanf("");
  avatar.save(path_);
  EXPECT_NE(error_of(path_).find("not numbers"), std::string::npos);
  avatar = small_avatar();
  avatar.save(path_);
  EXPECT_NE(error_after("\\\"pucker\\\"", "\\\"puck\\\",1"), "") << "a name that is none";
}

TEST_F(AvatarFile, HeaderAloneSaysWhatItIs) {
  const Json header = read_avatar_header(path_);
  EXPECT_EQ(header.at("name"), "test");
  EXPECT_EQ(header.at("gaussians"), 20);
  EXPECT_EQ(header.at("version"), 3);
}

TEST_F(AvatarFile, EveryTruncationIsRefused) {
  const std::string content = read_text(path_);
  const fs::path cut = folder_ / "cut.mien";
  for (std::size_t length = 0; length < content.size(); length += 1 + length / 50) {
    write_file(cut, content.data(), length);
    EXPECT_NE(error_of(cut), "") << "cut to " << length << " of " << content.size() << " bytes";
  }
}

TEST_F(AvatarFile, DamageAndHostileHeadersAreRefused) {
  EXPECT_EQ(error_after("\\\"version\\\":3", "\\\"version\\\":3"), "");  // the replacement itself does no harm
  EXPECT_NE(error_after("\\\"version\\\":3", "\\\"version\\\":9").find("newer Mien"), std::string::npos);
  EXPECT_NE(error_after("mien-avatar", "miem-avatar").find("not a Mien avatar"), std::string::npos);
  EXPECT_NE(error_after("\\\"renderer\\\":\\\"gaussians", "\\\"renderer\\\":\\\"gausszzns").find("renderer"),
            std::string::npos);
  EXPECT_NE(error_after("\"shape\":[20,3]", "\"shape\":[99,3]"), "");
  EXPECT_NE(error_of(folder_ / "absent.mien").find("absent.mien"), std::string::npos);
}

TEST_F(AvatarFile, AnchorsAndNumbersAreChecked) {
  Avatar avatar = small_avatar();
  avatar.gaussian.anchors[3].vertex[1] = 100000;
  avatar.save(path_);
  EXPECT_NE(error_of(path_).find("vertex 100000"), std::string::npos);
  avatar = small_avatar();
  avatar.gaussian.gaussians.means[4] = std::nanf("");
  avatar.save(path_);
  EXPECT_NE(error_of(path_).find("not numbers"), std::string::npos);
}

TEST(AvatarNames, UnknownOnesListWhatExists) {
  const Avatar avatar = small_avatar();
  EXPECT_EQ(avatar.appearance_index("studio"), 0);
  try {
    avatar.appearance_index("beach");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("it has: studio"), std::string::npos);
  }
  EXPECT_THROW(find_avatar("no-such-avatar"), Error);
}

TEST(Prune, KeepsOrderAndDropsTheTransparent) {
  GaussianAvatar avatar = small_avatar().gaussian;
  const Gaussians before = avatar.gaussians;
  for (int i = 0; i < 20; i += 2) avatar.gaussians.opacity_logits[i] = -9;
  EXPECT_EQ(prune_gaussians(avatar, 0.01f), 10);
  ASSERT_EQ(avatar.gaussians.count(), 10);
  EXPECT_EQ(avatar.gaussians.means[3 * 4 + 1], before.means[3 * 9 + 1]);
  EXPECT_EQ(avatar.gaussians.sh[48 * 2 + 5], before.sh[48 * 5 + 5]);
  EXPECT_EQ(avatar.anchors[1].vertex[0], 3);
}

}  // namespace
}  // namespace mien
