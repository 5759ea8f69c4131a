#include <gtest/gtest.h>

#include <cmath>

#include "mien/gaussian_avatar/colour_modes.h"
#include "mien/gaussian_avatar/gaussian_avatar.h"
#include "mien/gaussian_avatar/initialise.h"
#include "simple_head.h"

namespace mien {
namespace {

MotionFrame frame_with(std::initializer_list<std::pair<const char*, float>> weights) {
  MotionFrame frame;
  frame.expression.assign(kArkitCount, 0.0f);
  for (const auto& [name, weight] : weights) frame.expression[static_cast<std::size_t>(arkit_index(name))] = weight;
  return frame;
}

float activation(const ColourModes& modes, const std::string& name, const MotionFrame& frame) {
  const auto at = std::find(modes.names.begin(), modes.names.end(), name) - modes.names.begin();
  return modes.activations(frame.expression).at(static_cast<std::size_t>(at));
}

// Five Gaussians in front of a camera; 1 and 3 have modes.
GaussianAvatar five() {
  GaussianAvatar avatar;
  avatar.head = simple_head();
  for (int i = 0; i < 5; ++i) {
    avatar.gaussians.means.insert(avatar.gaussians.means.end(), {0.03f * static_cast<float>(i - 2), 0, 0.1f});
    avatar.gaussians.quats.insert(avatar.gaussians.quats.end(), {1, 0, 0, 0});
    avatar.gaussians.log_scales.insert(avatar.gaussians.log_scales.end(), 3, std::log(0.006f));
    avatar.gaussians.opacity_logits.push_back(1);
    for (int k = 0; k < kShCoefficients * 3; ++k)
      avatar.gaussians.sh.push_back(k < 3 ? 0.1f * static_cast<float>(i) : 0);
    avatar.anchors.push_back({{0, 1, 2, 0}, {1, 0, 0, 0}});
  }
  avatar.modes = face_colour_modes(avatar.head);
  avatar.modes.gaussian = {1, 3};
  for (std::size_t k = 0; k < 2 * avatar.modes.names.size() * 3; ++k)
    avatar.modes.colour.push_back(0.01f * static_cast<float>(k % 17));
  return avatar;
}

TEST(ColourModes, NeutralActivatesNothingAndEachMovementItsOwn) {
  const ColourModes modes = face_colour_modes(simple_head());
  ASSERT_EQ(modes.count(), 13);
  EXPECT_EQ(modes.drivers.size(), 13u * kArkitCount);
  for (const float a : modes.activations({})) EXPECT_EQ(a, 0);
  for (const float a : modes.activations(frame_with({}).expression)) EXPECT_EQ(a, 0);
  EXPECT_NEAR(activation(modes, "brow_down", frame_with({{"browDownLeft", 0.4f}, {"browDownRight", 0.6f}})), 0.5f,
              1e-6f);
  EXPECT_EQ(activation(modes, "brow_down", frame_with({{"jawOpen", 1}})), 0);
  // Lips that stay together over an open jaw do not show the mouth.
  EXPECT_NEAR(activation(modes, "jaw_open", frame_with({{"jawOpen", 0.7f}, {"mouthClose", 0.2f}})), 0.5f, 1e-6f);
  EXPECT_EQ(activation(modes, "jaw_open", frame_with({{"mouthClose", 1}})), 0) << "not below 0";
  EXPECT_EQ(activation(modes, "brow_inner_up", frame_with({{"browInnerUp", 3}})), 1) << "not above 1";
}

TEST(ColourModes, ExpressionsThatAHeadLacksAreLeftOut) {
  HeadModel head = simple_head();
  for (std::string& name : head.expression_names) {
    if (name != "jawOpen") name = "other" + name;
  }
  const ColourModes modes = face_colour_modes(head);
  ASSERT_EQ(modes.names, std::vector<std::string>{"jaw_open"});
}

TEST(ColourModes, RendererAddsThemAndForgetsThemAgain) {
  const GaussianAvatar avatar = five();
  GaussianAvatar plain = avatar;
  plain.modes = {};
  const Camera camera = look_at(Vec3(0, 0, 1), Vec3::Zero(), 0.25f, 64, 64);
  const auto draw = [&](GaussianRenderer& renderer, const MotionFrame& frame) {
    std::vector<float> rgb(64 * 64 * 3), alpha(64 * 64);
    renderer.render(frame, camera, SplatOptions{}, rgb.data(), alpha.data());
    return rgb;
  };
  GaussianRenderer with(avatar), without(plain);
  const MotionFrame neutral = frame_with({});
  const MotionFrame face = frame_with({{"jawOpen", 0.5f}, {"mouthPucker", 1}});
  EXPECT_EQ(draw(with, neutral), draw(without, neutral)) << "the neutral face is the plain one";

  // The same by hand: base + a * colour.
  GaussianAvatar painted = plain;
  const std::vector<float> a = avatar.modes.activations(face.expression);
  for (std::size_t k = 0; k < 2; ++k) {
    for (std::size_t m = 0; m < a.size(); ++m) {
      for (std::size_t c = 0; c < 3; ++c) {
        painted.gaussians.sh[static_cast<std::size_t>(avatar.modes.gaussian[k]) * kShCoefficients * 3 + c] +=
            a[m] * avatar.modes.colour[(k * a.size() + m) * 3 + c];
      }
    }
  }
  GaussianRenderer by_hand(painted);
  const std::vector<float> moved = draw(with, face), wanted = draw(by_hand, face), base = draw(without, face);
  double change = 0;
  for (std::size_t i = 0; i < moved.size(); ++i) {
    EXPECT_NEAR(moved[i], wanted[i], 1e-5f);
    change = std::max<double>(change, std::abs(moved[i] - base[i]));
  }
  EXPECT_GT(change, 0.01);
  EXPECT_EQ(draw(with, neutral), draw(without, neutral)) << "and it comes back";
}

TEST(ColourModes, FollowTheirGaussiansWhenOthersGo) {
  GaussianAvatar avatar = five();
  const std::size_t row = avatar.modes.names.size() * 3;
  const std::vector<float> third(avatar.modes.colour.begin() + static_cast<std::ptrdiff_t>(row),
                                 avatar.modes.colour.end());
  keep_gaussians(avatar, {true, false, false, true, true});
  EXPECT_EQ(avatar.modes.gaussian, std::vector<std::int32_t>{1});
  EXPECT_EQ(avatar.modes.colour, third);
}

}  // namespace
}  // namespace mien
