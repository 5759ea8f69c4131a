// The LibTorch operation, on the CPU and on a GPU, against the plain call on the CPU.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "mien/base/error.h"
#include "mien/splat/autograd.h"
#include "mien/splat/cuda.h"
#include "splat/splat_scenes.h"

namespace mien::splat {
namespace {

at::Tensor tensor(const std::vector<float>& values, std::vector<std::int64_t> shape, c10::Device device = at::kCPU) {
  return at::from_blob(const_cast<float*>(values.data()), shape, at::kFloat).clone().to(device);
}

class DifferentiableSplats : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!device_.is_cuda()) return;
    if (!cuda_missing().empty()) GTEST_SKIP() << cuda_missing();
    if (!at::hasCUDA()) GTEST_SKIP() << "this LibTorch has no CUDA";
  }
  const c10::Device device_{std::string(GetParam())};
};

struct Leaves {
  at::Tensor means, quats, scales, opacities, sh, deformation;
  Leaves(const TestScene& s, c10::Device device) {
    const std::int64_t n = s.count();
    means = tensor(s.means, {n, 3}, device).requires_grad_();
    quats = tensor(s.quats, {n, 4}, device).requires_grad_();
    scales = tensor(s.scales, {n, 3}, device).requires_grad_();
    opacities = tensor(s.opacities, {n}, device).requires_grad_();
    sh = tensor(s.sh, {n, 16, 3}, device).requires_grad_();
    if (!s.deformation.empty()) deformation = tensor(s.deformation, {n, 3, 3}, device);
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
  const at::Tensor truth = tensor(expected, {got.numel()});
  if (got.device().is_cpu()) {
    EXPECT_TRUE(at::allclose(got.reshape({-1}), truth, 1e-5, 1e-6));
  } else {  // sums in another order, and a pixel may fall on the other side of a threshold
    EXPECT_LE((got.reshape({-1}).cpu() - truth).norm().item<float>(), 2e-3f * truth.norm().item<float>());
  }
}

void expect_equal(const Leaves& leaves, const TestGradients& expected) {
  expect_equal(leaves.means.grad(), expected.means);
  expect_equal(leaves.quats.grad(), expected.quats);
  expect_equal(leaves.scales.grad(), expected.scales);
  expect_equal(leaves.opacities.grad(), expected.opacities);
  expect_equal(leaves.sh.grad(), expected.sh);
}

TEST_P(DifferentiableSplats, MatchesThePlainCallEvenWithTwoPicturesAlive) {
  const TestScene a = random_scene(120, 40, 56, 1), b = random_scene(150, 64, 32, 2, true);
  const auto a_rgb = random_values(3 * a.pixels(), 3), b_rgb = random_values(3 * b.pixels(), 4);
  const auto a_alpha = random_values(a.pixels(), 5), b_alpha = random_values(b.pixels(), 6);
  const Expected expected_a(a, a_rgb, a_alpha), expected_b(b, b_rgb, b_alpha);
  const Leaves leaves_a(a, device_), leaves_b(b, device_);
  DifferentiableSplat splat;
  for (int repeat = 0; repeat < 2; ++repeat) {  // the second time with rasterisers lent before
    for (const Leaves* l : {&leaves_a, &leaves_b})
      for (const at::Tensor& t : {l->means, l->quats, l->scales, l->opacities, l->sh}) t.mutable_grad() = at::Tensor();
    const auto image_a = leaves_a.draw(splat, a), image_b = leaves_b.draw(splat, b);
    expect_equal(image_a.first, expected_a.rgb);
    expect_equal(image_b.second, expected_b.alpha);
    auto loss = [](const auto& image, const std::vector<float>& d_rgb, const std::vector<float>& d_alpha) {
      return (image.first * tensor(d_rgb, image.first.sizes().vec(), image.first.device())).sum() +
             (image.second * tensor(d_alpha, image.second.sizes().vec(), image.first.device())).sum();
    };
    loss(image_a, a_rgb, a_alpha).backward();
    loss(image_b, b_rgb, b_alpha).backward();
    expect_equal(leaves_a, expected_a.gradients);
    expect_equal(leaves_b, expected_b.gradients);
  }
}

TEST_P(DifferentiableSplats, WorksWithoutAGradientOfAlphaAndAfterItsOwner) {
  const TestScene scene = random_scene(50, 32, 32, 7);
  const Leaves leaves(scene, device_);
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

TEST_P(DifferentiableSplats, RefusesOtherShapesAndTypes) {
  const TestScene scene = random_scene(20, 32, 32, 8);
  DifferentiableSplat splat;
  Leaves leaves(scene, device_);
  leaves.quats = at::zeros({20, 3}, device_);
  EXPECT_THROW(leaves.draw(splat, scene), Error);
  leaves.quats = at::zeros({20, 4}, at::device(device_).dtype(at::kDouble));
  EXPECT_THROW(leaves.draw(splat, scene), Error);
}

TEST_P(DifferentiableSplats, TakesSlicesThatAreNotAligned) {
  const TestScene scene = random_scene(30, 32, 32, 9);
  DifferentiableSplat splat;
  Leaves leaves(scene, device_);
  const at::Tensor expected = leaves.draw(splat, scene).first;
  for (at::Tensor* t : {&leaves.quats, &leaves.sh}) {
    const at::Tensor longer = at::cat({at::zeros({1}, t->options()), t->detach().reshape({-1})});
    *t = longer.narrow(0, 1, t->numel()).view(t->sizes());
  }
  EXPECT_TRUE(leaves.draw(splat, scene).first.equal(expected));
}

INSTANTIATE_TEST_SUITE_P(Devices, DifferentiableSplats, testing::Values("cpu", "cuda:0"),
                         [](const auto& p) { return std::string(p.param).substr(0, p.param[1] == 'u' ? 4 : 3); });

}  // namespace
}  // namespace mien::splat
