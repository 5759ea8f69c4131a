#include "gaussian_avatar/cuda/device_networks.h"

#include <cuda_runtime_api.h>

#include <algorithm>

#include "cuda/check.h"
#include "mien/base/error.h"
#include "mien/gaussian_avatar/initialise.h"

namespace mien {

using namespace avatar_cuda;

namespace {

constexpr const char* kWhat = "the networks' values of every Gaussian";

}  // namespace

static_assert(kColourRow == kG2aFeatureCanonical && kColourOutputs == kG2aColours &&
              kTurnRow == kG2aRotationCanonical && kShiftUnit == kG2aShift);

int felt_count(const G2aNet& net) {
  return kEmotionCount + net.options.sound;
}

std::vector<float> felt_of(const G2aNet& net, const MotionFrame& frame) {
  std::vector<float> felt(static_cast<std::size_t>(felt_count(net)), 0.0f);
  const EmotionVector emotion = g2a_emotion(frame.emotion);
  if (net.options.emotion) std::copy(emotion.begin(), emotion.end(), felt.begin());
  std::copy_n(frame.sound.begin(), std::min(frame.sound.size(), felt.size() - kEmotionCount),
              felt.begin() + kEmotionCount);
  return felt;
}

std::vector<float> carried_vertices(const HeadModel& head, const std::vector<Vec3>& unposed) {
  constexpr float kCentimetres = 100;
  const std::vector<Vec3>& canonical = head.mesh.positions;
  std::vector<float> out;
  out.reserve(3 * canonical.size() + 3);
  Eigen::Vector3d sum = Eigen::Vector3d::Zero();
  int moving = 0;
  for (std::size_t v = 0; v < canonical.size(); ++v) {
    const Vec3 d = unposed[v] - canonical[v], far = kCentimetres * d;
    out.insert(out.end(), {far.x(), far.y(), far.z()});
    if (is_rigid_region(head.region[v])) continue;
    sum += d.cast<double>();
    ++moving;
  }
  const Vec3 shift = (kCentimetres * sum / std::max(moving, 1)).cast<float>();
  out.insert(out.end(), {shift.x(), shift.y(), shift.z()});
  return out;
}

std::vector<float> join_weights(const G2aNet& net) {
  std::vector<float> out;
  for (const auto* stack : {&net.feature, &net.rotation}) {
    for (const G2aLayer& layer : *stack) {
      out.insert(out.end(), layer.weight.begin(), layer.weight.end());
      out.insert(out.end(), layer.bias.begin(), layer.bias.end());
    }
  }
  return out;
}

DeviceNetworks::DeviceNetworks(const GaussianAvatar& avatar, bool learns)
    : learns_(learns), vertices_(avatar.head.vertex_count()), geometry_(avatar.g2anet.options.geometry()) {
  const G2aNet& net = avatar.g2anet;
  MIEN_CHECK(!net.empty() && !net.rotation.empty(), "networks of {} Gaussians", net.gaussian.size());
  MIEN_CHECK(net.feature.size() + net.rotation.size() <= kMostLayers, "{} and {} layers", net.feature.size(),
             net.rotation.size());
  gap_ = felt_count(net);
  gaussian_ = net.gaussian;
  std::vector<int4> anchors;
  std::vector<float4> weights;
  for (const std::int32_t i : net.gaussian) {
    const GaussianAnchor& a = avatar.anchors[static_cast<std::size_t>(i)];
    anchors.push_back({a.vertex[0], a.vertex[1], a.vertex[2], a.vertex[3]});
    weights.push_back({a.weight[0], a.weight[1], a.weight[2], a.weight[3]});
  }
  anchors_ = anchors;
  anchor_weights_ = weights;
  points_ = {static_cast<int>(net.gaussian.size()), gaussian_.data(), anchors_.data(), anchor_weights_.data()};
  const std::vector<float> places = g2a_places(avatar);
  make(feature_, net.feature, net.options, kG2aFeatureCanonical, places);
  make(rotation_, net.rotation, net.options, kG2aRotationCanonical, places);
}

void DeviceNetworks::make(Network& network, const std::vector<G2aLayer>& source, const G2aOptions& options,
                          int canonical, const std::vector<float>& places) {
  if (source.empty()) return;
  const auto count = static_cast<std::size_t>(points_.count);
  network.canonical = canonical;
  int widest = 0;
  for (const G2aLayer& from : source) {
    Layer& layer = network.layers.emplace_back();
    const bool first = network.layers.size() == 1, last = network.layers.size() == source.size();
    layer.gap_at = first ? canonical : from.inputs;
    layer.gap = first ? gap_ : 0;
    layer.inputs = from.inputs - layer.gap;
    layer.outputs = from.outputs;
    layer.weight = weight_count_;
    layer.bias = layer.weight + static_cast<int>(from.weight.size());
    weight_count_ = layer.bias + static_cast<int>(from.bias.size());
    if (!last) widest = std::max(widest, layer.outputs);
    if (learns_) {
      if (!last) layer.values.resize(count * layer.outputs, kWhat);
      layer.partial.resize(static_cast<std::size_t>(dense_parts(points_.count)) * layer.outputs * (layer.inputs + 1),
                           kWhat);
    }
  }
  const int row = network.layers.front().inputs;
  const std::size_t place = places.size() / count;
  MIEN_CHECK(row == canonical + static_cast<int>(place) + g2a_displacement_count(options),
             "{} inputs for {} canonical values and {} of the place", row, canonical, place);
  std::vector<float> inputs(count * row, 0.0f);
  for (std::size_t k = 0; k < count; ++k) std::copy_n(&places[k * place], place, &inputs[k * row + canonical]);
  network.inputs = inputs;
  network.outputs.resize(count * source.back().outputs, kWhat);
  network.shifted.resize(static_cast<std::size_t>(source.front().outputs));
  if (learns_) network.slope.resize(network.outputs.size());
  for (CudaArray<float>& hidden : hidden_) hidden.resize(std::max(hidden.size(), count * widest), kWhat);
}

DenseLayer DeviceNetworks::dense_layer(const Layer& layer, const float* weights) const {
  return {layer.inputs, layer.outputs, layer.gap_at, layer.gap, weights + layer.weight};
}

Conclusions DeviceNetworks::conclusions() const {
  Conclusions out = {};
  if (!feature_.layers.empty()) {
    out.feature = feature_.outputs.data();
    out.feature_row = feature_.layers.back().outputs;
  }
  out.rotation = rotation_.outputs.data();
  out.rotation_row = rotation_.layers.back().outputs;
  return out;
}

void DeviceNetworks::run(const float* weights, const NetworkGaussians& gaussians, const float* moved, const float* felt,
                         CudaStream stream) {
  const bool coloured = !feature_.layers.empty();
  if (coloured) take_colours(points_, gaussians, feature_.inputs.data(), feature_.layers.front().inputs, stream);
  take_turns(points_, gaussians.quats, rotation_.inputs.data(), rotation_.layers.front().inputs, stream);
  if (geometry_) {
    Displacements job = {};
    job.moved = moved;
    job.vertices = vertices_;
    if (coloured) {
      job.feature = feature_.inputs.data();
      job.feature_row = feature_.layers.front().inputs;
    }
    job.rotation = rotation_.inputs.data();
    job.rotation_row = rotation_.layers.front().inputs;
    take_displacements(points_, job, stream);
  }
  Felt job = {};
  job.felt = felt;
  job.gap = gap_;
  for (Network* network : {&feature_, &rotation_}) {
    if (network->layers.empty()) continue;
    const Layer& first = network->layers.front();
    job.network[job.networks++] = {weights + first.weight, weights + first.bias, first.inputs + first.gap,
                                   first.outputs,          first.gap_at,         network->shifted.data()};
  }
  feel(job, stream);
  for (Network* network : {&feature_, &rotation_}) run(*network, weights, stream);
}

void DeviceNetworks::run(Network& network, const float* weights, CudaStream stream) {
  const float* x = network.inputs.data();
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const Layer& layer = network.layers[l];
    const bool last = l + 1 == network.layers.size();
    float* y = last ? network.outputs.data() : learns_ ? layer.values.data() : hidden_[l % 2].data();
    dense(dense_layer(layer, weights), x, points_.count, l == 0 ? network.shifted.data() : weights + layer.bias, !last,
          y, stream);
    x = y;
  }
}

