// One training step of free Gaussians.
#pragma once

#include <array>
#include <vector>

#include "mien/splat/gaussians.h"
#include "mien/training/adam.h"
#include "mien/training/image_loss.h"
#include "scene/scene_views.h"

namespace mien::scene {

struct Rates {
  float means = 0, quats = 0.001f, scales = 0.005f, opacity = 0.03f, sh_base = 0.0025f, sh_rest = 0.000125f;
};

// The parameters with their moments, and what densification needs to know of them. SH is kept apart in base (degree 0)
// and rest while training.
class SceneOptimiser {
 public:
  explicit SceneOptimiser(Gaussians gaussians);

  ImageLossValue step(const View& view, const Picture& picture, const float background[3], int sh_degree,
                      const Rates& rates);
  Gaussians gaussians() const;
  int count() const { return static_cast<int>(opacity_.values.size()); }

  // Keeps, copies and adds Gaussians: row i of the new set comes from row `from[i]` of the old, whose moments it keeps
  // where `fresh[i]` is false and starts anew where true. `change` may then alter the new rows.
  struct Rows {
    std::vector<float>&means, &quats, &log_scales, &opacity_logits;
  };
  void rearrange(const std::vector<std::size_t>& from, const std::vector<bool>& fresh);
  Rows rows() { return {means_.values, quats_.values, scales_.values, opacity_.values}; }

  // Since the last clear_statistics(): mean screen-space gradient while visible, per Gaussian.
  std::vector<float> mean_gradients() const;
  void clear_statistics();

 private:
  struct Group {
    const char* name;
    std::size_t width;  // values a Gaussian
    std::vector<float> values = {}, gradients = {};
    AdamState state = {};
  };
  std::array<Group*, 6> groups() { return {&means_, &quats_, &scales_, &opacity_, &base_, &rest_}; }
  void activate();
  void check_finite();
  SplatInput input(int sh_degree) const;

  Group means_{"means", 3}, quats_{"quats", 4}, scales_{"log_scales", 3}, opacity_{"opacity_logits", 1},
      base_{"sh_base", 3}, rest_{"sh_rest", 45};
  std::vector<float> scale_values_, opacity_values_, sh_;
  std::vector<float> d_scales_, d_opacities_, d_sh_, d_mean2d_;
  std::vector<float> gradient_sum_;
  std::vector<int> visible_;
  std::vector<float> rgb_, alpha_, d_rgb_, d_alpha_, target_;
  SplatRasterizer rasterizer_;
  ImageLoss loss_;
};

}  // namespace mien::scene
