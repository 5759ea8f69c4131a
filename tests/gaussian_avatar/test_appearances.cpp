#include <gtest/gtest.h>

#include <cmath>

#include "gaussian_avatar/simple_head.h"
#include "mien/base/error.h"
#include "mien/base/random.h"
#include "mien/gaussian_avatar/gaussian_avatar.h"
#include "mien/gaussian_avatar/initialise.h"

namespace mien {
namespace {

const std::vector<std::string> kNames = {"beach", "studio", "a:b"};

TEST(AppearanceMix, ReadsNamesAndShares) {
  EXPECT_EQ(parse_appearance_mix("studio", kNames), (AppearanceMix{0, 1, 0}));
  EXPECT_EQ(parse_appearance_mix("a:b", kNames), (AppearanceMix{0, 0, 1}));
  const AppearanceMix mix = parse_appearance_mix("beach:1,a:b:3", kNames);
  EXPECT_FLOAT_EQ(mix[0], 0.25f);
  EXPECT_FLOAT_EQ(mix[2], 0.75f);
}

TEST(AppearanceMix, RefusesWhatItDoesNotKnowAndListsTheNames) {
  for (const char* bad : {"", "moon", "beach:x", "beach:-1", "beach:0", "beach:nan", "beach:0.5,beach:0.5", "beach,",
                          "beach:1e30", "beach:0.3;studio:0.7"}) {
    try {
      parse_appearance_mix(bad, kNames);
      FAIL() << bad;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kBadArgument);
      EXPECT_NE(error.mend().find("beach, studio, a:b"), std::string::npos) << error.what();
    }
  }
}

TEST(AppearanceMix, OfOneNeedsNoMixture) {
  try {
    parse_appearance_mix("moon", {"beach"});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.mend(), "there is only \"beach\"");
  }
}

GaussianAvatar dressed_ball() {
  GaussianAvatar avatar;
  avatar.head = simple_head();
  Random random(4);
  constexpr int kCount = 50;
  for (int i = 0; i < kCount; ++i) {
    for (int k = 0; k < 3; ++k) avatar.gaussians.means.push_back(0.1f * random.normal());
    for (int k = 0; k < 4; ++k) avatar.gaussians.quats.push_back(random.normal());
    for (int k = 0; k < 3; ++k) avatar.gaussians.log_scales.push_back(-5);
    avatar.gaussians.opacity_logits.push_back(random.normal());
    for (int k = 0; k < 48; ++k) avatar.gaussians.sh.push_back(random.normal());
  }
  avatar.anchors.resize(kCount, {{0, 1, 2, 0}, {0.2f, 0.3f, 0.5f, 0}});
  make_appearances(avatar, kNames, {}, 3);
  for (std::vector<float>& shift : avatar.looks.shift)
    for (float& v : shift) v = random.normal();
  return avatar;
}

TEST(Dress, AddsTheResidualsOfOneAppearance) {
  const GaussianAvatar avatar = dressed_ball();
  const GaussianAvatar worn = dress(avatar, 1);
  EXPECT_TRUE(worn.looks.empty());
  EXPECT_EQ(worn.gaussians.means, avatar.gaussians.means);
  for (std::size_t i = 0; i < avatar.anchors.size(); ++i) {
    const float* shift = &avatar.looks.shift[1][i * kLookRow];
    for (std::size_t c = 0; c < 48; ++c)
      ASSERT_NEAR(worn.gaussians.sh[i * 48 + c], avatar.gaussians.sh[i * 48 + c] + (c < 12 ? shift[c] : 0), 1e-6f);
    ASSERT_EQ(worn.gaussians.opacity_logits[i], avatar.gaussians.opacity_logits[i] + shift[12]);
  }
}

