// The emotion network in LibTorch, for training. What runs in the program is plain C++ (emotion_network.h); the tests
// hold the two against each other.
#pragma once

#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/rnn.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "mien/head/emotion.h"

namespace mien {

struct EmotionOutput {
  at::Tensor logits;     // [B, N, classes], in the order of `classes`
  at::Tensor intensity;  // [B, N], before the sigmoid
};

class EmotionModuleImpl : public torch::nn::Module {
 public:
  EmotionModuleImpl(std::vector<Emotion> classes, double dropout);
  EmotionOutput forward(const at::Tensor& features);  // [B, T, kEmotionFeatures] -> N = T / kEmotionStride steps
  const std::vector<Emotion>& classes() const { return classes_; }

 private:
  std::vector<Emotion> classes_;
  torch::nn::Conv1d conv1_, conv2_;
  torch::nn::GRU gru_;
  torch::nn::Linear gate_, wide_, head_;
  double dropout_;
};
TORCH_MODULE(EmotionModule);

// Writes the network as the program reads it, atomically; `metadata` is added to the file's.
void save_emotion_network(const std::filesystem::path& path, const EmotionModule& network,
                          const std::map<std::string, std::string>& metadata);

}  // namespace mien
