#include "scene/scene_optimiser.h"

#include <algorithm>
#include <cmath>

#include "mien/base/error.h"
#include "mien/base/parallel.h"

namespace mien::scene {
namespace {

constexpr std::size_t kSh = 3 * kShCoefficients;

}  // namespace

SceneOptimiser::SceneOptimiser(Gaussians gaussians) {
  means_.values = std::move(gaussians.means);
  quats_.values = std::move(gaussians.quats);
  scales_.values = std::move(gaussians.log_scales);
  opacity_.values = std::move(gaussians.opacity_logits);
  for (std::size_t i = 0; i < opacity_.values.size(); ++i) {
    const auto sh = gaussians.sh.begin() + static_cast<std::ptrdiff_t>(i * kSh);
    base_.values.insert(base_.values.end(), sh, sh + 3);
    rest_.values.insert(rest_.values.end(), sh + 3, sh + kSh);
  }
  for (Group* group : groups()) group->gradients.assign(group->values.size(), 0.0f);
  clear_statistics();
}

Gaussians SceneOptimiser::gaussians() const {
  Gaussians out;
  out.means = means_.values;
  out.quats = quats_.values;
  out.log_scales = scales_.values;
  out.opacity_logits = opacity_.values;
  out.sh.resize(opacity_.values.size() * kSh);
  for (std::size_t i = 0; i < opacity_.values.size(); ++i) {
    std::copy_n(&base_.values[i * 3], 3, &out.sh[i * kSh]);
    std::copy_n(&rest_.values[i * 45], 45, &out.sh[i * kSh + 3]);
  }
  return out;
}

void SceneOptimiser::activate() {
  const auto n = static_cast<std::size_t>(count());
  scale_values_.resize(n * 3);
  opacity_values_.resize(n);
  sh_.resize(n * kSh);
  parallel_for(count(), 1024, [&](std::int64_t i) {
    for (int k = 0; k < 3; ++k) scale_values_[i * 3 + k] = std::exp(scales_.values[i * 3 + k]);
    opacity_values_[i] = 1.0f / (1.0f + std::exp(-opacity_.values[i]));
    std::copy_n(&base_.values[i * 3], 3, &sh_[i * kSh]);
    std::copy_n(&rest_.values[i * 45], 45, &sh_[i * kSh + 3]);
  });
}

SplatInput SceneOptimiser::input(int sh_degree) const {
  return {count(),
          means_.values.data(),
          quats_.values.data(),
          scale_values_.data(),
          opacity_values_.data(),
          sh_.data(),
          nullptr,
          sh_degree};
}

ImageLossValue SceneOptimiser::step(const View& view, const Picture& picture, const float background[3], int sh_degree,
                                    const Rates& rates) {
  activate();
  const auto n = static_cast<std::size_t>(count());
  const std::size_t pixels = picture.matte.size();
  for (std::vector<float>* buffer : {&rgb_, &d_rgb_, &target_}) buffer->resize(pixels * 3);
  for (std::vector<float>* buffer : {&alpha_, &d_alpha_}) buffer->resize(pixels);
  SplatOptions splat;
  std::copy(background, background + 3, splat.background);
  rasterizer_.forward(input(sh_degree), view.camera, splat, rgb_.data(), alpha_.data(), true);
  parallel_for(static_cast<std::int64_t>(pixels), 4096, [&](std::int64_t i) {
    for (int c = 0; c < 3; ++c) target_[i * 3 + c] = picture.rgb[i * 3 + c] + (1 - picture.matte[i]) * background[c];
  });
  const float* matte = view.masked ? picture.matte.data() : nullptr;
  const ImageLossValue value =
      loss_(view.camera.width, view.camera.height, rgb_.data(), target_.data(), view.masked ? alpha_.data() : nullptr,
            matte, nullptr, ImageLossOptions{}, d_rgb_.data(), view.masked ? d_alpha_.data() : nullptr);
  if (!std::isfinite(value.total)) check_finite();
  d_scales_.assign(n * 3, 0.0f);
  d_opacities_.assign(n, 0.0f);
  d_sh_.assign(n * kSh, 0.0f);
  d_mean2d_.assign(n, 0.0f);
  rasterizer_.backward(input(sh_degree), view.camera, splat, d_rgb_.data(), view.masked ? d_alpha_.data() : nullptr,
                       {means_.gradients.data(), quats_.gradients.data(), d_scales_.data(), d_opacities_.data(),
                        d_sh_.data(), d_mean2d_.data()});
  const float unit = 0.5f * static_cast<float>(std::max(view.camera.width, view.camera.height));
  parallel_for(count(), 1024, [&](std::int64_t i) {
    for (int k = 0; k < 3; ++k) scales_.gradients[i * 3 + k] = d_scales_[i * 3 + k] * scale_values_[i * 3 + k];
    opacity_.gradients[i] = d_opacities_[i] * opacity_values_[i] * (1 - opacity_values_[i]);
    std::copy_n(&d_sh_[i * kSh], 3, &base_.gradients[i * 3]);
    std::copy_n(&d_sh_[i * kSh + 3], 45, &rest_.gradients[i * 45]);
    if (d_mean2d_[i] > 0) {
      gradient_sum_[i] += d_mean2d_[i] * unit;
      ++visible_[i];
    }
  });
  const float step_rates[] = {rates.means, rates.quats, rates.scales, rates.opacity, rates.sh_base, rates.sh_rest};
  const std::array<Group*, 6> all = groups();
  for (std::size_t g = 0; g < all.size(); ++g) {
    if (g == 5 && sh_degree == 0) continue;
    adam_step(all[g]->values, all[g]->gradients, all[g]->state, step_rates[g]);
  }
  return value;
}

void SceneOptimiser::rearrange(const std::vector<std::size_t>& from, const std::vector<bool>& fresh) {
  for (Group* group : groups()) {
    const std::size_t w = group->width;
    const auto take = [&](std::vector<float>& values, bool moments) {
      if (values.empty()) return;
      std::vector<float> out(from.size() * w, 0.0f);
      for (std::size_t i = 0; i < from.size(); ++i) {
        if (!moments || !fresh[i]) std::copy_n(&values[from[i] * w], w, &out[i * w]);
      }
      values = std::move(out);
    };
    take(group->values, false);
    take(group->state.first, true);
    take(group->state.second, true);
    group->gradients.assign(group->values.size(), 0.0f);
  }
  clear_statistics();
}

std::vector<float> SceneOptimiser::mean_gradients() const {
  std::vector<float> out(gradient_sum_.size());
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = visible_[i] > 0 ? gradient_sum_[i] / visible_[i] : 0.0f;
  return out;
}

void SceneOptimiser::clear_statistics() {
  gradient_sum_.assign(static_cast<std::size_t>(count()), 0.0f);
  visible_.assign(static_cast<std::size_t>(count()), 0);
}

void SceneOptimiser::check_finite() {
  for (const Group* group : groups()) {
    for (std::size_t i = 0; i < group->values.size(); ++i) {
      if (std::isfinite(group->values[i])) continue;
      throw Error(ErrorCode::kInternal, fmt::format("training stopped: {}[{}] is {}", group->name, i, group->values[i]),
                  "try another --seed, and report it");
    }
  }
  throw Error(ErrorCode::kInternal, "training stopped: the loss is not finite although every parameter is",
              "check the capture's cameras with: mien capture check");
}

}  // namespace mien::scene
