#include "gaussian_step.h"

#include <algorithm>
#include <cmath>

#include "mien/base/error.h"
#include "mien/base/parallel.h"

namespace mien {
namespace {

// Gaussians beyond these sizes are optimisation accidents: needles, or sheets that hide what moves behind them.
constexpr float kSmallest = 1.5e-4f;  // metres
constexpr float kLargest = 0.015f;

}  // namespace

GaussianOptimiser::GaussianOptimiser(GaussianAvatar& avatar, const GaussianTrainOptions& options)
    : avatar_(avatar), options_(options), frames_(avatar.head) {
  fetch();
  Gaussians& g = avatar_.gaussians;
  groups_ = {{"means", &g.means, {}, {}},           {"quats", &g.quats, {}, {}},
             {"log_scales", &g.log_scales, {}, {}}, {"opacity_logits", &g.opacity_logits, {}, {}},
             {"sh_base", &sh_base_, {}, {}},        {"sh_rest", &sh_rest_, {}, {}}};
  for (Group& group : groups_) group.gradients.assign(group.parameters->size(), 0.0f);
  const auto n = static_cast<std::size_t>(g.count());
  scales_.resize(n * 3);
  opacities_.resize(n);
  d_means_.resize(n * 3);
  d_scales_.resize(n * 3);
  d_opacities_.resize(n);
  d_sh_.resize(n * kShCoefficients * 3);
}

void GaussianOptimiser::fetch() {
  const auto n = static_cast<std::size_t>(avatar_.gaussians.count());
  sh_base_.resize(n * 3);
  sh_rest_.resize(n * (kShCoefficients - 1) * 3);
  for (std::size_t i = 0; i < n; ++i) {
    const float* sh = &avatar_.gaussians.sh[i * kShCoefficients * 3];
    std::copy(sh, sh + 3, &sh_base_[i * 3]);
    std::copy(sh + 3, sh + kShCoefficients * 3, &sh_rest_[i * (kShCoefficients - 1) * 3]);
  }
}

void GaussianOptimiser::store() {
  parallel_for(avatar_.gaussians.count(), 1024, [&](std::int64_t i) {
    float* sh = &avatar_.gaussians.sh[i * kShCoefficients * 3];
    std::copy(&sh_base_[i * 3], &sh_base_[i * 3] + 3, sh);
    std::copy(&sh_rest_[i * (kShCoefficients - 1) * 3],
              &sh_rest_[i * (kShCoefficients - 1) * 3] + (kShCoefficients - 1) * 3, sh + 3);
  });
}

void GaussianOptimiser::draw(const TrainingSample& sample, const float background[3], int sh_degree) {
  frames_.update(*sample.motion);
  deform_gaussians(avatar_, frames_, means_, deformation_);
  store();
  const Gaussians& g = avatar_.gaussians;
  parallel_for(g.count(), 1024, [&](std::int64_t i) {
    for (int k = 0; k < 3; ++k) scales_[i * 3 + k] = std::exp(g.log_scales[i * 3 + k]);
    opacities_[i] = 1.0f / (1.0f + std::exp(-g.opacity_logits[i]));
  });
  const std::size_t pixels = static_cast<std::size_t>(sample.camera.width) * sample.camera.height;
  rgb_.resize(pixels * 3);
  alpha_.resize(pixels);
  d_rgb_.resize(pixels * 3);
  d_alpha_.resize(pixels);
  target_.resize(pixels * 3);
  SplatInput input{g.count(),         means_.data(), g.quats.data(),      scales_.data(),
                   opacities_.data(), g.sh.data(),   deformation_.data(), sh_degree};
  SplatOptions splat;
  std::copy(background, background + 3, splat.background);
  rasterizer_.forward(input, sample.camera, splat, rgb_.data(), alpha_.data(), true);
}

ImageLossValue GaussianOptimiser::step(const TrainingSample& sample, const float background[3], int sh_degree,
                                       const StepRates& rates) {
  draw(sample, background, sh_degree);
  parallel_for(static_cast<std::int64_t>(sample.matte.size()), 4096, [&](std::int64_t i) {
    for (int c = 0; c < 3; ++c) target_[i * 3 + c] = sample.rgb[i * 3 + c] + (1 - sample.matte[i]) * background[c];
  });
  const ImageLossValue value =
      loss_(sample.camera.width, sample.camera.height, rgb_.data(), target_.data(), alpha_.data(), sample.matte.data(),
            nullptr, ImageLossOptions{}, d_rgb_.data(), d_alpha_.data());
  if (!std::isfinite(value.total)) check_finite();

  const Gaussians& g = avatar_.gaussians;
  std::fill(d_means_.begin(), d_means_.end(), 0.0f);
  std::fill(d_scales_.begin(), d_scales_.end(), 0.0f);
  std::fill(d_opacities_.begin(), d_opacities_.end(), 0.0f);
  std::fill(d_sh_.begin(), d_sh_.end(), 0.0f);
  SplatInput input{g.count(),         means_.data(), g.quats.data(),      scales_.data(),
                   opacities_.data(), g.sh.data(),   deformation_.data(), sh_degree};
  SplatOptions splat;
  std::copy(background, background + 3, splat.background);
  rasterizer_.backward(
      input, sample.camera, splat, d_rgb_.data(), d_alpha_.data(),
      {d_means_.data(), groups_[1].gradients.data(), d_scales_.data(), d_opacities_.data(), d_sh_.data()});
  chain_gradients();
  const float group_rates[] = {rates.means, rates.quats, rates.scales, rates.opacity, rates.sh_base, rates.sh_rest};
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    if (i == 5 && sh_degree == 0) continue;
    adam_step(*groups_[i].parameters, groups_[i].gradients, groups_[i].state, group_rates[i]);
  }
  limit_sizes();
  return value;
}

