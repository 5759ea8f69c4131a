// The appearances' gradients against finite differences of a second implementation in double, and what is baked.
#include <gtest/gtest.h>

#include <cmath>

#include "gaussian_avatar/simple_head.h"
#include "mien/base/error.h"
#include "mien/base/random.h"
#include "training/appearance_learner.h"

namespace mien {
namespace {

using Weights = std::vector<std::vector<double>>;  // weight, bias of each layer

GaussianAvatar small_avatar(const AppearanceOptions& options, int count = 150) {
  GaussianAvatar avatar;
  avatar.head = simple_head();
  Random random(4);
  for (int i = 0; i < count; ++i) {
    for (int k = 0; k < 3; ++k) avatar.gaussians.means.push_back(0.1f * random.normal());
    avatar.gaussians.quats.insert(avatar.gaussians.quats.end(), {1, 0, 0, 0});
    for (int k = 0; k < 3; ++k) avatar.gaussians.log_scales.push_back(-5);
    avatar.gaussians.opacity_logits.push_back(random.normal());
    for (int k = 0; k < 48; ++k) avatar.gaussians.sh.push_back(random.normal());
    const Index3& t = avatar.head.mesh.faces[random.below(static_cast<std::uint32_t>(avatar.head.mesh.faces.size()))];
    avatar.anchors.push_back({{t[0], t[1], t[2], t[0]}, {0.2f, 0.3f, 0.5f, 0}});
  }
  make_appearances(avatar, {"one", "two"}, options, 7);
  for (std::vector<float>& features : avatar.looks.features)
    for (float& v : features) v += 0.3f * random.normal();
  for (auto* stack : {&avatar.looks.colour, &avatar.looks.density}) {
    for (G2aLayer& layer : *stack) {
      for (float& w : layer.weight) w += 0.1f * random.normal();  // those that start at zero too
      for (float& b : layer.bias) b = 0.1f * random.normal();
    }
  }
  return avatar;
}

std::vector<double> run(const std::vector<G2aLayer>& stack, const Weights& weights, std::size_t first,
                        std::vector<double> x) {
  for (std::size_t l = 0; l < stack.size(); ++l) {
    std::vector<double> y = weights[first + 2 * l + 1];
    for (int o = 0; o < stack[l].outputs; ++o) {
      for (int i = 0; i < stack[l].inputs; ++i) y[o] += weights[first + 2 * l][o * stack[l].inputs + i] * x[i];
      if (l + 1 < stack.size() && y[o] < 0) y[o] *= 0.1;
    }
    x = y;
  }
  return x;
}

// Residuals [N,13] by the definition in appearances.h.
std::vector<std::vector<double>> reference(const GaussianAvatar& avatar, const std::vector<double>& features,
                                           const Weights& weights) {
  const Appearances& looks = avatar.looks;
  const auto row = static_cast<std::size_t>(looks.feature_row());
  const std::vector<float> places = look_places(avatar);
  const std::size_t place = places.size() / avatar.anchors.size();
  std::vector<std::vector<double>> out;
  for (std::size_t i = 0; i < avatar.anchors.size(); ++i) {
    std::vector<double> x(features.begin() + static_cast<std::ptrdiff_t>(i * row),
                          features.begin() + static_cast<std::ptrdiff_t>(i * row + kLatent));
    const std::vector<double> latent = x;
    for (int c = 0; c < 3; ++c) x.push_back(avatar.gaussians.sh[i * 48 + c]);
    if (row == 0) x.insert(x.end(), &places[i * place], &places[i * place] + place);
    std::vector<double> y = run(looks.colour, weights, 0, x);
    for (std::size_t c = 0; c < 3 && row > 0; ++c) y[c] += features[i * row + kLatent + c];
    y.push_back(0);
    if (!looks.density.empty()) {
      y[12] = run(looks.density, weights, 2 * looks.colour.size(), row == 0 ? x : latent)[0];
      if (row > 0) y[12] += features[i * row + kLatent + 3];
    }
    out.push_back(y);
  }
  return out;
}

Weights double_weights(const Appearances& looks) {
  Weights out;
  for (const auto* stack : {&looks.colour, &looks.density}) {
    for (const G2aLayer& layer : *stack) {
      out.emplace_back(layer.weight.begin(), layer.weight.end());
      out.emplace_back(layer.bias.begin(), layer.bias.end());
    }
  }
  return out;
}

class AppearanceGradients : public testing::TestWithParam<AppearanceOptions> {};
INSTANTIATE_TEST_SUITE_P(Kinds, AppearanceGradients,
                         testing::Values(AppearanceOptions{AppearanceFeatures::kLocal, true},
                                         AppearanceOptions{AppearanceFeatures::kLocal, false},
                                         AppearanceOptions{AppearanceFeatures::kGlobal, true},
                                         AppearanceOptions{AppearanceFeatures::kGlobal, false}),
                         [](const auto& p) {
                           return std::string(p.param.features == AppearanceFeatures::kLocal ? "local" : "global") +
                                  (p.param.density_offset ? "" : "_colour_only");
                         });

TEST_P(AppearanceGradients, AreThoseOfFiniteDifferences) {
  GaussianAvatar avatar = small_avatar(GetParam());
  const auto n = avatar.anchors.size();
  Appearances& looks = avatar.looks;
  AppearanceLearner learner(avatar);
  std::vector<float> sh = avatar.gaussians.sh, logits = avatar.gaussians.opacity_logits;
  learner.apply(1, sh.data(), logits.data());
  const Weights weights = double_weights(looks);
  const std::vector<double> features(looks.features[1].begin(), looks.features[1].end());
  const auto expected = reference(avatar, features, weights);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t c = 0; c < 48; ++c)
      ASSERT_NEAR(sh[i * 48 + c], avatar.gaussians.sh[i * 48 + c] + (c < 12 ? expected[i][c] : 0), 2e-5);
    ASSERT_NEAR(logits[i], avatar.gaussians.opacity_logits[i] + expected[i][12], 2e-5);
  }
  Random random(8);
  std::vector<float> d_sh(sh.size()), d_logits(n);
  for (float& v : d_sh) v = random.normal();
  for (float& v : d_logits) v = random.normal();
  const auto loss = [&](const std::vector<double>& f, const Weights& w) {
    const auto r = reference(avatar, f, w);
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t c = 0; c < 12; ++c) sum += r[i][c] * d_sh[i * 48 + c];
      sum += r[i][12] * d_logits[i];
    }
    return sum;
  };
  std::vector<float> d_features(features.size(), 99.0f);
  std::vector<std::vector<float>> d_weights;
  for (const auto& w : weights) d_weights.emplace_back(w.size(), 99.0f);
  std::vector<std::vector<float>*> views;
  for (auto& g : d_weights) views.push_back(&g);
  learner.backward(1, d_sh.data(), d_logits.data(), d_features, views);
  constexpr double kStep = 1e-5;
  const auto compare = [&](const std::vector<float>& got, const auto& change, const std::string& what) {
    double error = 0, scale = 0;
    const std::size_t stride = 1 + got.size() / 40;
    for (std::size_t k = 0; k < got.size(); k += stride) {
      const double slope = (change(k, kStep) - change(k, -kStep)) / (2 * kStep);
      error += std::pow(got[k] - slope, 2);
      scale += slope * slope;
    }
    EXPECT_GT(scale, 0) << what;
    EXPECT_LT(std::sqrt(error / scale), 1e-3) << what;
  };
  compare(
      d_features,
      [&](std::size_t k, double step) {
        std::vector<double> f = features;
        f[k] += step;
        return loss(f, weights);
      },
      "features");
  for (std::size_t a = 0; a < weights.size(); ++a) {
    compare(
        d_weights[a],
        [&](std::size_t k, double step) {
          Weights w = weights;
          w[a][k] += step;
          return loss(features, w);
        },
        fmt::format("weights {}", a));
  }
}

