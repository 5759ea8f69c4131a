// Appearances that learn, in device memory: AppearanceLearner's work on a GPU.
#pragma once

#include <vector>

#include "gaussian_avatar/cuda/dense.h"
#include "training/avatar_optimiser.h"
#include "training/cuda/device_array.h"
#include "training/cuda/looks.h"

namespace mien {

// Not thread-safe; only enqueues, but for fetch() and store().
class DeviceLooks {
 public:
  // The avatar's Gaussians, features and networks, and the groups' states. `first`: the first group of appearances.
  DeviceLooks(GaussianAvatar& avatar, const std::vector<ParameterGroup>& groups, std::size_t first);
  void store(std::vector<ParameterGroup>& groups) const;

  // The Gaussians' own colours and logits (device) as the appearance has them: into shown [N,48], opacities [N], and
  // dressed_sh() and dressed_logits().
  void dress(int appearance, const float* sh, const float* logits, float* shown, float* opacities, CudaStream stream);
  const float* dressed_sh() const { return dressed_sh_.data(); }
  const float* dressed_logits() const { return dressed_logits_.data(); }

  // After dress(): from gradients by what was drawn (opacities as they were drawn) to those of the features of that
  // appearance and of all weights.
  void backward(const float* d_sh, const float* d_opacities, const float* opacities, CudaStream stream);

  // What Adam takes: the features of an appearance, and the weights of the two networks.
  struct Learning {
    training_cuda::Moments moments;
    const float* gradients;
    int count;
  };
  Learning features(int appearance) const;  // gradients are zero for any but the last dressed
  Learning colour_weights() const;
  Learning density_weights() const;
  Learning weights() const;  // of both

 private:
  struct Layer {
    int inputs, outputs;
    int weight, bias;         // where in the array of all
    CudaArray<float> values;  // [N,outputs]
    CudaArray<float> partial;
  };
  struct Network {
    std::vector<Layer> layers;
    CudaArray<float> slope, input_slope;
  };
  void make(Network& network, const std::vector<G2aLayer>& source);
  void run(Network& network, const float* x, CudaStream stream);
  void run_back(Network& network, const float* x, avatar_cuda::WeightSums& sums, CudaStream stream);
  avatar_cuda::DenseLayer dense_layer(const Layer& layer) const;
  const float* density_x() const { return arrays_.latent != nullptr ? arrays_.latent : arrays_.inputs; }

  std::size_t first_;
  int count_, feature_row_, weight_count_ = 0, colour_weights_ = 0, last_ = 0;
  std::vector<DeviceArray> features_;
  DeviceArray weights_;
  CudaArray<float> d_features_, d_weights_, nothing_;
  CudaArray<float> inputs_, latent_, dressed_sh_, dressed_logits_, hidden_[2], partial_;
  Network colour_, density_;
  training_cuda::LookArrays arrays_ = {};
};

}  // namespace mien