void GaussianOptimiser::chain_gradients() {
  const Gaussians& g = avatar_.gaussians;
  const auto& canonical = frames_.canonical();
  const float pull = options_.anchor_pull * 1e6f / static_cast<float>(g.count());
  parallel_for(g.count(), 1024, [&](std::int64_t i) {
    const Mat3 turn = Eigen::Map<const Eigen::Matrix<float, 3, 3, Eigen::RowMajor>>(&deformation_[i * 9]);
    Vec3 gradient = turn.transpose() * Eigen::Map<const Vec3>(&d_means_[i * 3]);
    const GaussianAnchor& anchor = avatar_.anchors[i];
    if (anchor.weight[3] == 0) {  // on the surface: three corners
      Vec3 home = Vec3::Zero();
      for (int k = 0; k < 3; ++k) home += anchor.weight[k] * canonical[anchor.vertex[k]];
      gradient += 2 * pull * (Eigen::Map<const Vec3>(&g.means[i * 3]) - home);
    }
    Eigen::Map<Vec3>{&groups_[0].gradients[i * 3]} = gradient;
    for (int k = 0; k < 3; ++k) groups_[2].gradients[i * 3 + k] = d_scales_[i * 3 + k] * scales_[i * 3 + k];
    groups_[3].gradients[i] = d_opacities_[i] * opacities_[i] * (1 - opacities_[i]);
    const float* sh = &d_sh_[i * kShCoefficients * 3];
    std::copy(sh, sh + 3, &groups_[4].gradients[i * 3]);
    std::copy(sh + 3, sh + kShCoefficients * 3, &groups_[5].gradients[i * (kShCoefficients - 1) * 3]);
  });
}

void GaussianOptimiser::limit_sizes() {
  const float low = std::log(kSmallest), high = std::log(kLargest);
  for (float& s : avatar_.gaussians.log_scales) s = std::clamp(s, low, high);
}

void GaussianOptimiser::check_finite() const {
  for (const Group& group : groups_) {
    for (std::size_t i = 0; i < group.parameters->size(); ++i) {
      if (!std::isfinite((*group.parameters)[i])) {
        throw Error(ErrorCode::kInternal,
                    fmt::format("training stopped: {}[{}] is {}", group.name, i, (*group.parameters)[i]),
                    "resume from the last checkpoint with a lower learning rate");
      }
    }
  }
  throw Error(ErrorCode::kInternal, "training stopped: the loss is not finite although every parameter is",
              "check the capture's pictures and cameras with: mien capture check");
}

}  // namespace mien