TEST_P(AppearanceGradients, WhatIsBakedIsWhatIsApplied) {
  GaussianAvatar avatar = small_avatar(GetParam(), 133);
  AppearanceLearner learner(avatar);
  learner.bake();
  for (int a = 0; a < 2; ++a) {
    std::vector<float> sh = avatar.gaussians.sh, logits = avatar.gaussians.opacity_logits;
    learner.apply(a, sh.data(), logits.data());
    const GaussianAvatar worn = dress(avatar, a);
    for (std::size_t i = 0; i < sh.size(); ++i) ASSERT_NEAR(worn.gaussians.sh[i], sh[i], 1e-5f);
    for (std::size_t i = 0; i < logits.size(); ++i) ASSERT_NEAR(worn.gaussians.opacity_logits[i], logits[i], 1e-5f);
  }
}

TEST(AppearanceLearner, FreshAppearancesLookLikeTheGaussians) {
  for (const auto kind : {AppearanceFeatures::kLocal, AppearanceFeatures::kGlobal}) {
    GaussianAvatar avatar = small_avatar({kind, true});
    make_appearances(avatar, {"one", "two", "three"}, {kind, true}, 5);
    bake_appearances(avatar);
    for (const auto& shift : avatar.looks.shift)
      for (const float v : shift) ASSERT_EQ(v, 0);
  }
}

}  // namespace
}  // namespace mien
