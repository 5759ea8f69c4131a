#include "coverage.h"

#include <algorithm>
#include <cmath>

namespace mien {
namespace {

constexpr std::size_t kPictures = 110;
constexpr float kShDc = 0.28209479177387814f;  // Y_0^0

}  // namespace

std::vector<SampleKey> spread_keys(const SampleReader& reader) {
  const auto& keys = reader.keys();
  const std::size_t stride = std::max<std::size_t>(1, keys.size() / kPictures) | 1;  // odd: all views come up
  std::vector<SampleKey> out;
  for (std::size_t k = stride / 2; k < keys.size(); k += stride) out.push_back(keys[k]);
  return out;
}

Coverage::Coverage(const GaussianAvatar& avatar) : avatar_(avatar), frames_(avatar.head) {
  const Gaussians& g = avatar.gaussians;
  const auto n = static_cast<std::size_t>(g.count());
  for (const float s : g.log_scales) scales_.push_back(std::exp(s));
  for (const float o : g.opacity_logits) opacities_.push_back(1 / (1 + std::exp(-o)));
  grey_.assign(g.sh.size(), 0.0f);
  d_means_.resize(n * 3);
  d_quats_.resize(n * 4);
  d_scales_.resize(n * 3);
  d_opacities_.resize(n);
  d_sh_.resize(g.sh.size());
  if (!avatar.g2anet.empty() && !avatar.g2anet.options.geometry()) networks_.emplace(avatar);
}

void Coverage::pose(const MotionFrame& frame) {
  frames_.update(frame, avatar_.g2anet.options.geometry());
  if (!networks_ || !g2a_speaks_of(avatar_.g2anet, frame)) {
    deform_gaussians(avatar_, frames_, means_, deformation_);
    return;
  }
  const Gaussians& g = avatar_.gaussians;
  std::vector<float> sh = g.sh, quats = g.quats, opacities = opacities_, shifted = g.means;
  networks_->apply(frames_.unposed(), frame, sh.data(), quats.data(), opacities.data(), shifted.data());
  deform_gaussians(avatar_, frames_, means_, deformation_, shifted.data());
}

SplatInput Coverage::input(const std::vector<float>& sh, int degree) const {
  const Gaussians& g = avatar_.gaussians;
  return {g.count(),         means_.data(), g.quats.data(),      scales_.data(),
          opacities_.data(), sh.data(),     deformation_.data(), degree};
}

std::vector<float> Coverage::draw(const MotionFrame& frame, const Camera& camera) {
  std::vector<float> sh = avatar_.gaussians.sh;
  if (avatar_.modes.count() > 0) add_colour_modes(avatar_.modes, avatar_.modes.activations(frame.expression), sh);
  const std::size_t pixels = static_cast<std::size_t>(camera.width) * camera.height;
  std::vector<float> rgb(pixels * 3);
  alpha_.resize(pixels);
  rasterizer_.forward(input(sh, 3), camera, splat_options(avatar_), rgb.data(), alpha_.data(), false);
  return rgb;
}

void Coverage::add(const Camera& camera, const std::vector<float>& weights) {
  const std::size_t pixels = static_cast<std::size_t>(camera.width) * camera.height;
  rgb_.resize(pixels * 3);
  alpha_.resize(pixels);
  d_rgb_.assign(pixels * 3, 0.0f);  // the first channel stands for all
  for (std::size_t i = 0; i < pixels; ++i) d_rgb_[3 * i] = weights.empty() ? 1.0f : weights[i];
  const SplatInput grey = input(grey_, 0);
  rasterizer_.forward(grey, camera, splat_options(avatar_), rgb_.data(), alpha_.data(), true);
  rasterizer_.backward(grey, camera, splat_options(avatar_), d_rgb_.data(), nullptr,
                       {d_means_.data(), d_quats_.data(), d_scales_.data(), d_opacities_.data(), d_sh_.data()});
}

std::vector<float> Coverage::sums() const {
  std::vector<float> out(static_cast<std::size_t>(avatar_.gaussians.count()));
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = d_sh_[i * kShCoefficients * 3] / kShDc;
  return out;
}

std::vector<float> covered_by_all(const GaussianAvatar& avatar, const SampleReader& reader,
                                  const std::function<void(Coverage&, const SampleKey&)>& add) {
  const std::vector<SampleKey> keys = spread_keys(reader);
  std::vector<float> sums(static_cast<std::size_t>(avatar.gaussians.count()), 0.0f);
  for (int a = 0; a < std::max(1, avatar.looks.count()); ++a) {
    const GaussianAvatar worn = dress(avatar, a);
    Coverage coverage(worn);
    for (const SampleKey& key : keys) {
      if (avatar.looks.empty() || reader.appearance(key) == a) add(coverage, key);
    }
    const std::vector<float> covered = coverage.sums();
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += covered[i];
  }
  return sums;
}

}  // namespace mien
