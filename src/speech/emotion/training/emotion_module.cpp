#include "speech/emotion/training/emotion_module.h"

#include <ATen/ATen.h>

#include <cmath>

#include "mien/base/safetensors.h"
#include "mien/speech/emotion_network.h"

namespace mien {
namespace {

// [N, N]: what a step still knows of an earlier one.
at::Tensor memory_of(std::int64_t steps, const at::Tensor& like) {
  const at::Tensor time = at::arange(steps, like.options());
  const at::Tensor age = time.unsqueeze(1) - time.unsqueeze(0);
  return at::exp(-age.clamp_min(0) / (kEmotionRate * kEmotionMemory)) * (age >= 0);
}

// LibTorch's "gru.weight_ih_l0" is "gru.weight_ih" in the file.
std::string file_name(std::string name) {
  if (name.ends_with("_l0")) name.resize(name.size() - 3);
  return "emotion." + name;
}

}  // namespace

EmotionModuleImpl::EmotionModuleImpl(std::vector<Emotion> classes, double dropout)
    : classes_(std::move(classes)),
      conv1_(register_module(
          "conv1", torch::nn::Conv1d(torch::nn::Conv1dOptions(kEmotionFeatures, kEmotionConv1, kEmotionKernel1)))),
      conv2_(register_module(
          "conv2",
          torch::nn::Conv1d(
              torch::nn::Conv1dOptions(kEmotionConv1, kEmotionConv2, kEmotionKernel2).stride(kEmotionStride)))),
      gru_(register_module("gru", torch::nn::GRU(torch::nn::GRUOptions(kEmotionConv2, kEmotionGru).batch_first(true)))),
      gate_(register_module("gate", torch::nn::Linear(kEmotionGru, 1))),
      wide_(register_module("wide", torch::nn::Linear(2 * kEmotionGru, kEmotionWide))),
      head_(register_module("head", torch::nn::Linear(kEmotionWide, kEmotionCount + 1))),
      dropout_(dropout) {}

EmotionOutput EmotionModuleImpl::forward(const at::Tensor& features) {
  // Zeros before the first frame make the convolutions causal; the second one's output n ends with frame 4 n + 3.
  at::Tensor x = features.transpose(1, 2);
  x = at::relu(conv1_->forward(at::constant_pad_nd(x, {kEmotionKernel1 - 1, 0})));
  x = at::relu(conv2_->forward(at::constant_pad_nd(x, {kEmotionKernel2 - kEmotionStride, 0})));
  x = at::dropout(x.transpose(1, 2), dropout_, is_training());
  x = std::get<0>(gru_->forward(x));
  const at::Tensor gate = at::sigmoid(gate_->forward(x));  // [B, N, 1]
  const at::Tensor memory = memory_of(x.size(1), x);
  const at::Tensor weight = at::matmul(memory, gate) + kEmotionLeastWeight;
  const at::Tensor mean = at::matmul(memory, gate * x) / weight;
  const at::Tensor variance = at::matmul(memory, gate * x * x) / weight - mean * mean;
  x = at::cat({mean, (variance.clamp_min(0) + kEmotionLeastVariance).sqrt()}, 2);
  x = at::relu(wide_->forward(at::dropout(x, dropout_, is_training())));
  const at::Tensor head = head_->forward(at::dropout(x, dropout_, is_training()));
  std::vector<at::Tensor> known;
  for (const Emotion e : classes_) known.push_back(head.select(2, static_cast<std::int64_t>(e)));
  return {at::stack(known, 2), head.select(2, kEmotionCount)};
}

void save_emotion_network(const std::filesystem::path& path, const EmotionModule& network,
                          const std::map<std::string, std::string>& metadata) {
  SafetensorsWriter out;
  for (const auto& [key, value] : metadata) out.metadata(key, value);
  std::string classes;
  for (const Emotion e : network->classes())
    classes += std::string(classes.empty() ? "" : " ") + kEmotionNames[static_cast<int>(e)];
  out.metadata("format", kEmotionNetworkFormat);
  out.metadata("features", EmotionFeatureStream::options().text());
  out.metadata("classes", classes);
  for (const auto& item : network->named_parameters()) {
    const at::Tensor value = item.value().detach().to(at::kCPU, at::kFloat).contiguous();
    out.add(file_name(item.key()), value.sizes().vec(),
            std::span<const float>(value.data_ptr<float>(), static_cast<std::size_t>(value.numel())));
  }
  out.write(path);
}

}  // namespace mien
