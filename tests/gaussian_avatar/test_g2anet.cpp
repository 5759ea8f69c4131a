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
  std::vector<float> sh, quats, opacities, means;
};

Applied apply(const GaussianAvatar& avatar, const MotionFrame& frame) {
  SurfaceFrames frames(avatar.head);
  frames.update(frame);
  Applied out{avatar.gaussians.sh, avatar.gaussians.quats, std::vector<float>(avatar.gaussians.opacity_logits.size()),
              avatar.gaussians.means};
  G2aInference inference(avatar);
  inference.apply(frames.unposed(), frame, out.sh.data(), out.quats.data(), out.opacities.data(), out.means.data());
  return out;
}

void expect_reference(const G2aOptions& options, int count) {
  const GaussianAvatar avatar = avatar_with_networks(count, options);
  const MotionFrame frame = moved_face(options.sound);
  SurfaceFrames frames(avatar.head);
  frames.update(frame);
  const Applied got = apply(avatar, frame);
  const G2aReference want = reference_g2a(avatar, double_weights(avatar.g2anet), frames.unposed(), frame);
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
  change = 0;
  for (std::size_t i = 0; i < got.means.size(); ++i) {
    ASSERT_NEAR(got.means[i], avatar.gaussians.means[i] + want.shift[i], 1e-6) << i;
    change = std::max(change, std::abs(want.shift[i]));
  }
  EXPECT_EQ(change > 1e-3, options.sound > 0);
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

TEST(G2aNet, InferenceWithoutGeometryIsThatOfThePlainNetworks) {
  expect_reference({32, 6, true, true, false, 20}, 300);
  expect_reference({24, 3, true, true, true, 1}, 131);
  expect_reference({16, 0, false, false, false, 7}, 67);
}

// The pose moves what the sound moves; the expression moves nothing.
TEST(G2aNet, WithoutGeometryOnlySoundAndPoseMoveTheFace) {
  GaussianAvatar avatar = avatar_with_networks(200, {32, 6, true, true, false, 5});
  const MotionFrame frame = moved_face(5);
  MotionFrame still = frame, other = frame, turned = frame, silent = frame;
  still.expression = {};
  other.sound[2] += 0.5f;
  turned.pose.root = Quat(Eigen::AngleAxisf(-0.3f, Vec3::UnitY()));
  silent.sound = {};
  EXPECT_EQ(draw(avatar, frame), draw(avatar, still));
  EXPECT_NE(draw(avatar, frame), draw(avatar, other));
  EXPECT_NE(draw(avatar, frame), draw(avatar, turned));
  // Silence is the canonical avatar, also after a moment that was none.
  GaussianAvatar canonical = avatar;
  canonical.g2anet = {};
  canonical.g2anet.options.sound = 5;
  const Camera camera = look_at(Vec3(0, 0, 1), Vec3::Zero(), 0.3f, kSize, kSize);
  std::vector<float> rgb(kSize * kSize * 3), alpha(kSize * kSize);
  GaussianRenderer renderer(avatar);
  renderer.render(frame, camera, SplatOptions{}, rgb.data(), alpha.data());
  renderer.render(silent, camera, SplatOptions{}, rgb.data(), alpha.data());
  EXPECT_EQ(rgb, draw(canonical, silent));
  still.expression = {};
  EXPECT_EQ(rgb, draw(canonical, still));
  // Two centimetres to the side for every Gaussian are two centimetres to the side.
  G2aNet& net = avatar.g2anet;
  for (auto* stack : {&net.feature, &net.rotation}) {
    std::fill(stack->back().weight.begin(), stack->back().weight.end(), 0.0f);
    std::fill(stack->back().bias.begin(), stack->back().bias.end(), 0.0f);
  }
  net.rotation.back().bias[3] = 2;
  GaussianAvatar moved = canonical;
  for (const std::int32_t i : net.gaussian) moved.gaussians.means[static_cast<std::size_t>(i) * 3] += 0.02f;
  const std::vector<float> got = draw(avatar, frame), want = draw(moved, frame);
  for (std::size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], want[i], 1e-4f);
  EXPECT_NE(want, draw(canonical, frame));
}

TEST(G2aNet, AnotherNumberOfFeaturesIsRefused) {
  const GaussianAvatar avatar = avatar_with_networks(50, {16, 2, true, true, false, 5});
  EXPECT_THROW(draw(avatar, moved_face(4)), Error);
  EXPECT_NO_THROW(draw(avatar, moved_face(5)));
  EXPECT_NO_THROW(draw(avatar_with_networks(50, {16, 2}), moved_face(4)));  // geometry does not listen
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
  refused({32, 6, true, true, false, -1});
  refused({32, 6, true, true, false, kG2aMostSound + 1});
}

}  // namespace
}  // namespace mien
