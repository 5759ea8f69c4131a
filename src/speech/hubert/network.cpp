#include "network.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "mien/base/error.h"
#include "mien/base/safetensors.h"

namespace mien {
namespace {

struct Affine {  // of a linear layer, a convolution or a normalisation
  at::Tensor weight, bias;
};

struct ConvLayer {
  Affine conv, norm;  // norm may be undefined
  int stride = 1;
};

struct AttentionLayer {
  Affine query, key, value, out, norm, up, down, final_norm;
};

at::Tensor activate(const at::Tensor& x, HubertActivation kind) {
  if (kind == HubertActivation::kRelu) return at::relu(x);
  return kind == HubertActivation::kGelu ? at::gelu(x) : at::gelu(x, "tanh");
}

at::Device parse_device(const std::string& name) {
  try {
    const at::Device device(name);
    at::empty({1}, at::TensorOptions().device(device));  // is it there?
    return device;
  } catch (const std::exception&) {
    throw Error(ErrorCode::kMissingFeature, fmt::format("the device \"{}\" cannot be used", name),
                "use --device cpu, or a LibTorch and driver with CUDA (mien doctor tells)");
  }
}

// Takes tensors out of the file, each checked against the shape that the config asks for.
class Loader {
 public:
  Loader(const SafetensorsFile& file, const at::Device& device) : file_(&file), device_(device) {
    for (const char* prefix : {"", "hubert.", "wav2vec2."}) {
      if (file.contains(std::string(prefix) + "feature_projection.projection.weight")) {
        prefix_ = prefix;
        return;
      }
    }
    throw Error(ErrorCode::kBadFile,
                file.path().string() +
                    ": has no tensor \"feature_projection.projection.weight\": not a HuBERT or "
                    "wav2vec 2.0 model",
                "give a folder saved by Hugging Face transformers with save_pretrained()");
  }
  bool has(const std::string& name) const { return file_->contains(prefix_ + name); }
  at::Tensor tensor(const std::string& name, const std::vector<std::int64_t>& shape) const {
    std::vector<float> values = file_->floats(prefix_ + name, shape);
    if (!std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); })) {
      throw Error(
          ErrorCode::kBadFile,
          fmt::format("{}: tensor \"{}\" holds a value that is not finite", file_->path().string(), prefix_ + name),
          "fetch the model again");
    }
    return at::from_blob(values.data(), shape, at::TensorOptions().dtype(at::kFloat)).clone().to(device_);
  }
  Affine affine(const std::string& name, const std::vector<std::int64_t>& shape, bool bias = true) const {
    Affine out{tensor(name + ".weight", shape), {}};
    if (bias) out.bias = tensor(name + ".bias", {shape[0]});
    return out;
  }
  Affine norm(const std::string& name, std::int64_t width) const { return affine(name, {width}); }
  Affine linear(const std::string& name, std::int64_t in, std::int64_t out) const { return affine(name, {out, in}); }

 private:
  const SafetensorsFile* file_;
  at::Device device_;
  std::string prefix_;
};

// The positional convolution's weight is stored as direction and length (weight normalisation, one length for each tap
// of the kernel), under the names of either of PyTorch's ways to do that; or plainly.
at::Tensor position_weight(const Loader& load, const HubertConfig& c) {
  const std::string conv = "encoder.pos_conv_embed.conv.";
  const std::vector<std::int64_t> shape = {c.hidden, c.hidden / c.position_groups, c.position_kernel};
  if (load.has(conv + "weight")) return load.tensor(conv + "weight", shape);
  const bool old = load.has(conv + "weight_g");
  const at::Tensor length =
      load.tensor(conv + (old ? "weight_g" : "parametrizations.weight.original0"), {1, 1, c.position_kernel});
  const at::Tensor direction = load.tensor(conv + (old ? "weight_v" : "parametrizations.weight.original1"), shape);
  return direction * (length / direction.norm(at::Scalar(2), at::IntArrayRef({0, 1}), true));
}

