// G2ANet while it learns: the networks' residuals for the canonical values of the present step, and the gradients of
// all weights by reverse mode. Flat arrays and whole blocks of points throughout, as a GPU wants them too.
#pragma once

#include <string>
#include <vector>

#include "mien/gaussian_avatar/gaussian_avatar.h"

namespace mien {

// Not thread-safe; uses all threads. The same result for any number of threads.
class G2aLearner {
 public:
  // Keeps a reference to the avatar, whose g2anet must not be empty.
  explicit G2aLearner(GaussianAvatar& avatar);

  struct Parameter {
    std::string name;  // "g2anet.feature.0.weight"
    std::vector<float>* values;
  };
  std::vector<Parameter> parameters();

  // The canonical values that the networks see: sh [N,16,3] before anything is added, quats [N,4]. They are inputs
  // only: no gradient goes back through them. `logits` [N], of the opacities that dynamic ones start from, must stay
  // until apply(); null = the avatar's.
  void take_canonical(const float* sh, const float* quats, const float* logits = nullptr);

  // Adds to sh [N,16,3], and writes quats [N,4], opacities [N] and, without geometry, canonical means [N,3] of the
  // networks' Gaussians, as G2aInference does.
  void apply(const std::vector<Vec3>& unposed, const MotionFrame& frame, float* sh, float* quats, float* opacities,
             float* means = nullptr);

  // After apply(): d_sh, d_logits [N] and, without geometry, d_means [N,3] are gradients of what it wrote (d_logits by
  // the logit of the opacity). d_quats [N,4] is turned from the gradient by the turned quaternions into that by the
  // canonical ones. `gradients`: one array for each of parameters(), overwritten.
  void backward(const float* d_sh, float* d_quats, const float* d_logits, const float* d_means,
                const std::vector<std::vector<float>*>& gradients);

 private:
  // The sound is the same for all points: it goes into the first layer's bias, and its weights' gradient comes from
  // that of the bias. So the first layer's inputs leave it out.
  struct Layer {
    int inputs, outputs;               // padded
    std::vector<float> columns, rows;  // [in,out] and [out,in]
    std::vector<float> bias;
  };
  struct Network {
    std::vector<G2aLayer>* source = nullptr;
    int canonical = 0;          // how many canonical values it sees
    int sound_at = 0;           // the first of its inputs that are the sound
    std::vector<float> values;  // [K,canonical]
    std::vector<Layer> layers;
  };
  struct Scratch;

  void pack(Network& network) const;
  void run(const Network& network, int begin, int points, Scratch& scratch) const;
  void run_back(const Network& network, int points, Scratch& scratch, std::vector<std::vector<float>>& sums) const;
  void unpack(const Network& network, std::vector<std::vector<float>>& sums,
              const std::vector<std::vector<float>*>& gradients, std::size_t first) const;

  GaussianAvatar& avatar_;
  Network feature_, rotation_;
  int place_count_;
  std::vector<float> places_;        // [K,place_count_]
  std::vector<float> displacement_;  // [K,3]
  std::vector<float> turns_;         // [K,3] RotationNet's last conclusions
  const float* logits_ = nullptr;
  EmotionVector emotion_ = {};
  std::vector<float> sound_;
};

}  // namespace mien
