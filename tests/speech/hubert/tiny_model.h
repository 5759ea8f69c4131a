// A HuBERT or wav2vec 2.0 model of a few thousand random weights in Hugging Face's layout, and what it computes: each
// layer by its definition, in double, without LibTorch.
#pragma once

#include <cmath>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/base/json.h"
#include "mien/base/random.h"
#include "mien/base/safetensors.h"

namespace mien::testing {

struct TinyModel {
  bool large = false;      // layer norm, pre-norm, convolutions with bias
  bool old_names = false;  // weight_g and weight_v
  bool classifier = false;
  bool weighted_layers = false;
  int position_kernel = 6;
  std::string prefix;  // "hubert.", "wav2vec2."
  std::string model_type = "hubert";
  std::vector<std::string> labels = {"angry", "calm", "LABEL_2"};

  static constexpr int kChannels = 8, kHidden = 12, kHeads = 3, kIntermediate = 20, kLayers = 2, kGroups = 3,
                       kClassifier = 5;
  std::vector<int> kernels = {10, 3, 3, 3, 3, 2, 2}, strides = {5, 2, 2, 2, 2, 2, 2};

  struct Tensor {
    std::vector<std::int64_t> shape;
    std::vector<float> values;
  };
  std::map<std::string, Tensor> tensors;  // names without prefix
  Json config;

  void make(std::uint64_t seed) {
    Random random(seed);
    const auto add = [&](const std::string& name, std::vector<std::int64_t> shape, float mean = 0,
                         float deviation = -1) {
      std::int64_t count = 1;
      for (const std::int64_t n : shape) count *= n;
      if (deviation < 0) deviation = shape.size() == 1 ? 0.2f : 1.5f / std::sqrt(static_cast<float>(count / shape[0]));
      Tensor& t = tensors[name];
      t.shape = std::move(shape);
      for (std::int64_t i = 0; i < count; ++i) t.values.push_back(mean + deviation * random.normal());
    };
    const auto norm = [&](const std::string& name, int width) {
      add(name + ".weight", {width}, 1, 0.2f);
      add(name + ".bias", {width});
    };
    const auto linear = [&](const std::string& name, int in, int out) {
      add(name + ".weight", {out, in});
      add(name + ".bias", {out});
    };
    for (int i = 0; i < 7; ++i) {
      const std::string name = fmt::format("feature_extractor.conv_layers.{}.", i);
      add(name + "conv.weight", {kChannels, i == 0 ? 1 : kChannels, kernels[i]});
      if (large) add(name + "conv.bias", {kChannels});
      if (large || i == 0) norm(name + "layer_norm", kChannels);
    }
    norm("feature_projection.layer_norm", kChannels);
    linear("feature_projection.projection", kChannels, kHidden);
    const std::string conv = "encoder.pos_conv_embed.conv.";
    add(conv + (old_names ? "weight_g" : "parametrizations.weight.original0"), {1, 1, position_kernel}, 1, 0.3f);
    add(conv + (old_names ? "weight_v" : "parametrizations.weight.original1"),
        {kHidden, kHidden / kGroups, position_kernel});
    add(conv + "bias", {kHidden});
    norm("encoder.layer_norm", kHidden);
    for (int i = 0; i < kLayers; ++i) {
      const std::string name = fmt::format("encoder.layers.{}.", i);
      for (const char* part : {"q_proj", "k_proj", "v_proj", "out_proj"})
        linear(name + "attention." + part, kHidden, kHidden);
      linear(name + "feed_forward.intermediate_dense", kHidden, kIntermediate);
      linear(name + "feed_forward.output_dense", kIntermediate, kHidden);
      norm(name + "layer_norm", kHidden);
      norm(name + "final_layer_norm", kHidden);
    }
    linear("projector", kHidden, kClassifier);
    linear("classifier", kClassifier, static_cast<int>(labels.size()));
    if (weighted_layers) add("layer_weights", {kLayers + 1}, 0, 1);
    add("masked_spec_embed", {kHidden});  // there, but not used
    config = {{"model_type", model_type},
              {"conv_dim", std::vector<int>(7, kChannels)},
              {"conv_kernel", kernels},
              {"conv_stride", strides},
              {"conv_bias", large},
              {"feat_extract_norm", large ? "layer" : "group"},
              {"feat_extract_activation", "gelu"},
              {"hidden_act", "gelu"},
              {"hidden_size", kHidden},
              {"intermediate_size", kIntermediate},
              {"num_hidden_layers", kLayers},
              {"num_attention_heads", kHeads},
              {"num_conv_pos_embeddings", position_kernel},
              {"num_conv_pos_embedding_groups", kGroups},
              {"layer_norm_eps", 1e-5},
              {"do_stable_layer_norm", large}};
    if (classifier) {
      config["classifier_proj_size"] = kClassifier;
      config["use_weighted_layer_sum"] = weighted_layers;
      for (std::size_t i = 0; i < labels.size(); ++i) config["id2label"][std::to_string(i)] = labels[i];
    }
  }

