// One optimisation step of a Gaussian avatar on the CPU: draw, compare, carry the gradient back to the canonical
// parameters, step. The oracle of the CUDA version.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "appearance_learner.h"
#include "avatar_optimiser.h"
#include "g2a_learner.h"
#include "mien/gaussian_avatar/gaussian_avatar.h"

namespace mien {

class GaussianOptimiser {
 public:
  GaussianOptimiser(GaussianAvatar& avatar, const GaussianTrainOptions& options);

  // `background` is composited under both pictures. Returns the loss. Throws kInternal on NaN, naming the tensor.
  ImageLossValue step(const TrainingSample& sample, const float background[3], int sh_degree, const StepRates& rates) {
    const ImageLossValue value = differentiate(sample, background, sh_degree);
    update(sh_degree, rates, {sample.appearance});
    return value;
  }
  // Its two halves: the groups' gradients for one picture (those of the quaternions are added to what is there), and
  // the step that takes them and leaves zeros.
  ImageLossValue differentiate(const TrainingSample& sample, const float background[3], int sh_degree);
  // `appearances`: those whose features learn.
  void update(int sh_degree, const StepRates& rates, const std::vector<int>& appearances);
  // The last picture drawn, [H,W,3].
  const std::vector<float>& picture() const { return rgb_; }

  using Group = ParameterGroup;
  // means, quats, log_scales, opacity_logits, sh_base [N,3], sh_rest [N,15,3], modes [K,M,3], and the networks' weights
  std::vector<Group>& groups() { return groups_; }
  // Without the networks the steps are the canonical stage's. On at first, where the avatar has networks.
  void use_networks(bool on) { networks_on_ = on; }
  // Writes the working arrays back into the avatar, and what its appearances are made of.
  void store();
  // Takes the avatar's (changed) Gaussians into the working arrays.
  void fetch();

 private:
  void take_sh();
  void resize_work();
  void write_sh(std::vector<float>& out) const;
  void weigh_pixels(const Camera& camera);
  void draw(const TrainingSample& sample, const float background[3], int sh_degree);
  SplatInput splat_input(int sh_degree) const;
  void chain_gradients();
  void chain_networks();
  void chain_looks(int appearance);
  void update_looks(const StepRates& rates, const std::vector<int>& appearances);
  bool networks() const { return learner_ && networks_on_; }
  void limit_sizes();
  void check_networks() const;
  [[noreturn]] void refuse_loss() const;

  GaussianAvatar& avatar_;
  const GaussianTrainOptions& options_;
  SurfaceFrames frames_;
  SplatRasterizer rasterizer_;
  ImageLoss loss_;
  std::vector<Group> groups_;
  std::vector<float> sh_base_, sh_rest_;                         // the two learning rates' parts of sh
  std::vector<float> means_, deformation_, scales_, opacities_;  // posed and activated
  std::vector<float> d_means_, d_scales_, d_opacities_, d_sh_;
  std::vector<float> sh_;           // [N,16,3] as drawn: base, rest, the modes and networks of the moment
  std::vector<float> activations_;  // of the modes
  std::optional<G2aLearner> learner_;
  bool networks_on_ = true;
  std::vector<float> quats_;    // as drawn, when networks turn them
  std::vector<float> shifted_;  // canonical means of the moment, without geometry
  std::optional<AppearanceLearner> looks_;
  std::size_t look_groups_ = 0;  // the first of theirs
  std::vector<float> logits_;    // of the opacities as the appearance has them
  std::vector<float> rgb_, alpha_, target_, d_rgb_, d_alpha_, weight_;
};

}  // namespace mien
