#include "mien/gaussian_avatar/gaussian_avatar.h"

#include <algorithm>
#include <cmath>

#include "mien/base/error.h"
#include "mien/base/parallel.h"

namespace mien {

SplatOptions splat_options(const GaussianAvatar& avatar) {
  SplatOptions options;
  options.eps2d = avatar.pixel_filter;
  return options;
}

void deform_gaussians(const GaussianAvatar& avatar, const SurfaceFrames& frames, std::vector<float>& means,
                      std::vector<float>& deformation, const float* canonical_means) {
  const int count = avatar.gaussians.count();
  MIEN_CHECK(static_cast<int>(avatar.anchors.size()) == count, "anchors {} gaussians {}", avatar.anchors.size(), count);
  means.resize(static_cast<std::size_t>(count) * 3);
  deformation.resize(static_cast<std::size_t>(count) * 9);
  const float* home = canonical_means != nullptr ? canonical_means : avatar.gaussians.means.data();
  const auto& posed = frames.vertices();
  const auto& canonical = frames.canonical();
  const auto& vertex_deformation = frames.deformation();
  parallel_for(count, 1024, [&](std::int64_t i) {
    const GaussianAnchor& anchor = avatar.anchors[i];
    const Vec3 mean = Eigen::Map<const Vec3>(home + i * 3);
    Vec3 position = Vec3::Zero();
    Mat3 blended = Mat3::Zero();
    for (int k = 0; k < kAnchorCount; ++k) {
      const float w = anchor.weight[k];
      if (w == 0) continue;
      const int v = anchor.vertex[k];
      blended += w * vertex_deformation[v];
      position += w * (posed[v] + vertex_deformation[v] * (mean - canonical[v]));
    }
    Eigen::Map<Vec3>{&means[i * 3]} = position;
    Eigen::Map<Eigen::Matrix<float, 3, 3, Eigen::RowMajor>>{&deformation[i * 9]} = blended;
  });
}

GaussianRenderer::GaussianRenderer(const GaussianAvatar& avatar) : avatar_(&avatar), frames_(avatar.head) {
  const Gaussians& g = avatar.gaussians;
  scales_.resize(g.log_scales.size());
  opacities_.resize(g.opacity_logits.size());
  for (std::size_t i = 0; i < scales_.size(); ++i) scales_[i] = std::exp(g.log_scales[i]);
  for (std::size_t i = 0; i < opacities_.size(); ++i) opacities_[i] = 1.0f / (1.0f + std::exp(-g.opacity_logits[i]));
  if (avatar.modes.count() > 0 || !avatar.g2anet.empty()) sh_ = g.sh;
  if (!avatar.g2anet.empty()) {
    quats_ = g.quats;
    if (!avatar.g2anet.options.geometry()) shifted_ = g.means;
    g2anet_.emplace(avatar);
  }
}

void GaussianRenderer::render(const MotionFrame& frame, const Camera& camera, const SplatOptions& options, float* rgb,
                              float* alpha) {
  const Gaussians& g = avatar_->gaussians;
  const G2aNet& net = avatar_->g2anet;
  const bool speaks = g2a_speaks_of(net, frame);
  frames_.update(frame, net.options.geometry());
  const ColourModes& modes = avatar_->modes;
  if (!sh_.empty()) {
    const auto restore = [&](const std::vector<std::int32_t>& gaussians, int values) {
      for (const std::int32_t i : gaussians) {
        const std::size_t at = static_cast<std::size_t>(i) * kShCoefficients * 3;
        std::copy_n(&avatar_->gaussians.sh[at], values, &sh_[at]);
      }
    };
    restore(modes.gaussian, 3);
    restore(net.gaussian, kG2aColours);
    if (modes.count() > 0 && net.options.geometry()) add_colour_modes(modes, modes.activations(frame.expression), sh_);
  }
  if (speaks) {
    g2anet_->apply(frames_.unposed(), frame, sh_.data(), quats_.data(), opacities_.data(),
                   shifted_.empty() ? nullptr : shifted_.data());
  } else if (g2anet_) {  // what an earlier frame left
    quats_ = g.quats;
    shifted_ = g.means;
    for (const std::int32_t i : net.gaussian) opacities_[i] = 1.0f / (1.0f + std::exp(-g.opacity_logits[i]));
  }
  deform_gaussians(*avatar_, frames_, means_, deformation_, shifted_.empty() ? nullptr : shifted_.data());
  SplatInput input;
  input.count = avatar_->gaussians.count();
  input.means = means_.data();
  input.quats = g2anet_ ? quats_.data() : avatar_->gaussians.quats.data();
  input.scales = scales_.data();
  input.opacities = opacities_.data();
  input.sh = sh_.empty() ? avatar_->gaussians.sh.data() : sh_.data();
  input.deformation = deformation_.data();
  rasterizer_.forward(input, camera, options, rgb, alpha, false);
}

}  // namespace mien
