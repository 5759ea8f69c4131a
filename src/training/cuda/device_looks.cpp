#include "training/cuda/device_looks.h"

#include <algorithm>

#include "mien/base/error.h"

namespace mien {

using avatar_cuda::DenseLayer;
using training_cuda::LookArrays;
using training_cuda::LookGradients;

namespace {

constexpr const char* kWhat = "the appearances' values of every Gaussian";

}  // namespace

static_assert(training_cuda::kLookLatent == kLatent && training_cuda::kLookOutputs == kLookColours &&
              training_cuda::kLookBeside == kDirect);

DeviceLooks::DeviceLooks(GaussianAvatar& avatar, const std::vector<ParameterGroup>& groups, std::size_t first)
    : first_(first), count_(avatar.gaussians.count()), feature_row_(avatar.looks.feature_row()) {
  const Appearances& looks = avatar.looks;
  const auto n = static_cast<std::size_t>(count_);
  std::size_t group = first;
  for (const std::vector<float>& values : looks.features) features_.emplace_back().take(values, groups[group++].state);
  make(colour_, looks.colour);
  colour_weights_ = weight_count_;
  make(density_, looks.density);
  std::vector<float> weights;
  AdamState all;
  for (; group < groups.size(); ++group) {
    const ParameterGroup& g = groups[group];
    weights.insert(weights.end(), g.parameters->begin(), g.parameters->end());
    all.steps = g.state.steps;
    all.first.insert(all.first.end(), g.state.first.begin(), g.state.first.end());
    all.second.insert(all.second.end(), g.state.second.begin(), g.state.second.end());
  }
  MIEN_CHECK(static_cast<int>(weights.size()) == weight_count_, "{} weights of {}", weights.size(), weight_count_);
  weights_.take(weights, all);
  d_weights_.resize(weights.size());
  d_features_.resize(looks.features.front().size(), kWhat);
  nothing_ = std::vector<float>(looks.features.front().size(), 0.0f);
  // Z and base colour change from step to step, the place stays.
  const int row = colour_.layers.front().inputs;
  std::vector<float> inputs(n * static_cast<std::size_t>(row), 0.0f);
  if (looks.options.features == AppearanceFeatures::kGlobal) {
    const std::vector<float> places = look_places(avatar);
    const std::size_t place = places.size() / std::max<std::size_t>(1, n);
    for (std::size_t i = 0; i < n; ++i)
      std::copy_n(&places[i * place], place, &inputs[i * static_cast<std::size_t>(row) + kLatent + 3]);
  }
  inputs_ = inputs;
  const bool sees_latent = !looks.density.empty() && looks.density.front().inputs == kLatent;
  if (sees_latent) latent_.resize(n * kLatent, kWhat);
  dressed_sh_.resize(n * kShCoefficients * 3, kWhat);
  dressed_logits_.resize(n, kWhat);
  if (feature_row_ == 0) partial_.resize(std::size_t{training_cuda::kLookParts} * kLatent);
  arrays_.count = count_;
  arrays_.row = feature_row_;
  arrays_.inputs = inputs_.data();
  arrays_.input_row = row;
  arrays_.latent = sees_latent ? latent_.data() : nullptr;
  arrays_.colour = colour_.layers.back().values.data();
  arrays_.density = density_.layers.empty() ? nullptr : density_.layers.back().values.data();
  arrays_.dressed_sh = dressed_sh_.data();
  arrays_.dressed_logits = dressed_logits_.data();
}

void DeviceLooks::make(Network& network, const std::vector<G2aLayer>& source) {
  if (source.empty()) return;
  const auto n = static_cast<std::size_t>(count_);
  int widest = 0;
  for (const G2aLayer& from : source) {
    Layer& layer = network.layers.emplace_back();
    layer.inputs = from.inputs;
    layer.outputs = from.outputs;
    layer.weight = weight_count_;
    layer.bias = layer.weight + static_cast<int>(from.weight.size());
    weight_count_ = layer.bias + layer.outputs;
    layer.values.resize(n * static_cast<std::size_t>(layer.outputs), kWhat);
    layer.partial.resize(
        static_cast<std::size_t>(avatar_cuda::dense_parts(count_)) * layer.outputs * (layer.inputs + 1), kWhat);
    widest = std::max(widest, layer.outputs);
  }
  network.slope.resize(n * static_cast<std::size_t>(source.back().outputs), kWhat);
  network.input_slope.resize(n * static_cast<std::size_t>(source.front().inputs), kWhat);
  for (CudaArray<float>& hidden : hidden_)
    hidden.resize(std::max(hidden.size(), n * static_cast<std::size_t>(widest)), kWhat);
}

DenseLayer DeviceLooks::dense_layer(const Layer& layer) const {
  return {layer.inputs, layer.outputs, layer.inputs, 0, weights_.parameters.data() + layer.weight};
}

void DeviceLooks::run(Network& network, const float* x, CudaStream stream) {
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const Layer& layer = network.layers[l];
    avatar_cuda::dense(dense_layer(layer), x, count_, weights_.parameters.data() + layer.bias,
                       l + 1 < network.layers.size(), layer.values.data(), stream);
    x = layer.values.data();
  }
}

