// Gaussians that split: where, into what, and what follows them.
#include <gtest/gtest.h>

#include <numeric>

#include "training/avatar_optimiser.h"
#include "training/ball_capture.h"
#include "training/growth.h"

namespace mien {
namespace {

// Three Gaussians on the sphere, the second twice as long along its y axis; the first two have modes.
GaussianAvatar three() {
  GaussianAvatar avatar;
  avatar.head = simple_head();
  avatar.modes = face_colour_modes(avatar.head);
  Gaussians& g = avatar.gaussians;
  for (int i = 0; i < 3; ++i) {
    const Index3& t = avatar.head.mesh.faces[static_cast<std::size_t>(300 + 20 * i)];
    const auto& p = avatar.head.mesh.positions;
    const Vec3 centre = (p[t[0]] + p[t[1]] + p[t[2]]) / 3;
    for (int k = 0; k < 3; ++k) g.means.push_back(centre[k]);
    for (const float q : {1.0f, 0.0f, 0.0f, 0.0f}) g.quats.push_back(q);
    for (int k = 0; k < 3; ++k) g.log_scales.push_back(std::log(i == 1 && k == 1 ? 0.004f : 0.002f));
    g.opacity_logits.push_back(i == 2 ? -6.0f : 1.0f);  // the third has vanished
    for (int k = 0; k < kShCoefficients * 3; ++k) g.sh.push_back(static_cast<float>(i));
    avatar.anchors.push_back({{t[0], t[1], t[2], t[0]}, {0.4f, 0.3f, 0.3f, 0}});
  }
  avatar.modes.gaussian = {0, 1};
  for (std::size_t k = 0; k < 2 * avatar.modes.names.size() * 3; ++k)
    avatar.modes.colour.push_back(k < avatar.modes.names.size() * 3 ? 0.1f : 0.2f);
  return avatar;
}

TEST(Growth, TheWorstIsSplitAlongItsLongestAxisAndTheVanishedGoes) {
  GaussianAvatar avatar = three();
  const Vec3 centre = Eigen::Map<const Vec3>(&avatar.gaussians.means[3]);

  std::vector<ParameterGroup> groups = {{"means", &avatar.gaussians.means, {}, {}},
                                        {"modes", &avatar.modes.colour, {}, {}}};
  groups[0].state.first.resize(9);
  std::iota(groups[0].state.first.begin(), groups[0].state.first.end(), 1.0f);
  groups[0].state.second = groups[0].state.first;
  const std::size_t row = avatar.modes.names.size() * 3;
  groups[1].state.first.assign(2 * row, 3.0f);
  groups[1].state.second.assign(2 * row, 3.0f);
  EXPECT_EQ(grow_gaussians(avatar, groups, {1, 2, 3}, 1), 0) << "one went, one came";
  const Gaussians& g = avatar.gaussians;
  ASSERT_EQ(g.count(), 3);
  const Vec3 a = Eigen::Map<const Vec3>(&g.means[3]), b = Eigen::Map<const Vec3>(&g.means[6]);
  EXPECT_LT(((a + b) / 2 - centre).norm(), 1e-7f);
  EXPECT_NEAR((b - a).y(), 2 * 0.6f * 0.004f, 1e-6f);
  EXPECT_NEAR((b - a).norm(), (b - a).y(), 1e-6f);
  for (const int i : {1, 2}) {
    EXPECT_NEAR(std::exp(g.log_scales[3 * i + 1]), 0.75f * 0.004f, 1e-6f);
    EXPECT_NEAR(std::exp(g.log_scales[3 * i]), 0.002f, 1e-6f);
    EXPECT_EQ(g.sh[static_cast<std::size_t>(i) * 48], 1);
    float sum = 0;
    Vec3 home = Vec3::Zero();
    for (int k = 0; k < 3; ++k) {
      sum += avatar.anchors[i].weight[k];
      home += avatar.anchors[i].weight[k] * avatar.head.mesh.positions[avatar.anchors[i].vertex[k]];
    }
    EXPECT_NEAR(sum, 1, 1e-5f);
    EXPECT_LT((home - (i == 1 ? a : b)).norm(), 0.003f) << "hangs on the triangle below it";
  }
  EXPECT_EQ(avatar.modes.gaussian, (std::vector<std::int32_t>{0, 1, 2}));
  ASSERT_EQ(avatar.modes.colour.size(), 3 * row);
  EXPECT_EQ(avatar.modes.colour[2 * row], 0.2f);
  EXPECT_EQ(groups[0].state.first, (std::vector<float>{1, 2, 3, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(groups[1].state.second.size(), 3 * row);
  EXPECT_EQ(groups[1].state.second[0], 3);
  EXPECT_EQ(groups[1].state.second[row], 0);
}

class CoveredError : public BallCapture {};

TEST_F(CoveredError, GaussiansOfTheWrongColourCoverMost) {
  options_.networks = false;
  options_.dynamic_steps = 60;
  options_.device = Device::kCpu;
  const Capture capture = Capture::load(folder_);
  GaussianAvatar avatar = train_gaussian_avatar(capture, options_, nullptr);
  const SampleReader reader(capture, "train", std::size_t{1} << 26);
  const std::vector<float> before = covered_error(avatar, reader, options_);
  // The one that covers most in front is painted over.
  std::size_t victim = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (avatar.gaussians.means[3 * i + 2] > 0.09f && before[i] > before[victim]) victim = i;
  }
  avatar.gaussians.log_scales[3 * victim] = avatar.gaussians.log_scales[3 * victim + 1] = std::log(0.012f);
  avatar.gaussians.opacity_logits[victim] = 4;
  for (int c = 0; c < 3; ++c) avatar.gaussians.sh[victim * 48 + static_cast<std::size_t>(c)] = c == 1 ? 2.0f : -1.5f;
  const std::vector<float> after = covered_error(avatar, reader, options_);
  EXPECT_GT(after[victim], 3 * before[victim]);
  EXPECT_EQ(std::max_element(after.begin(), after.end()) - after.begin(), static_cast<std::ptrdiff_t>(victim));
}

}  // namespace
}  // namespace mien
