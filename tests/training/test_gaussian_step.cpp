// The gradient that reaches the colour modes, against finite differences of the whole loss.
#include <gtest/gtest.h>

#include <cmath>

#include "gaussian_avatar/simple_head.h"
#include "mien/base/random.h"
#include "training/gaussian_step.h"

namespace mien {
namespace {

constexpr int kSize = 48;

GaussianAvatar some_gaussians(int count) {
  GaussianAvatar avatar;
  avatar.head = simple_head();
  Random random(5);
  Gaussians& g = avatar.gaussians;
  for (int i = 0; i < count; ++i) {
    for (int k = 0; k < 3; ++k) g.means.push_back(k == 2 ? 0.1f : random.uniform(-0.06f, 0.06f));
    for (int k = 0; k < 4; ++k) g.quats.push_back(random.uniform(0.2f, 1));
    for (int k = 0; k < 3; ++k) g.log_scales.push_back(std::log(random.uniform(0.004f, 0.009f)));
    g.opacity_logits.push_back(random.uniform(-1, 1));
    for (int k = 0; k < kShCoefficients * 3; ++k) g.sh.push_back(random.uniform(0, k < 3 ? 0.5f : 0.03f));
    avatar.anchors.push_back({{0, 1, 2, 0}, {0.5f, 0.25f, 0.25f, 0}});
    if (i % 2 == 0) avatar.modes.gaussian.push_back(i);
  }
  const std::vector<std::int32_t> chosen = avatar.modes.gaussian;
  avatar.modes = face_colour_modes(avatar.head);
  avatar.modes.gaussian = chosen;
  for (std::size_t k = 0; k < chosen.size() * avatar.modes.names.size() * 3; ++k)
    avatar.modes.colour.push_back(random.uniform(0, 0.2f));
  return avatar;
}

TEST(GaussianStep, ModeGradientsAreThoseOfTheLoss) {
  MotionFrame motion;
  motion.expression.assign(kArkitCount, 0.0f);
  motion.expression[static_cast<std::size_t>(arkit_index("browInnerUp"))] = 0.8f;
  motion.expression[static_cast<std::size_t>(arkit_index("mouthPucker"))] = 0.6f;
  TrainingSample sample;
  sample.camera = look_at(Vec3(0, 0, 1), Vec3::Zero(), 0.2f, kSize, kSize);
  sample.motion = &motion;
  sample.rgb.assign(kSize * kSize * 3, 0.0f);  // black: every difference keeps its sign
  sample.matte.assign(kSize * kSize, 1.0f);
  const float background[3] = {0, 0, 0};
  const StepRates still = {0, 0, 0, 0, 0, 0, 0};  // nothing moves
  const GaussianTrainOptions options;
  GaussianAvatar avatar = some_gaussians(12);
  GaussianOptimiser optimiser(avatar, options);
  optimiser.step(sample, background, 3, still);
  // Adam's first moment after one step is a tenth of the gradient.
  const std::vector<float> first = optimiser.groups().back().state.first;
  ASSERT_EQ(std::string(optimiser.groups().back().name), "modes");
  ASSERT_EQ(first.size(), avatar.modes.colour.size());
  const std::vector<float> activations = avatar.modes.activations(motion.expression);
  double error = 0, scale = 0;
  for (std::size_t i = 0; i < first.size(); i += 7) {
    const float analytic = 10 * first[i];
    if (activations[i / 3 % activations.size()] == 0) {
      EXPECT_EQ(analytic, 0) << "a movement that is not there learns nothing";
      continue;
    }
    constexpr float kStep = 0.02f;
    float& value = avatar.modes.colour[i];
    const float before = value;
    value = before + kStep;
    const double up = optimiser.step(sample, background, 3, still).total;
    value = before - kStep;
    const double down = optimiser.step(sample, background, 3, still).total;
    value = before;
    const double numeric = (up - down) / (2 * kStep);
    error += (numeric - analytic) * (numeric - analytic);
    scale += numeric * numeric;
  }
  ASSERT_GT(scale, 0);
  EXPECT_LT(std::sqrt(error / scale), 0.02);
}

}  // namespace
}  // namespace mien
