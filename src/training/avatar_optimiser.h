// What the trainer drives: the optimisation of a Gaussian avatar step by step, on the CPU or on an NVIDIA GPU.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "mien/gaussian_avatar/gaussian_avatar.h"
#include "mien/training/adam.h"
#include "mien/training/gaussian_trainer.h"
#include "mien/training/image_loss.h"
#include "training_samples.h"

namespace mien {

struct StepRates {
  float means, quats, scales, opacity, sh_base, sh_rest, modes;
  float g2anet = 0;
  float looks = 0, look_networks = 0;  // appearances' features, and their networks; the offset's learns at a tenth
};

struct StepJob {
  SampleKey key;
  int appearance = 0;  // that the picture shows
  // Those that the pictures of this step show, over all ranks: their features learn. Ascending.
  std::vector<int> appearances = {};
  std::array<float, 3> background = {0, 0, 0};  // composited under both pictures
  int sh_degree = 3;
  StepRates rates = {};
  bool last = true;  // of the step's pictures: the parameters move
};

// One parameter array with its Adam state.
struct ParameterGroup {
  std::string name;
  std::vector<float>* parameters;
  std::vector<float> gradients;
  AdamState state;
};

// The groups that every optimiser has: means, quats, log_scales, opacity_logits, sh_base, sh_rest, modes, then weight
// and bias of each layer of the networks, FeatureNet's first, then the features of each appearance ("looks.features.0"
// and so on) and weight and bias of each of the appearances' layers. They point into the avatar and to the two arrays.
std::vector<ParameterGroup> parameter_groups(GaussianAvatar& avatar, std::vector<float>& sh_base,
                                             std::vector<float>& sh_rest);

// Where the groups of appearances begin; groups.size() without.
std::size_t first_look_group(const std::vector<ParameterGroup>& groups);
constexpr const char* kLooksPrefix = "looks.";
constexpr float kDensityShare = 0.1f;  // of the appearances' networks' rate that the offset's learns at
constexpr const char* kLookDensityPrefix = "looks.density.";

// Steps may run behind: only losses() and store() wait for them. Not thread-safe.
class AvatarOptimiser {
 public:
  virtual ~AvatarOptimiser() = default;

  // Says which picture a later step() will need, in the order of the steps; up to `ahead()` of them pay.
  virtual void announce(const SampleKey& key) = 0;
  virtual int ahead() const = 0;
  virtual void step(const StepJob& job) = 0;
  // Whether a step may have several pictures, and averages gradients over the ranks. Otherwise each picture is a step,
  // and the trainer averages parameters over the ranks now and then.
  virtual bool adds_up_gradients() const { return false; }
  // Means over the steps since the last call. Throws kInternal on NaN, naming the tensor.
  virtual ImageLossValue losses() = 0;
  // Steps between two calls of losses() that do not slow training down.
  virtual int report_every() const = 0;

  // means, quats, log_scales, opacity_logits, sh_base [N,3], sh_rest [N,15,3], modes [K,M,3], and the networks'
  // weights. What the pointers show is current after store().
  virtual std::vector<ParameterGroup>& groups() = 0;
  // Without the networks the steps are the canonical stage's. On at first, where the avatar has networks.
  virtual void use_networks(bool on) = 0;
  // Writes parameters and Adam states back into the avatar and the groups.
  virtual void store() = 0;
  // Takes the avatar's (changed) Gaussians and the groups' states.
  virtual void fetch() = 0;
};

// The avatar, the options and the reader must outlive the optimiser; only the optimiser may change the avatar, but
// between store() and fetch().
std::unique_ptr<AvatarOptimiser> make_cpu_optimiser(GaussianAvatar& avatar, const GaussianTrainOptions& options,
                                                    const SampleReader& reader);
// Throws kMissingFeature without a GPU.
std::unique_ptr<AvatarOptimiser> make_cuda_optimiser(GaussianAvatar& avatar, const GaussianTrainOptions& options,
                                                     const SampleReader& reader);

// Throws kInternal naming the first value that is not finite, if there is one.
void check_finite(const std::vector<ParameterGroup>& groups);

}  // namespace mien