  void write(const std::filesystem::path& folder) const {
    std::filesystem::create_directories(folder);
    write_json(folder / "config.json", config);
    SafetensorsWriter writer;
    for (const auto& [name, tensor] : tensors) {
      const bool head = name.rfind("projector", 0) == 0 || name.rfind("classifier", 0) == 0 || name == "layer_weights";
      if (head && !classifier) continue;
      writer.add(head ? name : prefix + name, tensor.shape, tensor.values);
    }
    writer.write(folder / "model.safetensors");
  }

  // --- what it computes ------------------------------------------------------------------------------------------

  using Rows = std::vector<std::vector<double>>;  // [time][channel]

  const std::vector<float>& values(const std::string& name) const { return tensors.at(name).values; }

  static double gelu(double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }

  void normalise(std::vector<double>& x, const std::string& name) const {
    double mean = 0, variance = 0;
    for (const double v : x) mean += v / static_cast<double>(x.size());
    for (const double v : x) variance += (v - mean) * (v - mean) / static_cast<double>(x.size());
    for (std::size_t i = 0; i < x.size(); ++i)
      x[i] = (x[i] - mean) / std::sqrt(variance + 1e-5) * values(name + ".weight")[i] + values(name + ".bias")[i];
  }
  Rows normalised(Rows x, const std::string& name) const {
    for (auto& row : x) normalise(row, name);
    return x;
  }
  Rows linear(const Rows& x, const std::string& name) const {
    const auto& shape = tensors.at(name + ".weight").shape;
    Rows out(x.size(), std::vector<double>(shape[0]));
    for (std::size_t t = 0; t < x.size(); ++t) {
      for (std::int64_t o = 0; o < shape[0]; ++o) {
        double sum = values(name + ".bias")[o];
        for (std::int64_t i = 0; i < shape[1]; ++i) sum += values(name + ".weight")[o * shape[1] + i] * x[t][i];
        out[t][o] = sum;
      }
    }
    return out;
  }
  static Rows plus(Rows a, const Rows& b) {
    for (std::size_t t = 0; t < a.size(); ++t)
      for (std::size_t i = 0; i < a[t].size(); ++i) a[t][i] += b[t][i];
    return a;
  }

  Rows convolutions(const std::vector<float>& samples) const {
    Rows x;
    for (const float s : samples) x.push_back({s});
    for (int layer = 0; layer < 7; ++layer) {
      const std::string name = fmt::format("feature_extractor.conv_layers.{}.", layer);
      const int in = layer == 0 ? 1 : kChannels;
      Rows out((x.size() - kernels[layer]) / strides[layer] + 1, std::vector<double>(kChannels));
      for (std::size_t t = 0; t < out.size(); ++t) {
        for (int o = 0; o < kChannels; ++o) {
          double sum = large ? values(name + "conv.bias")[o] : 0;
          for (int i = 0; i < in; ++i)
            for (int k = 0; k < kernels[layer]; ++k)
              sum += values(name + "conv.weight")[(o * in + i) * kernels[layer] + k] * x[t * strides[layer] + k][i];
          out[t][o] = sum;
        }
      }
      if (large) {
        out = normalised(out, name + "layer_norm");
      } else if (layer == 0) {  // each channel over time
        for (int o = 0; o < kChannels; ++o) {
          double mean = 0, variance = 0;
          const auto n = static_cast<double>(out.size());
          for (const auto& row : out) mean += row[o] / n;
          for (const auto& row : out) variance += (row[o] - mean) * (row[o] - mean) / n;
          for (auto& row : out)
            row[o] = (row[o] - mean) / std::sqrt(variance + 1e-5) * values(name + "layer_norm.weight")[o] +
                     values(name + "layer_norm.bias")[o];
        }
      }
      for (auto& row : out)
        for (double& v : row) v = gelu(v);
      x = out;
    }
    return x;
  }

  Rows position(const Rows& x) const {
    const std::string conv = "encoder.pos_conv_embed.conv.";
    const auto& g = values(conv + (old_names ? "weight_g" : "parametrizations.weight.original0"));
    const auto& v = values(conv + (old_names ? "weight_v" : "parametrizations.weight.original1"));
    const int in = kHidden / kGroups;
    std::vector<double> length(position_kernel);
    for (std::size_t i = 0; i < v.size(); ++i) length[i % position_kernel] += static_cast<double>(v[i]) * v[i];
    Rows out(x.size(), std::vector<double>(kHidden));
    for (int t = 0; t < static_cast<int>(x.size()); ++t) {
      for (int o = 0; o < kHidden; ++o) {
        double sum = values(conv + "bias")[o];
        for (int i = 0; i < in; ++i) {
          for (int k = 0; k < position_kernel; ++k) {
            const int at = t + k - position_kernel / 2;
            if (at < 0 || at >= static_cast<int>(x.size())) continue;
            const double weight = v[(o * in + i) * position_kernel + k] * g[k] / std::sqrt(length[k]);
            sum += weight * x[at][o / in * in + i];
          }
        }
        out[t][o] = gelu(sum);
      }
    }
    return out;
  }