void DeviceLooks::run_back(Network& network, const float* inputs, avatar_cuda::WeightSums& sums, CudaStream stream) {
  const float* slope = network.slope.data();
  for (std::size_t l = network.layers.size(); l-- > 0;) {
    const Layer& layer = network.layers[l];
    const float* x = l == 0 ? inputs : network.layers[l - 1].values.data();
    avatar_cuda::dense_weights(dense_layer(layer), x, slope, count_, layer.partial.data(), stream);
    float* next = l == 0 ? network.input_slope.data() : hidden_[l % 2].data();
    avatar_cuda::dense_back(dense_layer(layer), slope, l == 0 ? nullptr : x, count_, next, stream);
    slope = next;
  }
  for (const Layer& layer : network.layers)
    sums.layer[sums.layers++] = {layer.inputs,        layer.outputs, layer.inputs, 0, layer.bias + layer.outputs,
                                 layer.partial.data()};
}

void DeviceLooks::dress(int appearance, const float* sh, const float* logits, float* shown, float* opacities,
                        CudaStream stream) {
  last_ = appearance;
  arrays_.features = features_[static_cast<std::size_t>(appearance)].parameters.data();
  arrays_.sh = sh;
  arrays_.logits = logits;
  arrays_.shown = shown;
  arrays_.opacities = opacities;
  training_cuda::take_features(arrays_, stream);
  run(colour_, arrays_.inputs, stream);
  if (!density_.layers.empty()) run(density_, density_x(), stream);
  training_cuda::dress(arrays_, stream);
}

void DeviceLooks::backward(const float* d_sh, const float* d_opacities, const float* opacities, CudaStream stream) {
  LookArrays arrays = arrays_;
  arrays.opacities = const_cast<float*>(opacities);  // read only here
  LookGradients g = {};
  g.d_sh = d_sh;
  g.d_opacities = d_opacities;
  g.colour_slope = colour_.slope.data();
  g.density_slope = density_.slope.data();
  training_cuda::look_slopes(arrays, g, stream);
  avatar_cuda::WeightSums sums = {};
  sums.parts = avatar_cuda::dense_parts(count_);
  sums.gradients = d_weights_.data();
  run_back(colour_, arrays.inputs, sums, stream);
  if (!density_.layers.empty()) run_back(density_, density_x(), sums, stream);
  avatar_cuda::sum_weights(sums, stream);
  g.colour_inputs = colour_.input_slope.data();
  g.density_inputs = density_.input_slope.data();
  g.density_row = density_.layers.empty() ? 0 : density_.layers.front().inputs;
  g.features = d_features_.data();
  g.partial = partial_.data();
  training_cuda::look_features(arrays, g, stream);
}

DeviceLooks::Learning DeviceLooks::features(int appearance) const {
  const DeviceArray& array = features_[static_cast<std::size_t>(appearance)];
  return {array.moments(), appearance == last_ ? d_features_.data() : nothing_.data(),
          static_cast<int>(array.parameters.size())};
}
DeviceLooks::Learning DeviceLooks::colour_weights() const {
  return {weights_.moments(), d_weights_.data(), colour_weights_};
}
DeviceLooks::Learning DeviceLooks::density_weights() const {
  const training_cuda::Moments m = weights_.moments();
  return {{m.parameters + colour_weights_, m.first + colour_weights_, m.second + colour_weights_},
          d_weights_.data() + colour_weights_,
          weight_count_ - colour_weights_};
}

DeviceLooks::Learning DeviceLooks::weights() const {
  return {weights_.moments(), d_weights_.data(), weight_count_};
}

void DeviceLooks::store(std::vector<ParameterGroup>& groups) const {
  std::size_t group = first_;
  for (const DeviceArray& features : features_) {
    features.give(*groups[group].parameters, groups[group].state);
    ++group;
  }
  std::vector<float> values;
  AdamState all;
  all.steps = group < groups.size() ? groups[group].state.steps : 0;
  weights_.give(values, all);
  auto at = std::ptrdiff_t{0};
  for (; group < groups.size(); ++group) {
    const auto end = at + static_cast<std::ptrdiff_t>(groups[group].parameters->size());
    groups[group].parameters->assign(values.begin() + at, values.begin() + end);
    if (all.steps > 0) {
      groups[group].state.first.assign(all.first.begin() + at, all.first.begin() + end);
      groups[group].state.second.assign(all.second.begin() + at, all.second.begin() + end);
    }
    at = end;
  }
}

}  // namespace mien