// LibTorch's own failures, which are almost always a lack of memory, as ours.
template <typename Body>
auto reporting_failures(const Body& body) {
  try {
    return body();
  } catch (const c10::Error& error) {
    const std::string what = error.what_without_backtrace();
    throw Error(ErrorCode::kIo, "LibTorch gave up on the speech network: " + what.substr(0, what.find('\n')),
                "if memory ran out, encode less at once (--whole 20) or use --device cpu");
  }
}

std::vector<float> to_floats(const at::Tensor& tensor) {
  const at::Tensor dense = tensor.to(at::kCPU).contiguous();
  const float* data = dense.data_ptr<float>();
  return {data, data + dense.numel()};
}

}  // namespace

struct HubertNetwork::Tensors {
  at::Device device;
  std::vector<ConvLayer> convolutions;
  Affine projection_norm, projection, position, encoder_norm;
  std::vector<AttentionLayer> layers;

  at::Tensor run(const HubertConfig& c, std::span<const float> samples, std::span<const float> layer_weights) const;
  Tensors(const HubertConfig& c, const SafetensorsFile& file, const std::string& device_name)
      : device(parse_device(device_name)) {
    const c10::InferenceMode guard;
    const Loader load(file, device);
    std::int64_t channels = 1;
    for (std::size_t i = 0; i < c.conv_dim.size(); ++i) {
      const std::string name = fmt::format("feature_extractor.conv_layers.{}.", i);
      ConvLayer& layer = convolutions.emplace_back();
      layer.conv = load.affine(name + "conv", {c.conv_dim[i], channels, c.conv_kernel[i]}, c.conv_bias);
      if (!c.group_norm || i == 0) layer.norm = load.norm(name + "layer_norm", c.conv_dim[i]);
      layer.stride = c.conv_stride[i];
      channels = c.conv_dim[i];
    }
    if (c.projection_norm) projection_norm = load.norm("feature_projection.layer_norm", channels);
    projection = load.linear("feature_projection.projection", channels, c.hidden);
    position = {position_weight(load, c), load.tensor("encoder.pos_conv_embed.conv.bias", {c.hidden})};
    encoder_norm = load.norm("encoder.layer_norm", c.hidden);
    for (int i = 0; i < c.layers; ++i) {
      const std::string name = fmt::format("encoder.layers.{}.", i);
      AttentionLayer& layer = layers.emplace_back();
      layer.query = load.linear(name + "attention.q_proj", c.hidden, c.hidden);
      layer.key = load.linear(name + "attention.k_proj", c.hidden, c.hidden);
      layer.value = load.linear(name + "attention.v_proj", c.hidden, c.hidden);
      layer.out = load.linear(name + "attention.out_proj", c.hidden, c.hidden);
      layer.norm = load.norm(name + "layer_norm", c.hidden);
      layer.up = load.linear(name + "feed_forward.intermediate_dense", c.hidden, c.intermediate);
      layer.down = load.linear(name + "feed_forward.output_dense", c.intermediate, c.hidden);
      layer.final_norm = load.norm(name + "final_layer_norm", c.hidden);
    }
  }
};

