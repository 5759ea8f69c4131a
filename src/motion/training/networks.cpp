#include "motion/training/networks.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <sstream>

#include "mien/base/error.h"
#include "mien/base/safetensors.h"
#include "mien/head/emotion.h"
#include "mien/motion/s2gnet.h"
#include "mien/speech/phonetic_encoder.h"

namespace mien {
namespace {

torch::nn::GRU make_gru(int inputs, int hidden, double dropout) {
  return torch::nn::GRU(torch::nn::GRUOptions(inputs, hidden).num_layers(2).batch_first(true).dropout(dropout));
}

// LibTorch's "gru.weight_ih_l1" is "gru2.weight_ih" in the file.
std::string file_name(const std::string& prefix, std::string name) {
  const std::size_t at = name.find("gru.");
  if (at != std::string::npos) {
    const std::string layer = name.substr(name.size() - 1) == "0" ? "1" : "2";
    name = name.substr(0, at) + "gru" + layer + name.substr(at + 3, name.size() - at - 3 - 3);
  }
  return prefix + "." + name;
}

void add_parameters(SafetensorsWriter& out, const std::string& prefix, const torch::nn::Module& module) {
  for (const auto& item : module.named_parameters()) {
    const at::Tensor value = item.value().detach().to(at::kCPU, at::kFloat).contiguous();
    out.add_half(file_name(prefix, item.key()), value.sizes().vec(),
                 std::span<const float>(value.data_ptr<float>(), static_cast<std::size_t>(value.numel())));
  }
}

void read_parameters(const SafetensorsFile& file, const std::string& prefix, const torch::nn::Module& module) {
  const at::NoGradGuard no_grad;
  for (const auto& item : module.named_parameters()) {
    at::Tensor parameter = item.value();
    const std::vector<float> values = file.floats(file_name(prefix, item.key()), parameter.sizes().vec());
    parameter.copy_(at::from_blob(const_cast<float*>(values.data()), parameter.sizes(), at::kFloat));
  }
}

}  // namespace

EncoderModuleImpl::EncoderModuleImpl(double dropout)
    : conv1_(register_module("conv1",
                             torch::nn::Conv1d(torch::nn::Conv1dOptions(kMelBands, kEncoderConv1, kEncoderKernel1)))),
      conv2_(register_module(
          "conv2",
          torch::nn::Conv1d(torch::nn::Conv1dOptions(kEncoderConv1, kEncoderConv2, kEncoderKernel2).stride(2)))),
      gru_(register_module("gru", make_gru(kEncoderConv2, kEncoderHidden, dropout))),
      bottleneck_(register_module("bottleneck", torch::nn::Linear(kEncoderHidden, kEncoderBottleneck))),
      phones_(register_module("phones", torch::nn::Linear(kEncoderBottleneck, kPhoneCount))),
      dropout_(dropout) {}

EncoderOutput EncoderModuleImpl::forward(const at::Tensor& features) {
  // Zeros before the first frame make the convolutions causal; the second one's output n ends with frame 2n + 1.
  at::Tensor x = features.transpose(1, 2);
  x = at::relu(conv1_->forward(at::constant_pad_nd(x, {kEncoderKernel1 - 1, 0})));
  x = at::relu(conv2_->forward(at::constant_pad_nd(x, {kEncoderKernel2 - 2, 0})));
  x = at::dropout(x.transpose(1, 2), dropout_, is_training());
  x = std::get<0>(gru_->forward(x));
  x = at::dropout(x, dropout_, is_training());
  const at::Tensor bottleneck = at::tanh(bottleneck_->forward(x));
  return {phones_->forward(bottleneck), bottleneck};
}

S2GModuleImpl::S2GModuleImpl(int expressions, double dropout)
    : input_(register_module("input", torch::nn::Linear(2 * kEncoderFeatures, kS2GHidden))),
      emotion_in_(register_module("emotion_in",
                                  torch::nn::Linear(torch::nn::LinearOptions(kEmotionCount, kS2GHidden).bias(false)))),
      emotion_out_(register_module("emotion_out",
                                   torch::nn::Linear(torch::nn::LinearOptions(kEmotionCount, kS2GHidden).bias(false)))),
      head_(register_module("head", torch::nn::Linear(kS2GHidden, expressions))),
      gru_(register_module("gru", make_gru(kS2GHidden, kS2GHidden, dropout))),
      dropout_(dropout) {
  const at::NoGradGuard no_grad;
  // Every emotion starts as "multiply by one", a little apart; the face starts neutral.
  for (const torch::nn::Linear& gate : {emotion_in_, emotion_out_}) gate->weight.normal_(1.0, 0.2);
  head_->weight.zero_();
  head_->bias.zero_();
}

at::Tensor S2GModuleImpl::forward(const at::Tensor& features, const at::Tensor& emotion) {
  // (The tensors must own their memory: the backward pass needs them later.)
  // Two instants a frame, between encoder steps by linear interpolation: sixths of a step, as S2GNet::taps() has them.
  const std::int64_t frames = emotion.size(1);
  std::vector<at::Tensor> parts;
  for (int tap = 0; tap < 2; ++tap) {
    std::vector<std::int64_t> low(frames);
    std::vector<std::int64_t> high(frames);
    std::vector<float> share(frames);
    for (std::int64_t k = 0; k < frames; ++k) {
      const S2GTap t = s2g_tap(k, tap);
      low[k] = t.low;
      high[k] = t.high;
      share[k] = t.share;
    }
    const auto index = [&](std::vector<std::int64_t>& v) {
      return at::from_blob(v.data(), {frames}, at::kLong).clone().to(features.device());
    };
    const at::Tensor weight = at::from_blob(share.data(), {1, frames, 1}, at::kFloat).clone().to(features.device());
    const at::Tensor below = features.index_select(1, index(low));
    parts.push_back(below + weight * (features.index_select(1, index(high)) - below));
  }
  at::Tensor x = at::relu(input_->forward(at::cat(parts, 2)));
  x = at::dropout(x, dropout_, is_training()) * emotion_in_->forward(emotion);
  x = std::get<0>(gru_->forward(x));
  x = at::dropout(x, dropout_, is_training()) * emotion_out_->forward(emotion);
  return head_->forward(x);
}

at::Tensor join_features(const EncoderOutput& encoder, const at::Tensor& energy) {
  return at::cat({at::softmax(encoder.logits, -1), encoder.bottleneck, energy}, 2);
}

void save_speech_networks(const std::filesystem::path& path, const EncoderModule& encoder, const S2GModule& s2g,
                          const std::vector<std::string>& expression_names,
                          const std::map<std::string, std::string>& metadata) {
  SafetensorsWriter out;
  for (const auto& [key, value] : metadata) out.metadata(key, value);
  std::string names;
  for (const std::string& name : expression_names) names += (names.empty() ? "" : " ") + name;
  out.metadata("format", kSpeechModelFormat);
  out.metadata("expression_names", names);
  add_parameters(out, "encoder", *encoder);
  add_parameters(out, "s2g", *s2g);
  out.write(path);
}

void load_speech_networks(const std::filesystem::path& path, const EncoderModule& encoder, const S2GModule& s2g) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  read_parameters(file, "encoder", *encoder);
  read_parameters(file, "s2g", *s2g);
}

}  // namespace mien
