// The LibTorch operation against the plain call.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "mien/base/error.h"
#include "mien/splat/autograd.h"
#include "splat/splat_scenes.h"

namespace mien::splat {
namespace {

at::Tensor tensor(const std::vector<float>& values, std::vector<std::int64_t> shape) {
  return at::from_blob(const_cast<float*>(values.data()), shape, at::kFloat).clone();
}

struct Leaves {
  at::Tensor means, quats, scales, opacities, sh, deformation;
  explicit Leaves(const TestScene& s) {
    const std::int64_t n = s.count();
    means = tensor(s.means, {n, 3}).requires_grad_();
    quats = tensor(s.quats, {n, 4}).requires_grad_();
    scales = tensor(s.scales, {n, 3}).requires_grad_();
    opacities = tensor(s.opacities, {n}).requires_grad_();
    sh = tensor(s.sh, {n, 16, 3}).requires_grad_();
    if (!s.deformation.empty()) deformation = tensor(s.deformation, {n, 3, 3});
  }
  std::pair<at::Tensor, at::Tensor> draw(DifferentiableSplat& splat, const TestScene& s) const {
    return splat(means, quats, scales, opacities, sh, s.camera, s.options, s.sh_degree,
                 deformation.defined() ? &deformation : nullptr);
  }
};

struct Expected {
  std::vector<float> rgb, alpha;
  TestGradients gradients;
  Expected(const TestScene& s, const std::vector<float>& d_rgb, const std::vector<float>& d_alpha)
      : rgb(3 * s.pixels()), alpha(s.pixels()), gradients(s.count()) {
    SplatRasterizer rasterizer;
    rasterizer.forward(s.input(), s.camera, s.options, rgb.data(), alpha.data(), true);
    rasterizer.backward(s.input(), s.camera, s.options, d_rgb.data(), d_alpha.data(), gradients.pointers());
  }
};

void expect_equal(const at::Tensor& got, const std::vector<float>& expected) {
  ASSERT_TRUE(got.defined());
  ASSERT_EQ(got.numel(), static_cast<std::int64_t>(expected.size()));
  EXPECT_TRUE(at::allclose(got.reshape({-1}), tensor(expected, {got.numel()}), 1e-5, 1e-6));
}

void expect_equal(const Leaves& leaves, const TestGradients& expected) {
  expect_equal(leaves.means.grad(), expected.means);
  expect_equal(leaves.quats.grad(), expected.quats);
  expect_equal(leaves.scales.grad(), expected.scales);
  expect_equal(leaves.opacities.grad(), expected.opacities);
  expect_equal(leaves.sh.grad(), expected.sh);
}

TEST(DifferentiableSplat, MatchesThePlainCallEvenWithTwoPicturesAlive) {
  const TestScene a = random_scene(120, 40, 56, 1), b = random_scene(150, 64, 32, 2, true);
  const auto a_rgb = random_values(3 * a.pixels(), 3), b_rgb = random_values(3 * b.pixels(), 4);
  const auto a_alpha = random_values(a.pixels(), 5), b_alpha = random_values(b.pixels(), 6);
  const Expected expected_a(a, a_rgb, a_alpha), expected_b(b, b_rgb, b_alpha);
  const Leaves leaves_a(a), leaves_b(b);
  DifferentiableSplat splat;
  for (int repeat = 0; repeat < 2; ++repeat) {  // the second time with rasterisers lent before
    for (const Leaves* l : {&leaves_a, &leaves_b})
      for (const at::Tensor& t : {l->means, l->quats, l->scales, l->opacities, l->sh}) t.mutable_grad() = at::Tensor();
    const auto image_a = leaves_a.draw(splat, a), image_b = leaves_b.draw(splat, b);
    expect_equal(image_a.first, expected_a.rgb);
    expect_equal(image_b.second, expected_b.alpha);
    auto loss = [](const auto& image, const std::vector<float>& d_rgb, const std::vector<float>& d_alpha) {
      return (image.first * tensor(d_rgb, image.first.sizes().vec())).sum() +
             (image.second * tensor(d_alpha, image.second.sizes().vec())).sum();
    };
    loss(image_a, a_rgb, a_alpha).backward();
    loss(image_b, b_rgb, b_alpha).backward();
    expect_equal(leaves_a, expected_a.gradients);
    expect_equal(leaves_b, expected_b.gradients);
  }
}

TEST(DifferentiableSplat, WorksWithoutAGradientOfAlphaAndAfterItsOwner) {
  const TestScene scene = random_scene(50, 32, 32, 7);
  const Leaves leaves(scene);
  at::Tensor rgb;
  {
    DifferentiableSplat splat;
    rgb = leaves.draw(splat, scene).first;
  }
  rgb.sum().backward();
  const Expected expected(scene, std::vector<float>(3 * scene.pixels(), 1.0f),
                          std::vector<float>(scene.pixels(), 0.0f));
  expect_equal(leaves, expected.gradients);
}

TEST(DifferentiableSplat, RefusesOtherShapesAndTypes) {
  const TestScene scene = random_scene(20, 32, 32, 8);
  DifferentiableSplat splat;
  Leaves leaves(scene);
  leaves.quats = at::zeros({20, 3});
  EXPECT_THROW(leaves.draw(splat, scene), Error);
  leaves.quats = at::zeros({20, 4}, at::kDouble);
  EXPECT_THROW(leaves.draw(splat, scene), Error);
}

}  // namespace
}  // namespace mien::splat
