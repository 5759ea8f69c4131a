#include <gtest/gtest.h>

#include "g2a_reference.h"
#include "mien/base/error.h"
#include "mien/gaussian_avatar/initialise.h"

namespace mien {
namespace {

constexpr int kSize = 64;

std::vector<float> draw(const GaussianAvatar& avatar, const MotionFrame& frame) {
  GaussianRenderer renderer(avatar);
  std::vector<float> rgb(kSize * kSize * 3), alpha(kSize * kSize);
  const Camera camera = look_at(Vec3(0, 0, 1), Vec3::Zero(), 0.3f, kSize, kSize);
  renderer.render(frame, camera, SplatOptions{}, rgb.data(), alpha.data());
  return rgb;
}

struct Applied {
  std::vector<float> sh, quats, opacities;
};

Applied apply(const GaussianAvatar& avatar, const MotionFrame& frame) {
  SurfaceFrames frames(avatar.head);
  frames.update(frame);
  Applied out{avatar.gaussians.sh, avatar.gaussians.quats, std::vector<float>(avatar.gaussians.opacity_logits.size())};
  G2aInference inference(avatar);
  inference.apply(frames.unposed(), frame, out.sh.data(), out.quats.data(), out.opacities.data());
  return out;
}

void expect_reference(const G2aOptions& options, int count) {
  const GaussianAvatar avatar = avatar_with_networks(count, options);
  const MotionFrame frame = moved_face();
  SurfaceFrames frames(avatar.head);
  frames.update(frame);
  const Applied got = apply(avatar, frame);
  const G2aReference want = reference_g2a(avatar, double_weights(avatar.g2anet), frames.unposed(), frame.emotion);
  double change = 0;
  for (std::size_t i = 0; i < got.sh.size(); ++i) {
    ASSERT_NEAR(got.sh[i], avatar.gaussians.sh[i] + want.sh[i], 3e-5) << i;
    change = std::max(change, std::abs(want.sh[i]));
  }
  EXPECT_EQ(change > 0.05, options.feature_net);
  change = 0;
  for (std::size_t i = 0; i < got.quats.size(); ++i) {
    ASSERT_NEAR(got.quats[i], want.quats[i], 2e-5) << i;
    change = std::max(change, std::abs(want.quats[i] - avatar.gaussians.quats[i]));
  }
  EXPECT_GT(change, 0.05);
  if (!options.dynamic_opacity) return;
  for (const std::int32_t i : avatar.g2anet.gaussian) {
    const double logit = avatar.gaussians.opacity_logits[static_cast<std::size_t>(i)] + want.opacity[i];
    ASSERT_NEAR(got.opacities[i], 1 / (1 + std::exp(-logit)), 2e-5);
  }
}

TEST(G2aNet, InferenceIsThatOfThePlainNetworks) {
  expect_reference({}, 400);
  expect_reference({24, 3, true, true, true}, 131);  // a width that is no whole vector
  expect_reference({16, 0, false, true, false}, 67);
  expect_reference({40, 8, true, false, true}, 90);
}

TEST(G2aNet, FreshNetworksLeaveTheAvatarAsItIsToTheLastBit) {
  for (const bool opacity : {false, true}) {
    G2aOptions options;
    options.dynamic_opacity = opacity;
    GaussianAvatar with = avatar_with_networks(600, options);
    with.g2anet = make_g2anet(with, options, 3);
    with.modes = face_colour_modes(with.head);
    with.modes.gaussian = with.g2anet.gaussian;
    with.modes.colour.assign(with.modes.gaussian.size() * with.modes.names.size() * 3, 0.05f);
    GaussianAvatar without = with;
    without.g2anet = {};
    MotionFrame frame = moved_face();
    frame.expression.resize(kArkitCount, 0.4f);
    EXPECT_EQ(draw(with, frame), draw(without, frame));
    with.g2anet.feature.back().bias[0] = 0.1f;
    EXPECT_NE(draw(with, frame), draw(without, frame));
  }
}

TEST(G2aNet, LooksAtEmotionAndFaceButNotAtThePose) {
  G2aOptions options;
  const GaussianAvatar avatar = avatar_with_networks(200, options);
  options.emotion = false;
  GaussianAvatar unfeeling = avatar;
  unfeeling.g2anet.options.emotion = false;
  const MotionFrame frame = moved_face();
  MotionFrame turned = frame, calm = frame, still = frame;
  turned.pose.root = Quat(Eigen::AngleAxisf(-0.4f, Vec3::UnitX()));
  turned.pose.translation = Vec3(0.1f, 0.2f, 0);
  calm.emotion = {1, 0, 0, 0, 0, 0, 0, 0};
  still.expression = {};
  EXPECT_EQ(apply(avatar, turned).sh, apply(avatar, frame).sh);
  EXPECT_NE(apply(avatar, calm).sh, apply(avatar, frame).sh);
  EXPECT_NE(apply(avatar, still).sh, apply(avatar, frame).sh);
  EXPECT_EQ(apply(unfeeling, calm).sh, apply(unfeeling, frame).sh);
}

TEST(G2aNet, PlacesAreUvWhereTheHeadHasThem) {
  GaussianAvatar avatar = avatar_with_networks(50, {});
  const auto row = static_cast<std::size_t>(g2a_place_count({}));
  TriangleMesh& mesh = avatar.head.mesh;
  for (const Vec3& p : mesh.positions) mesh.uv.emplace_back(0.5f + 4 * p.x(), 0.5f + 4 * p.y());  // linear: exact
  mesh.face_uv = mesh.faces;
  avatar.head.face_part.assign(mesh.faces.size(), HeadPart::kTongue);
  const std::vector<float> places = g2a_places(avatar);
  ASSERT_EQ(places.size(), row * avatar.g2anet.gaussian.size());
  for (std::size_t k = 0; k < avatar.g2anet.gaussian.size(); ++k) {
    const float* place = &places[k * row];
    const float* mean = &avatar.gaussians.means[static_cast<std::size_t>(avatar.g2anet.gaussian[k]) * 3];
    EXPECT_NEAR(place[0], 0.5f + 4 * mean[0], 1e-5f);
    EXPECT_NEAR(place[1], 0.5f + 4 * mean[1], 1e-5f);
    EXPECT_NEAR(place[2], std::sin(3.14159265f * place[0]), 1e-5f);
    EXPECT_NEAR(place[2 + 4 * 3 + 3], std::cos(8 * 3.14159265f * place[1]), 1e-4f);
    for (int part = 0; part < kG2aPartCount; ++part) {
      EXPECT_EQ(place[row - kG2aPartCount + part], part == static_cast<int>(HeadPart::kTongue) ? 1 : 0);
    }
  }
}

TEST(G2aNet, FollowsItsGaussiansWhenOthersGo) {
  GaussianAvatar avatar = avatar_with_networks(60, {});
  const GaussianAvatar before = avatar;
  std::vector<bool> keep(60);
  for (int i = 0; i < 60; ++i) keep[i] = i % 3 != 0;
  keep_gaussians(avatar, keep);
  ASSERT_EQ(avatar.g2anet.gaussian, facial_gaussians(avatar));
  ASSERT_LT(avatar.g2anet.gaussian.size(), before.g2anet.gaussian.size());
  const std::vector<float> all = apply(before, moved_face()).quats, fewer = apply(avatar, moved_face()).quats;
  for (int i = 0, kept = 0; i < 60; ++i) {
    if (!keep[i]) continue;
    for (int c = 0; c < 4; ++c) EXPECT_NEAR(fewer[kept * 4 + c], all[i * 4 + c], 1e-6f);
    ++kept;
  }
}

TEST(G2aNet, OptionsOutOfRangeAreRefused) {
  const auto refused = [](const G2aOptions& options) {
    G2aNet net;
    net.options = options;
    EXPECT_THROW(make_g2a_layers(net), Error);
  };
  refused({0});
  refused({257});
  refused({32, -1});
  refused({32, 13});
  refused({32, 6, false, true, true});
}

}  // namespace
}  // namespace mien
