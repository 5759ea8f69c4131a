// Appearances while they learn, on the CPU: the residuals of the appearance that a picture shows, and the gradients of
// its features and of the networks by reverse mode. The oracle of the CUDA version.
#pragma once

#include <vector>

#include "mien/gaussian_avatar/appearances.h"
#include "mien/gaussian_avatar/gaussian_avatar.h"

namespace mien {

// Not thread-safe; uses all threads. The same result for any number of threads.
class AppearanceLearner {
 public:
  // Keeps a reference to the avatar, whose looks must learn.
  explicit AppearanceLearner(GaussianAvatar& avatar);

  // sh [N,48] holds the Gaussians' own values and gets the residuals added; logits [N] likewise.
  void apply(int appearance, float* sh, float* logits);

  // After apply() of the same appearance: d_sh [N,48] and d_logits [N] are gradients of what it wrote. `features`: of
  // that appearance's features; `networks`: weight and bias of each layer, colour's first. All overwritten.
  void backward(int appearance, const float* d_sh, const float* d_logits, std::vector<float>& features,
                const std::vector<std::vector<float>*>& networks);

  // The residuals of every appearance, into looks.shift.
  void bake();

 private:
  struct Layer {
    int inputs, outputs;               // padded
    std::vector<float> columns, rows;  // [in,out] and [out,in]
    std::vector<float> bias;
  };
  struct Network {
    std::vector<G2aLayer>* source = nullptr;
    bool sees_gaussian = true;  // base colour and place beside Z
    std::vector<Layer> layers;
  };
  struct Scratch {
    std::vector<std::vector<float>> values;  // [layers + 1] of [kBlock, width]
    std::vector<float> slope, next;
  };

  void pack(Network& network) const;
  void run(const Network& network, int appearance, int begin, int points, Scratch& scratch) const;
  void run_back(const Network& network, int points, Scratch& scratch, std::vector<std::vector<float>>& sums) const;
  const float* row(int appearance, std::size_t gaussian) const;

  GaussianAvatar& avatar_;
  Network colour_, density_;
  std::vector<float> places_;  // [N, place_count_]; with global features only
  int place_count_ = 0;
  std::vector<float> base_;  // [N,3] the Gaussians' own degree 0, as apply() saw it
};

// The same for an avatar that may have no appearances.
void bake_appearances(GaussianAvatar& avatar);

}  // namespace mien