void DeviceNetworks::conclude(const NetworkGaussians& gaussians, CudaStream stream) const {
  avatar_cuda::conclude(points_, gaussians, conclusions(), stream);
}

void DeviceNetworks::backward(const float* weights, const NetworkGaussians& gaussians, const DrawnGradients& drawn,
                              const float* felt, float* gradients, CudaStream stream) {
  MIEN_CHECK(learns_, "networks made to draw only, {} weights", weight_count_);
  conclude_back(points_, gaussians, conclusions(), drawn, feature_.slope.data(), rotation_.slope.data(), stream);
  WeightSums sums = {};
  sums.parts = dense_parts(points_.count);
  sums.felt = felt;
  sums.gradients = gradients;
  for (Network* network : {&feature_, &rotation_}) run_back(*network, weights, sums, stream);
  sum_weights(sums, stream);
}

void DeviceNetworks::run_back(Network& network, const float* weights, WeightSums& sums, CudaStream stream) {
  const float* slope = network.slope.data();
  for (std::size_t l = network.layers.size(); l-- > 0;) {
    const Layer& layer = network.layers[l];
    const float* x = l == 0 ? network.inputs.data() : network.layers[l - 1].values.data();
    dense_weights(dense_layer(layer, weights), x, slope, points_.count, layer.partial.data(), stream);
    if (l == 0) break;
    dense_back(dense_layer(layer, weights), slope, x, points_.count, hidden_[l % 2].data(), stream);
    slope = hidden_[l % 2].data();
  }
  for (const Layer& layer : network.layers) {
    const int end = layer.bias + layer.outputs;
    sums.layer[sums.layers++] = {layer.inputs, layer.outputs, layer.gap_at, layer.gap, end, layer.partial.data()};
  }
}

}  // namespace mien
