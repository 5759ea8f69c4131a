// The speech networks in LibTorch, for training. What runs in the program is plain C++ (speech/layers.h); the tests
// hold the two against each other. Only the trainers include this header.
#pragma once

#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/rnn.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "mien/motion/s2g_settings.h"

namespace mien {

struct EncoderOutput {
  at::Tensor logits;      // [B, N, 40], step n speaks of slot n - its delay
  at::Tensor bottleneck;  // [B, N, 64]
};

class EncoderModuleImpl : public torch::nn::Module {
 public:
  explicit EncoderModuleImpl(double dropout);
  // Under Autocast the convolutions are in bfloat16, the recurrent layers and what follows never.
  EncoderOutput forward(const at::Tensor& features);  // [B, T, kMelBands] -> N = T / 2 steps

 private:
  torch::nn::Conv1d conv1_, conv2_;
  torch::nn::GRU gru_;
  torch::nn::Linear bottleneck_, phones_;
  double dropout_;
};
TORCH_MODULE(EncoderModule);

// What S2GNet says of a batch.
struct S2GOutput {
  at::Tensor weights;  // [B, K, E]
  at::Tensor offsets;  // [B, K, 3 M] millimetres, M = moving vertices; undefined without a head for them
};

class S2GModuleImpl : public torch::nn::Module {
 public:
  S2GModuleImpl(const S2GSettings& settings, int expressions, double dropout);
  S2GModuleImpl(int expressions, double dropout) : S2GModuleImpl(S2GSettings{}, expressions, dropout) {}

  const S2GSettings& settings() const { return settings_; }
  // Which vertices have offsets, and for kPca the basis [components, 3 M] in millimetres.
  void set_offsets(std::vector<std::int32_t> moving, const at::Tensor& basis);
  const std::vector<std::int32_t>& moving() const { return moving_; }
  const at::Tensor& basis() const { return basis_; }

  // features [B, N, width], emotion [B, K, 8] -> weights [B, K, E], of the default person.
  at::Tensor forward(const at::Tensor& features, const at::Tensor& emotion);
  // persons: one-hot [B, K, P] or what broadcasts to it; undefined = the default person.
  S2GOutput run(const at::Tensor& features, const at::Tensor& emotion, const at::Tensor& persons);
  // The same from frames that are stacked already [B, K, 2 width].
  S2GOutput run_stacked(const at::Tensor& stacked, const at::Tensor& emotion, const at::Tensor& persons);

 private:
  S2GSettings settings_;
  torch::nn::Linear input_, emotion_in_, emotion_out_, head_;
  torch::nn::Linear person_in_{nullptr}, person_out_{nullptr}, offset_head_{nullptr};
  torch::nn::GRU gru_;
  std::vector<std::int32_t> moving_;
  at::Tensor basis_;
  double dropout_;
};
TORCH_MODULE(S2GModule);

// Encoder outputs and energy [B, N, 2] as S2GNet takes them.
at::Tensor join_features(const EncoderOutput& encoder, const at::Tensor& energy);

// How many of K motion frames have all their input when N features have been heard.
std::int64_t usable_motion_frames(std::int64_t motion_frames, std::int64_t features, const S2GSettings& settings);

// Writes both networks as the program reads them (F16), atomically. `metadata` is added to the file's.
void save_speech_networks(const std::filesystem::path& path, const EncoderModule& encoder, const S2GModule& s2g,
                          const std::vector<std::string>& expression_names,
                          const std::map<std::string, std::string>& metadata);
// Loads them back for further training. What the file's net does not have, or has for another encoder or other
// vertices, stays as it is: persons (those it has are found by name), the offset head, the input layer. Throws
// kBadFile.
void load_speech_networks(const std::filesystem::path& path, const EncoderModule& encoder, const S2GModule& s2g);

}  // namespace mien
