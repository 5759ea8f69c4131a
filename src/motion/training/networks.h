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

namespace mien {

struct EncoderOutput {
  at::Tensor logits;      // [B, N, 40], step n speaks of slot n - kEncoderDelay
  at::Tensor bottleneck;  // [B, N, 64]
};

class EncoderModuleImpl : public torch::nn::Module {
 public:
  explicit EncoderModuleImpl(double dropout);
  EncoderOutput forward(const at::Tensor& features);  // [B, T, kMelBands] -> N = T / 2 steps

 private:
  torch::nn::Conv1d conv1_, conv2_;
  torch::nn::GRU gru_;
  torch::nn::Linear bottleneck_, phones_;
  double dropout_;
};
TORCH_MODULE(EncoderModule);

class S2GModuleImpl : public torch::nn::Module {
 public:
  S2GModuleImpl(int expressions, double dropout);
  // features [B, N, kEncoderFeatures], emotion [B, K, 8] -> weights [B, K, E].
  at::Tensor forward(const at::Tensor& features, const at::Tensor& emotion);

 private:
  torch::nn::Linear input_, emotion_in_, emotion_out_, head_;
  torch::nn::GRU gru_;
  double dropout_;
};
TORCH_MODULE(S2GModule);

// Encoder outputs and energy [B, N, 2] as S2GNet takes them.
at::Tensor join_features(const EncoderOutput& encoder, const at::Tensor& energy);

// How many of K motion frames have all their input when N = K / 0.6 steps have been heard.
inline std::int64_t usable_motion_frames(std::int64_t motion_frames) {
  return motion_frames - 1;
}

// Writes both networks as the program reads them (F16), atomically. `metadata` is added to the file's.
void save_speech_networks(const std::filesystem::path& path, const EncoderModule& encoder, const S2GModule& s2g,
                          const std::vector<std::string>& expression_names,
                          const std::map<std::string, std::string>& metadata);
// Loads them back for further training. Throws kBadFile.
void load_speech_networks(const std::filesystem::path& path, const EncoderModule& encoder, const S2GModule& s2g);

}  // namespace mien