TEST(Dress, MixturesGoSmoothlyFromOneAppearanceToAnother) {
  const GaussianAvatar avatar = dressed_ball();
  const GaussianAvatar from = dress(avatar, 0), to = dress(avatar, 2);
  GaussianAvatar last = from;
  double longest = 0;
  constexpr int kSteps = 200;
  for (int s = 1; s <= kSteps; ++s) {
    const float t = static_cast<float>(s) / kSteps;
    const GaussianAvatar now = dress(avatar, AppearanceMix{1 - t, 0, t});
    for (std::size_t i = 0; i < now.gaussians.sh.size(); ++i)
      longest = std::max(longest, std::abs(double{now.gaussians.sh[i]} - last.gaussians.sh[i]));
    const auto opacity = [](const GaussianAvatar& a, std::size_t i) {
      return 1 / (1 + std::exp(-a.gaussians.opacity_logits[i]));
    };
    for (std::size_t i = 0; i < avatar.anchors.size(); ++i)
      ASSERT_NEAR(opacity(now, i), (1 - t) * opacity(from, i) + t * opacity(to, i), 1e-5);
    last = now;
  }
  EXPECT_LT(longest, 0.4) << "no jump: from end to end it is 4 and more";
  for (std::size_t i = 0; i < last.gaussians.sh.size(); ++i)
    ASSERT_NEAR(last.gaussians.sh[i], to.gaussians.sh[i], 1e-5f);
}

TEST(Dress, RefusesWeightsThatAreNone) {
  const GaussianAvatar avatar = dressed_ball();
  for (const AppearanceMix& bad :
       {AppearanceMix{1}, AppearanceMix{0.5f, 0.2f, 0.1f}, AppearanceMix{2, -1, 0}, AppearanceMix{std::nanf(""), 0, 1}})
    EXPECT_THROW(dress(avatar, bad), Error);
  GaussianAvatar plain = avatar;
  plain.looks = {};
  EXPECT_EQ(dress(plain, AppearanceMix{}).gaussians.sh, plain.gaussians.sh);
}

TEST(Appearances, RowsFollowTheGaussiansThatAreKept) {
  GaussianAvatar avatar = dressed_ball();
  for (std::size_t a = 0; a < 3; ++a)
    for (std::size_t i = 0; i < avatar.looks.features[a].size(); ++i)
      avatar.looks.features[a][i] = static_cast<float>(i / (kLatent + kDirect));
  const GaussianAvatar before = avatar;
  std::vector<bool> keep(avatar.anchors.size());
  for (std::size_t i = 0; i < keep.size(); ++i) keep[i] = i % 3 == 1;
  keep_gaussians(avatar, keep);
  const std::size_t kept = avatar.anchors.size();
  for (std::size_t a = 0; a < 3; ++a) {
    ASSERT_EQ(avatar.looks.shift[a].size(), kept * kLookRow);
    ASSERT_EQ(avatar.looks.features[a].size(), kept * (kLatent + kDirect));
    for (std::size_t i = 0; i < kept; ++i) {
      EXPECT_EQ(avatar.looks.features[a][i * (kLatent + kDirect) + 7], static_cast<float>(3 * i + 1));
      EXPECT_EQ(avatar.looks.shift[a][i * kLookRow + 5], before.looks.shift[a][(3 * i + 1) * kLookRow + 5]);
    }
  }
}

TEST(Appearances, KindsHaveTheirNames) {
  EXPECT_EQ(parse_appearance_features("none"), AppearanceFeatures::kNone);
  EXPECT_EQ(parse_appearance_features("global"), AppearanceFeatures::kGlobal);
  EXPECT_EQ(parse_appearance_features("local"), AppearanceFeatures::kLocal);
  EXPECT_THROW(parse_appearance_features("each"), Error);
  GaussianAvatar avatar = dressed_ball();
  make_appearances(avatar, kNames, {AppearanceFeatures::kNone, true}, 1);
  EXPECT_TRUE(avatar.looks.empty());
  make_appearances(avatar, {"alone"}, {}, 1);
  EXPECT_TRUE(avatar.looks.empty()) << "one appearance needs nothing";
  make_appearances(avatar, kNames, {AppearanceFeatures::kGlobal, false}, 1);
  EXPECT_EQ(avatar.looks.features[2].size(), static_cast<std::size_t>(kLatent));
  EXPECT_TRUE(avatar.looks.density.empty());
}

}  // namespace
}  // namespace mien
