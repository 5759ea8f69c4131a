// The network itself, on LibTorch; this header is free of it.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "config.h"

namespace mien {

class SafetensorsFile;

// model.safetensors of a folder. Throws kNotFound with the mend when there are only PyTorch's own files.
SafetensorsFile open_hubert_weights(const std::filesystem::path& folder);

// Immutable; thread-safe.
class HubertNetwork {
 public:
  // Tensors may carry the prefix of a whole model ("hubert.", "wav2vec2."). Every shape is checked against the config
  // before it is read. Throws kBadFile naming file and tensor, kMissingFeature when the device is not there.
  HubertNetwork(HubertConfig config, const SafetensorsFile& file, const std::string& device);
  ~HubertNetwork();
  HubertNetwork(HubertNetwork&&) noexcept;

  const HubertConfig& config() const { return config_; }
  // Hidden states [config.frames(n), hidden] of n >= config.receptive_field() samples: the last layer's, or with
  // `layer_weights` [layers + 1] the sum of those before the first layer and after each, so weighted.
  std::vector<float> hidden(std::span<const float> samples, std::span<const float> layer_weights = {}) const;

 private:
  struct Tensors;
  HubertConfig config_;
  std::unique_ptr<const Tensors> tensors_;
};

// Samples as the network wants them: mean 0 and variance 1 when the config says so. NaN and infinite samples count as
// 0. Zeros are appended up to one receptive field.
std::vector<float> hubert_input(const HubertConfig& config, std::span<const float> samples);

}  // namespace mien