namespace {

at::Tensor linear(const at::Tensor& x, const Affine& layer) {
  return at::linear(x, layer.weight, layer.bias);
}

at::Tensor normalise(const at::Tensor& x, const Affine& layer, double epsilon = 1e-5) {
  return at::layer_norm(x, {x.size(-1)}, layer.weight, layer.bias, epsilon);
}

// [1, samples] to [frames, channels].
at::Tensor convolve(at::Tensor x, const std::vector<ConvLayer>& layers, const HubertConfig& c) {
  for (const ConvLayer& layer : layers) {
    x = at::conv1d(x, layer.conv.weight, layer.conv.bias, layer.stride);
    if (layer.norm.weight.defined()) {
      x = c.group_norm ? at::group_norm(x, x.size(1), layer.norm.weight, layer.norm.bias)
                       : normalise(x.transpose(1, 2), layer.norm).transpose(1, 2);
    }
    x = activate(x, c.conv_activation);
  }
  return x[0].transpose(0, 1);
}

at::Tensor attend(const at::Tensor& x, const AttentionLayer& layer, int heads) {
  const std::int64_t frames = x.size(0);
  const std::int64_t width = x.size(1) / heads;
  const auto split = [&](const Affine& part) { return linear(x, part).view({frames, heads, width}).transpose(0, 1); };
  const at::Tensor query = split(layer.query) * (1.0 / std::sqrt(static_cast<double>(width)));
  const at::Tensor shares = at::softmax(at::matmul(query, split(layer.key).transpose(1, 2)), -1);
  return linear(at::matmul(shares, split(layer.value)).transpose(0, 1).reshape({frames, heads * width}), layer.out);
}

at::Tensor feed_forward(const at::Tensor& x, const AttentionLayer& layer, HubertActivation activation) {
  return linear(activate(linear(x, layer.up), activation), layer.down);
}

}  // namespace

HubertNetwork::HubertNetwork(HubertConfig config, const SafetensorsFile& file, const std::string& device)
    : config_(std::move(config)),
      tensors_(reporting_failures([&] { return std::make_unique<const Tensors>(config_, file, device); })) {}
HubertNetwork::~HubertNetwork() = default;
HubertNetwork::HubertNetwork(HubertNetwork&&) noexcept = default;

at::Tensor HubertNetwork::Tensors::run(const HubertConfig& c, std::span<const float> samples,
                                       std::span<const float> layer_weights) const {
  at::Tensor x = at::empty({1, 1, static_cast<std::int64_t>(samples.size())}, at::TensorOptions().dtype(at::kFloat));
  std::memcpy(x.data_ptr<float>(), samples.data(), samples.size_bytes());
  x = convolve(x.to(device), convolutions, c);
  if (c.projection_norm) x = normalise(x, projection_norm, c.epsilon);
  x = linear(x, projection);
  at::Tensor place = at::conv1d(x.transpose(0, 1).unsqueeze(0), position.weight, position.bias, 1,
                                c.position_kernel / 2, 1, c.position_groups);
  place = place.narrow(2, 0, x.size(0));  // an even kernel gives one too many
  x = x + activate(place, c.conv_activation)[0].transpose(0, 1);
  if (!c.stable_norm) x = normalise(x, encoder_norm, c.epsilon);

  at::Tensor sum;
  const auto account = [&](std::size_t state) {
    if (layer_weights.empty()) return;
    const at::Tensor part = x * layer_weights[state];
    sum = sum.defined() ? sum + part : part;
  };
  for (std::size_t i = 0; i < layers.size(); ++i) {
    account(i);
    const AttentionLayer& layer = layers[i];
    if (c.stable_norm) {
      x = x + attend(normalise(x, layer.norm, c.epsilon), layer, c.heads);
      x = x + feed_forward(normalise(x, layer.final_norm, c.epsilon), layer, c.activation);
    } else {
      x = normalise(x + attend(x, layer, c.heads), layer.norm, c.epsilon);
      x = normalise(x + feed_forward(x, layer, c.activation), layer.final_norm, c.epsilon);
    }
  }
  if (c.stable_norm) x = normalise(x, encoder_norm, c.epsilon);
  account(layers.size());
  return sum.defined() ? sum : x;
}

std::vector<float> HubertNetwork::hidden(std::span<const float> samples, std::span<const float> layer_weights) const {
  MIEN_CHECK(samples.size() >= static_cast<std::size_t>(config_.receptive_field()), "{} samples", samples.size());
  return reporting_failures([&] {
    const c10::InferenceMode guard;
    return to_floats(tensors_->run(config_, samples, layer_weights));
  });
}

}  // namespace mien