  Rows attention(const Rows& x, const std::string& name) const {
    const Rows q = linear(x, name + "q_proj"), k = linear(x, name + "k_proj"), v = linear(x, name + "v_proj");
    const int width = kHidden / kHeads;
    Rows out(x.size(), std::vector<double>(kHidden, 0.0));
    for (std::size_t t = 0; t < x.size(); ++t) {
      for (int h = 0; h < kHeads; ++h) {
        std::vector<double> share(x.size());
        double total = 0;
        for (std::size_t s = 0; s < x.size(); ++s) {
          double dot = 0;
          for (int i = h * width; i < (h + 1) * width; ++i) dot += q[t][i] * k[s][i];
          total += share[s] = std::exp(dot / std::sqrt(static_cast<double>(width)));
        }
        for (std::size_t s = 0; s < x.size(); ++s)
          for (int i = h * width; i < (h + 1) * width; ++i) out[t][i] += share[s] / total * v[s][i];
      }
    }
    return linear(out, name + "out_proj");
  }

  Rows feed_forward(const Rows& x, const std::string& name) const {
    Rows up = linear(x, name + "intermediate_dense");
    for (auto& row : up)
      for (double& value : row) value = gelu(value);
    return linear(up, name + "output_dense");
  }

  // Before the first layer, after each; the last one is the network's output.
  std::vector<Rows> states(const std::vector<float>& samples) const {
    Rows x =
        linear(normalised(convolutions(samples), "feature_projection.layer_norm"), "feature_projection.projection");
    x = plus(x, position(x));
    if (!large) x = normalised(x, "encoder.layer_norm");
    std::vector<Rows> out = {x};
    for (int i = 0; i < kLayers; ++i) {
      const std::string name = fmt::format("encoder.layers.{}.", i);
      if (large) {
        x = plus(x, attention(normalised(x, name + "layer_norm"), name + "attention."));
        x = plus(x, feed_forward(normalised(x, name + "final_layer_norm"), name + "feed_forward."));
      } else {
        x = normalised(plus(x, attention(x, name + "attention.")), name + "layer_norm");
        x = normalised(plus(x, feed_forward(x, name + "feed_forward.")), name + "final_layer_norm");
      }
      out.push_back(x);
    }
    if (large) out.back() = normalised(x, "encoder.layer_norm");
    return out;
  }

  std::vector<double> logits(const std::vector<float>& samples) const {
    const std::vector<Rows> all = states(samples);
    Rows x = all.back();
    if (weighted_layers) {
      double total = 0;
      for (const float w : values("layer_weights")) total += std::exp(w);
      for (auto& row : x) row.assign(row.size(), 0.0);
      for (std::size_t s = 0; s < all.size(); ++s)
        for (std::size_t t = 0; t < x.size(); ++t)
          for (int i = 0; i < kHidden; ++i) x[t][i] += std::exp(values("layer_weights")[s]) / total * all[s][t][i];
    }
    const Rows projected = linear(x, "projector");
    Rows mean(1, std::vector<double>(kClassifier, 0.0));
    for (const auto& row : projected)
      for (int i = 0; i < kClassifier; ++i) mean[0][i] += row[i] / static_cast<double>(projected.size());
    return linear(mean, "classifier")[0];
  }
};

// A chirp with noise, mean and variance far from 0 and 1.
inline std::vector<float> test_sound(std::size_t samples, std::uint64_t seed = 3) {
  Random random(seed);
  std::vector<float> out(samples);
  for (std::size_t i = 0; i < samples; ++i) {
    const double t = static_cast<double>(i) / 16000;
    out[i] = static_cast<float>(0.05 + 0.3 * std::sin(2 * M_PI * (200 + 500 * t) * t) * std::cos(9 * t)) +
             0.02f * random.normal();
  }
  return out;
}

// Mean 0, variance 1, as the published feature extractor makes it.
inline std::vector<float> standardised(const std::vector<float>& samples) {
  double mean = 0, variance = 0;
  const auto n = static_cast<double>(samples.size());
  for (const float s : samples) mean += s / n;
  for (const float s : samples) variance += (s - mean) * (s - mean) / n;
  std::vector<float> out;
  for (const float s : samples) out.push_back(static_cast<float>((s - mean) / std::sqrt(variance + 1e-7)));
  return out;
}

}  // namespace mien::testing
