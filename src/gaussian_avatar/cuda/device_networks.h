// G2ANet in device memory, for drawing and for learning: G2aInference's and G2aLearner's work on a GPU.
#pragma once

#include <string>
#include <vector>

#include "gaussian_avatar/cuda/dense.h"
#include "gaussian_avatar/cuda/networks.h"
#include "mien/cuda/cuda.h"
#include "mien/gaussian_avatar/gaussian_avatar.h"

namespace mien {

// What a moment makes the networks feel, the same for all Gaussians: the emotion (zeros where the networks do not see
// it), then the sound: felt_count() values.
int felt_count(const G2aNet& net);
std::vector<float> felt_of(const G2aNet& net, const MotionFrame& frame);

// How far a face carries its vertices, as take_displacements() wants it: [V + 1, 3].
std::vector<float> carried_vertices(const HeadModel& head, const std::vector<Vec3>& unposed);

// All weights and biases of the networks in one array, FeatureNet's first, and back.
std::vector<float> join_weights(const G2aNet& net);

// Not thread-safe. Enqueues only: run(), conclude() and backward() can be recorded into a graph.
class DeviceNetworks {
 public:
  // The networks of an avatar (g2anet must not be empty), which need not outlive the object. `learns`: backward() will
  // be called; takes more memory.
  DeviceNetworks(const GaussianAvatar& avatar, bool learns);

  // The networks' outputs for canonical Gaussians and a moment. `weights`: as join_weights(). `moved` as
  // carried_vertices() (null where there is no geometry to see), `felt` as felt_of(). Puts the colours that will be
  // moved back to rest where they are drawn, so that whoever else adds to colours can do so before conclude().
  void run(const float* weights, const avatar_cuda::NetworkGaussians& gaussians, const float* moved, const float* felt,
           CudaStream stream);
  void conclude(const avatar_cuda::NetworkGaussians& gaussians, CudaStream stream) const;
  // After run() and conclude() with the same arguments: gradients [weights], overwritten.
  void backward(const float* weights, const avatar_cuda::NetworkGaussians& gaussians,
                const avatar_cuda::DrawnGradients& drawn, const float* felt, float* gradients, CudaStream stream);

  int weight_count() const { return weight_count_; }
  bool shifts() const { return rotation_.layers.back().outputs > 3; }

 private:
  struct Layer {
    int inputs, outputs, gap_at, gap;
    int weight, bias;         // where in the array of all
    CudaArray<float> values;  // [K,outputs] while learning, of all but the last layer
    CudaArray<float> partial;
  };
  struct Network {
    int canonical = 0;
    std::vector<Layer> layers;
    CudaArray<float> inputs, outputs, shifted, slope;
  };
  void make(Network& network, const std::vector<G2aLayer>& source, const G2aOptions& options, int canonical,
            const std::vector<float>& places);
  avatar_cuda::DenseLayer dense_layer(const Layer& layer, const float* weights) const;
  void run(Network& network, const float* weights, CudaStream stream);
  void run_back(Network& network, const float* weights, avatar_cuda::WeightSums& sums, CudaStream stream);
  avatar_cuda::Conclusions conclusions() const;

  bool learns_;
  int vertices_, weight_count_ = 0, gap_ = 0;
  bool geometry_;
  Network feature_, rotation_;
  avatar_cuda::NetworkPoints points_ = {};
  CudaArray<std::int32_t> gaussian_;
  CudaArray<int4> anchors_;
  CudaArray<float4> anchor_weights_;
  CudaArray<float> hidden_[2];  // layers' values in turn: inputs of the next while running, slopes on the way back
};

}  // namespace mien
