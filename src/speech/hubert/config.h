// config.json and preprocessor_config.json of a HuBERT or wav2vec 2.0 model.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace mien {

enum class HubertActivation { kGelu, kGeluTanh, kRelu };

struct HubertConfig {
  std::string model_type;  // "hubert" or "wav2vec2"
  // Convolutions over the samples: one entry a layer.
  std::vector<int> conv_dim, conv_kernel, conv_stride;
  bool conv_bias = false;
  bool group_norm = true;  // base: over time, after the first layer only; otherwise (large) over channels, every layer
  HubertActivation conv_activation = HubertActivation::kGelu;
  // Transformer.
  bool projection_norm = true;
  int hidden = 768, intermediate = 3072, layers = 12, heads = 12;
  int position_kernel = 128, position_groups = 16;
  double epsilon = 1e-5;
  bool stable_norm = false;  // large: layers normalise their input; otherwise (base) their output
  HubertActivation activation = HubertActivation::kGelu;
  bool normalize_input = true;  // samples to mean 0, variance 1
  // Classifier.
  int classifier_width = 256;
  bool weighted_layers = false;
  std::vector<std::string> labels;

  int receptive_field() const;  // samples that one feature is made of
  int hop() const;              // samples from one feature to the next
  // Features of n samples; 0 below the receptive field.
  std::int64_t frames(std::int64_t samples) const;
};

// Every number is checked to lie in a sane range. Throws kNotFound, kBadFile, kUnsupported, naming file and key.
HubertConfig read_hubert_config(const std::filesystem::path& folder);

}  // namespace mien
