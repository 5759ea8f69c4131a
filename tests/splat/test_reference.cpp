// The oracle itself: its gradients against central differences, in double.
#include <gtest/gtest.h>

#include <cmath>

#include "splat/reference.h"
#include "splat/splat_scenes.h"

namespace mien::splat {
namespace {

double loss(const ReferenceImage<double>& image, const std::vector<double>& d_rgb, const std::vector<double>& d_alpha) {
  double sum = 0;
  for (std::size_t i = 0; i < d_rgb.size(); ++i) sum += image.rgb[i] * d_rgb[i];
  for (std::size_t i = 0; i < d_alpha.size(); ++i) sum += image.alpha[i] * d_alpha[i];
  return sum;
}

// Compares every k-th gradient with a central difference. The image jumps where a Gaussian crosses the alpha floor or
// the transmittance stop; two step sizes tell such jumps (they disagree) from wrong derivatives (they agree).
void check(ReferenceScene<double>& scene, const ReferenceCamera<double>& camera, std::vector<double>& values,
           const std::vector<double>& gradient, std::size_t stride, const std::vector<double>& d_rgb,
           const std::vector<double>& d_alpha, const char* what) {
  double scale = 0;
  for (const double g : gradient) scale = std::max(scale, std::abs(g));
  ASSERT_GT(scale, 0) << what;
  int compared = 0, jumps = 0;
  for (std::size_t i = 0; i < values.size(); i += stride) {
    const double saved = values[i];
    auto difference = [&](double step) {
      values[i] = saved + step;
      const double up = loss(reference_forward(scene, camera), d_rgb, d_alpha);
      values[i] = saved - step;
      const double down = loss(reference_forward(scene, camera), d_rgb, d_alpha);
      values[i] = saved;
      return (up - down) / (2 * step);
    };
    const double coarse = difference(1e-6), fine = difference(2.5e-7);
    if (std::abs(coarse - fine) > 1e-5 * scale) {
      ++jumps;
      continue;
    }
    ++compared;
    EXPECT_NEAR(gradient[i], fine, 1e-5 * scale + 1e-4 * std::abs(fine)) << what << " " << i;
  }
  EXPECT_GT(compared, 4 * jumps) << what;
}

void check_all(const TestScene& test_scene) {
  auto scene = reference_scene<double>(test_scene);
  const auto camera = reference_camera<double>(test_scene);
  auto doubles = [](const std::vector<float>& v) { return std::vector<double>(v.begin(), v.end()); };
  const auto d_rgb = doubles(random_values(3 * test_scene.pixels(), 5));
  const auto d_alpha = doubles(random_values(test_scene.pixels(), 6));
  const auto g = reference_backward(scene, camera, d_rgb, d_alpha);
  check(scene, camera, scene.means, g.means, 1, d_rgb, d_alpha, "means");
  check(scene, camera, scene.quats, g.quats, 1, d_rgb, d_alpha, "quats");
  check(scene, camera, scene.scales, g.scales, 1, d_rgb, d_alpha, "scales");
  check(scene, camera, scene.opacities, g.opacities, 1, d_rgb, d_alpha, "opacities");
  check(scene, camera, scene.sh, g.sh, 7, d_rgb, d_alpha, "sh");
}

TEST(SplatReference, GradientsMatchDifferences) {
  check_all(random_scene(24, 28, 20, 1));
}

TEST(SplatReference, GradientsMatchDifferencesUnderDeformation) {
  check_all(random_scene(24, 28, 20, 2, true));
}

TEST(SplatReference, GradientsMatchDifferencesWhereTheJacobianIsClamped) {
  TestScene scene = random_scene(12, 24, 20, 3);
  for (int n = 0; n < 12; ++n) {  // wide Gaussians whose centres lie far outside the picture
    scene.means[3 * n + n % 2] += 0.9f;
    for (int a = 0; a < 3; ++a) scene.scales[3 * n + a] = 0.2f + 0.1f * static_cast<float>(a);
  }
  check_all(scene);
}

}  // namespace
}  // namespace mien::splat
