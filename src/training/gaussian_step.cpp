#include "gaussian_step.h"

#include <algorithm>
#include <cmath>

#include "feature_weights.h"
#include "limits.h"
#include "mien/base/error.h"
#include "mien/base/parallel.h"

namespace mien {
namespace {

constexpr std::size_t kNetworkGroups = 7;  // the first group of network weights

void check_group(const ParameterGroup& group) {
  for (std::size_t i = 0; i < group.parameters->size(); ++i) {
    if (!std::isfinite((*group.parameters)[i])) {
      throw Error(ErrorCode::kInternal,
                  fmt::format("training stopped: {}[{}] is {}", group.name, i, (*group.parameters)[i]),
                  "resume from the last checkpoint with a lower learning rate");
    }
  }
}

}  // namespace

GaussianOptimiser::GaussianOptimiser(GaussianAvatar& avatar, const GaussianTrainOptions& options)
    : avatar_(avatar), options_(options), frames_(avatar.head) {
  take_sh();
  groups_ = parameter_groups(avatar_, sh_base_, sh_rest_);
  look_groups_ = first_look_group(groups_);
  if (!avatar_.g2anet.empty()) learner_.emplace(avatar_);
  if (avatar_.looks.learns()) looks_.emplace(avatar_);
  resize_work();
}

void GaussianOptimiser::fetch() {
  take_sh();
  resize_work();
  if (learner_) learner_.emplace(avatar_);
  if (looks_) looks_.emplace(avatar_);
}

void GaussianOptimiser::resize_work() {
  const auto n = static_cast<std::size_t>(avatar_.gaussians.count());
  for (Group& group : groups_) group.gradients.assign(group.parameters->size(), 0.0f);
  scales_.resize(n * 3);
  opacities_.resize(n);
  d_means_.resize(n * 3);
  d_scales_.resize(n * 3);
  d_opacities_.resize(n);
  d_sh_.resize(n * kShCoefficients * 3);
}

void GaussianOptimiser::take_sh() {
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
  write_sh(avatar_.gaussians.sh);
  if (looks_) looks_->bake();
}

void GaussianOptimiser::write_sh(std::vector<float>& out) const {
  parallel_for(avatar_.gaussians.count(), 1024, [&](std::int64_t i) {
    float* sh = &out[i * kShCoefficients * 3];
    std::copy(&sh_base_[i * 3], &sh_base_[i * 3] + 3, sh);
    std::copy(&sh_rest_[i * (kShCoefficients - 1) * 3],
              &sh_rest_[i * (kShCoefficients - 1) * 3] + (kShCoefficients - 1) * 3, sh + 3);
  });
}

void GaussianOptimiser::weigh_pixels(const Camera& camera) {
  weight_.clear();
  for (const WeightedRectangle& r : feature_rectangles(avatar_.head, frames_, camera, options_)) {
    if (weight_.empty()) weight_.assign(static_cast<std::size_t>(camera.width) * camera.height, 1.0f);
    for (int y = r.y0; y < r.y1; ++y) {
      for (int x = r.x0; x < r.x1; ++x) weight_[static_cast<std::size_t>(y) * camera.width + x] = 1 + r.extra;
    }
  }
}

SplatInput GaussianOptimiser::splat_input(int sh_degree) const {
  const Gaussians& g = avatar_.gaussians;
  return {g.count(),           means_.data(),     networks() ? quats_.data() : g.quats.data(),
          scales_.data(),      opacities_.data(), sh_.data(),
          deformation_.data(), sh_degree};
}

void GaussianOptimiser::draw(const TrainingSample& sample, const float background[3], int sh_degree) {
  const bool geometry = avatar_.g2anet.options.geometry();
  frames_.update(*sample.motion, geometry);
  const Gaussians& g = avatar_.gaussians;
  sh_.resize(static_cast<std::size_t>(g.count()) * kShCoefficients * 3);
  write_sh(sh_);
  logits_ = g.opacity_logits;
  if (looks_) looks_->apply(sample.appearance, sh_.data(), logits_.data());
  if (networks()) learner_->take_canonical(sh_.data(), g.quats.data(), logits_.data());
  activations_ = geometry ? avatar_.modes.activations(sample.motion->expression) : std::vector<float>();
  if (!activations_.empty()) add_colour_modes(avatar_.modes, activations_, sh_);
  parallel_for(g.count(), 1024, [&](std::int64_t i) {
    for (int k = 0; k < 3; ++k) scales_[i * 3 + k] = std::exp(g.log_scales[i * 3 + k]);
    opacities_[i] = 1.0f / (1.0f + std::exp(-logits_[i]));
  });
  if (networks()) {
    quats_ = g.quats;
    if (!geometry) shifted_ = g.means;
    learner_->apply(frames_.unposed(), *sample.motion, sh_.data(), quats_.data(), opacities_.data(), shifted_.data());
  }
  deform_gaussians(avatar_, frames_, means_, deformation_, networks() && !geometry ? shifted_.data() : nullptr);
  const std::size_t pixels = static_cast<std::size_t>(sample.camera.width) * sample.camera.height;
  rgb_.resize(pixels * 3);
  alpha_.resize(pixels);
  d_rgb_.resize(pixels * 3);
  d_alpha_.resize(pixels);
  target_.resize(pixels * 3);
  const SplatInput input = splat_input(sh_degree);
  SplatOptions splat = splat_options(avatar_);
  std::copy(background, background + 3, splat.background);
  rasterizer_.forward(input, sample.camera, splat, rgb_.data(), alpha_.data(), true);
}

ImageLossValue GaussianOptimiser::differentiate(const TrainingSample& sample, const float background[3],
                                                int sh_degree) {
  draw(sample, background, sh_degree);
  parallel_for(static_cast<std::int64_t>(sample.matte.size()), 4096, [&](std::int64_t i) {
    for (int c = 0; c < 3; ++c) target_[i * 3 + c] = sample.rgb[i * 3 + c] + (1 - sample.matte[i]) * background[c];
  });
  weigh_pixels(sample.camera);
  const ImageLossValue value =
      loss_(sample.camera.width, sample.camera.height, rgb_.data(), target_.data(), alpha_.data(), sample.matte.data(),
            weight_.empty() ? nullptr : weight_.data(), options_.loss, d_rgb_.data(), d_alpha_.data());
  if (!std::isfinite(value.total)) refuse_loss();

  std::fill(d_means_.begin(), d_means_.end(), 0.0f);
  std::fill(d_scales_.begin(), d_scales_.end(), 0.0f);
  std::fill(d_opacities_.begin(), d_opacities_.end(), 0.0f);
  std::fill(d_sh_.begin(), d_sh_.end(), 0.0f);
  const SplatInput input = splat_input(sh_degree);
  SplatOptions splat = splat_options(avatar_);
  std::copy(background, background + 3, splat.background);
  rasterizer_.backward(
      input, sample.camera, splat, d_rgb_.data(), d_alpha_.data(),
      {d_means_.data(), groups_[1].gradients.data(), d_scales_.data(), d_opacities_.data(), d_sh_.data()});
  chain_gradients();
  if (looks_) chain_looks(sample.appearance);
  if (networks()) chain_networks();
  return value;
}

void GaussianOptimiser::update(int sh_degree, const StepRates& rates, const std::vector<int>& appearances) {
  const float group_rates[] = {rates.means,   rates.quats,   rates.scales, rates.opacity,
                               rates.sh_base, rates.sh_rest, rates.modes,  rates.g2anet};
  for (std::size_t i = 0; i < look_groups_; ++i) {
    if (groups_[i].parameters->empty() || (i == 5 && sh_degree == 0) || (i >= kNetworkGroups && !networks())) continue;
    adam_step(*groups_[i].parameters, groups_[i].gradients, groups_[i].state, group_rates[std::min(i, kNetworkGroups)]);
  }
  if (looks_) update_looks(rates, appearances);
  if (networks() || looks_) check_networks();
  for (float& c : avatar_.modes.colour) c *= 1 - rates.modes * options_.mode_decay;
  limit_sizes();
}

void GaussianOptimiser::chain_gradients() {
  const Gaussians& g = avatar_.gaussians;
  const auto& canonical = frames_.canonical();
  const float pull = anchor_pull(options_, g.count());
  parallel_for(g.count(), 1024, [&](std::int64_t i) {
    const Mat3 turn = Eigen::Map<const Eigen::Matrix<float, 3, 3, Eigen::RowMajor>>(&deformation_[i * 9]);
    Eigen::Map<Vec3> canonical_mean(&d_means_[i * 3]);  // of the moment: RotationNet's shift wants it without the pull
    canonical_mean = (turn.transpose() * canonical_mean).eval();
    Vec3 gradient = canonical_mean;
    const GaussianAnchor& anchor = avatar_.anchors[i];
    if (on_surface(anchor))
      gradient += 2 * pull * (Eigen::Map<const Vec3>(&g.means[i * 3]) - home_of(anchor, canonical));
    Eigen::Map<Vec3>{&groups_[0].gradients[i * 3]} = gradient;
    for (int k = 0; k < 3; ++k) groups_[2].gradients[i * 3 + k] = d_scales_[i * 3 + k] * scales_[i * 3 + k];
    groups_[3].gradients[i] = d_opacities_[i] * opacities_[i] * (1 - opacities_[i]);
    const float* sh = &d_sh_[i * kShCoefficients * 3];
    std::copy(sh, sh + 3, &groups_[4].gradients[i * 3]);
    std::copy(sh + 3, sh + kShCoefficients * 3, &groups_[5].gradients[i * (kShCoefficients - 1) * 3]);
  });
  const std::size_t modes = activations_.size();
  parallel_for(static_cast<std::int64_t>(avatar_.modes.gaussian.size()), 1024, [&](std::int64_t k) {
    const float* sh = &d_sh_[static_cast<std::size_t>(avatar_.modes.gaussian[k]) * kShCoefficients * 3];
    float* gradient = &groups_[6].gradients[static_cast<std::size_t>(k) * modes * 3];
    const GaussianAnchor& anchor = avatar_.anchors[static_cast<std::size_t>(avatar_.modes.gaussian[k])];
    const HeadRegion region = avatar_.head.region[static_cast<std::size_t>(anchor.vertex[0])];
    const bool inner = is_inner_region(region);
    for (std::size_t m = 0; m < modes; ++m) {
      const bool learns = !inner || avatar_.modes.names[m] == kInnerMode;
      for (int c = 0; c < 3; ++c) gradient[m * 3 + c] = learns ? activations_[m] * sh[c] : 0.0f;
    }
  });
}

// Through the networks: their weights' gradients, and the quaternions' by way of RotationNet.
void GaussianOptimiser::chain_networks() {
  std::vector<std::vector<float>*> gradients;
  for (std::size_t i = kNetworkGroups; i < look_groups_; ++i) gradients.push_back(&groups_[i].gradients);
  learner_->backward(d_sh_.data(), groups_[1].gradients.data(), groups_[3].gradients.data(),
                     avatar_.g2anet.options.geometry() ? nullptr : d_means_.data(), gradients);
}

void GaussianOptimiser::chain_looks(int appearance) {
  const std::size_t networks = look_groups_ + avatar_.looks.features.size();
  std::vector<std::vector<float>*> gradients;
  for (std::size_t i = networks; i < groups_.size(); ++i) gradients.push_back(&groups_[i].gradients);
  looks_->backward(appearance, d_sh_.data(), groups_[3].gradients.data(),
                   groups_[look_groups_ + static_cast<std::size_t>(appearance)].gradients, gradients);
}

// What no picture of the step shows stays as it is, without momentum.
void GaussianOptimiser::update_looks(const StepRates& rates, const std::vector<int>& appearances) {
  const auto step = [](Group& group, float rate) { adam_step(*group.parameters, group.gradients, group.state, rate); };
  for (const int a : appearances) step(groups_[look_groups_ + static_cast<std::size_t>(a)], rates.looks);
  for (std::size_t i = look_groups_ + avatar_.looks.features.size(); i < groups_.size(); ++i) {
    const bool density = groups_[i].name.starts_with(kLookDensityPrefix);
    step(groups_[i], rates.look_networks * (density ? kDensityShare : 1));
  }
}

void GaussianOptimiser::limit_sizes() {
  const float low = std::log(kSmallestScale), high = std::log(kLargestScale);
  for (float& s : avatar_.gaussians.log_scales) s = std::clamp(s, low, high);
}

// Every step: a rotation that is not a number only makes its Gaussian vanish, which no loss shows.
void GaussianOptimiser::check_networks() const {
  for (std::size_t i = networks() ? kNetworkGroups : look_groups_; i < groups_.size(); ++i) check_group(groups_[i]);
}

void GaussianOptimiser::refuse_loss() const {
  check_finite(groups_);
  throw Error(ErrorCode::kInternal, "training stopped: the loss is not finite although every parameter is",
              "check the capture's pictures and cameras with: mien capture check");
}

void check_finite(const std::vector<ParameterGroup>& groups) {
  for (const ParameterGroup& group : groups) check_group(group);
}

}  // namespace mien
