// SplatRasterizer over the plain reference; the vector kernels take its place.
#include <cmath>

#include "mien/base/error.h"
#include "mien/splat/gaussians.h"
#include "splat/reference.h"

namespace mien {
namespace {

splat::ReferenceCamera<float> reference_camera(const Camera& camera, const SplatOptions& options) {
  splat::ReferenceCamera<float> out;
  out.width = camera.width;
  out.height = camera.height;
  out.fx = camera.fx;
  out.fy = camera.fy;
  out.cx = camera.cx;
  out.cy = camera.cy;
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) out.rotation[3 * i + j] = camera.world_to_camera(i, j);
    out.translation[i] = camera.world_to_camera(i, 3);
    out.background[i] = options.background[i];
  }
  out.near_plane = options.near_plane;
  out.eps2d = options.eps2d;
  return out;
}

splat::ReferenceScene<float> reference_scene(const SplatInput& in) {
  const std::size_t n = in.count;
  splat::ReferenceScene<float> out;
  out.means.assign(in.means, in.means + 3 * n);
  out.quats.assign(in.quats, in.quats + 4 * n);
  out.scales.assign(in.scales, in.scales + 3 * n);
  out.opacities.assign(in.opacities, in.opacities + n);
  out.sh.assign(in.sh, in.sh + 48 * n);
  if (in.deformation != nullptr) out.deformation.assign(in.deformation, in.deformation + 9 * n);
  out.sh_degree = in.sh_degree;
  return out;
}

}  // namespace

struct SplatRasterizer::Impl {};
SplatRasterizer::SplatRasterizer() : impl_(nullptr) {}
SplatRasterizer::~SplatRasterizer() = default;
SplatRasterizer::SplatRasterizer(SplatRasterizer&&) noexcept = default;
SplatRasterizer& SplatRasterizer::operator=(SplatRasterizer&&) noexcept = default;

void SplatRasterizer::forward(const SplatInput& input, const Camera& camera, const SplatOptions& options, float* rgb,
                              float* alpha, bool) {
  const auto image = splat::reference_forward(reference_scene(input), reference_camera(camera, options));
  std::copy(image.rgb.begin(), image.rgb.end(), rgb);
  std::copy(image.alpha.begin(), image.alpha.end(), alpha);
}

void SplatRasterizer::backward(const SplatInput& input, const Camera& camera, const SplatOptions& options,
                               const float* d_rgb, const float* d_alpha, const SplatGradients& gradients) {
  const std::size_t pixels = static_cast<std::size_t>(camera.width) * camera.height;
  const auto g = splat::reference_backward(
      reference_scene(input), reference_camera(camera, options), std::vector<float>(d_rgb, d_rgb + 3 * pixels),
      d_alpha != nullptr ? std::vector<float>(d_alpha, d_alpha + pixels) : std::vector<float>());
  auto add = [](float* to, const std::vector<float>& from) {
    if (to != nullptr)
      for (std::size_t i = 0; i < from.size(); ++i) to[i] += from[i];
  };
  add(gradients.means, g.means);
  add(gradients.quats, g.quats);
  add(gradients.scales, g.scales);
  add(gradients.opacities, g.opacities);
  add(gradients.sh, g.sh);
  if (gradients.mean2d_norm != nullptr)
    for (int i = 0; i < input.count; ++i) gradients.mean2d_norm[i] += std::hypot(g.mean2d[2 * i], g.mean2d[2 * i + 1]);
}

}  // namespace mien
