#include "config.h"

#include <algorithm>
#include <map>

#include "mien/base/error.h"
#include "mien/base/json.h"

namespace mien {
namespace {

constexpr const char* kMend = "give a folder saved by Hugging Face transformers with save_pretrained()";

class Reader {
 public:
  explicit Reader(const std::filesystem::path& path) : where_(path.string()), json_(read_json(path)) {
    if (!json_.is_object()) throw Error(ErrorCode::kBadFile, where_ + ": holds no JSON object", kMend);
  }
  int number(const char* key, int fallback, int low, int high) const {
    return checked(key, get<double>(key, fallback), low, high);
  }
  std::vector<int> numbers(const char* key, std::vector<int> fallback, int high) const {
    if (!json_.contains(key)) return fallback;
    const auto values = get<std::vector<double>>(key, {});
    if (values.empty() || values.size() > 16) bad(key, fmt::format("has {} entries, not 1 to 16", values.size()));
    std::vector<int> out;
    out.reserve(values.size());
    for (const double value : values) out.push_back(checked(key, value, 1, high));
    return out;
  }
  bool flag(const char* key, bool fallback) const { return get<bool>(key, fallback); }
  std::string word(const char* key, const std::string& fallback) const { return get<std::string>(key, fallback); }
  double real(const char* key, double fallback) const {
    const double value = get<double>(key, fallback);
    if (!(value > 0 && value < 1)) bad(key, fmt::format("is {}", value));
    return value;
  }
  HubertActivation activation(const char* key) const {
    const std::string name = word(key, "gelu");
    if (name == "gelu") return HubertActivation::kGelu;
    if (name == "gelu_new" || name == "gelu_pytorch_tanh") return HubertActivation::kGeluTanh;
    if (name == "relu") return HubertActivation::kRelu;
    unsupported(key, name, "gelu, gelu_new and relu");
  }
  // {"0": "happy", "1": "sad"}
  std::vector<std::string> labels() const {
    if (!json_.contains("id2label")) return {};
    const auto names = get<std::map<std::string, std::string>>("id2label", {});
    std::vector<std::string> out;
    for (std::size_t i = 0; i < names.size(); ++i) {
      const auto found = names.find(std::to_string(i));
      if (found == names.end()) bad("id2label", fmt::format("has {} entries but none for {}", names.size(), i));
      out.push_back(found->second);
    }
    if (out.empty() || out.size() > 1000) bad("id2label", fmt::format("has {} entries", out.size()));
    return out;
  }
  [[noreturn]] void bad(const std::string& key, const std::string& why) const {
    throw Error(ErrorCode::kBadFile, fmt::format("{}: \"{}\" {}", where_, key, why), kMend);
  }
  [[noreturn]] void unsupported(const std::string& key, const std::string& value, const std::string& known) const {
    throw Error(ErrorCode::kUnsupported, fmt::format("{}: \"{}\" is {}", where_, key, value),
                fmt::format("Mien reads {}", known));
  }

 private:
  template <typename T>
  T get(const char* key, T fallback) const {
    try {
      return get_field_or<T>(json_, key, where_, std::move(fallback));
    } catch (const Error& error) {
      throw Error(error.code(), error.message(), kMend);
    }
  }
  int checked(const char* key, double value, int low, int high) const {
    if (!(value >= low && value <= high) || value != static_cast<int>(value))
      bad(key, fmt::format("is {}, not a whole number from {} to {}", value, low, high));
    return static_cast<int>(value);
  }
  std::string where_;
  Json json_;
};

}  // namespace

int HubertConfig::receptive_field() const {
  int field = 1;
  for (std::size_t i = conv_kernel.size(); i-- > 0;) field = (field - 1) * conv_stride[i] + conv_kernel[i];
  return field;
}

int HubertConfig::hop() const {
  int hop = 1;
  for (const int stride : conv_stride) hop *= stride;
  return hop;
}

std::int64_t HubertConfig::frames(std::int64_t samples) const {
  for (std::size_t i = 0; i < conv_kernel.size(); ++i)
    samples = samples < conv_kernel[i] ? 0 : (samples - conv_kernel[i]) / conv_stride[i] + 1;
  return samples;
}

HubertConfig read_hubert_config(const std::filesystem::path& folder) {
  if (!std::filesystem::exists(folder / "config.json")) {
    throw Error(ErrorCode::kNotFound, fmt::format("{}: no such file", (folder / "config.json").string()), kMend);
  }
  const Reader json(folder / "config.json");
  HubertConfig c;
  c.model_type = json.word("model_type", "");
  if (c.model_type != "hubert" && c.model_type != "wav2vec2")
    json.unsupported("model_type", "\"" + c.model_type + "\"", "hubert and wav2vec2");
  c.conv_dim = json.numbers("conv_dim", std::vector<int>(7, 512), 4096);
  c.conv_kernel = json.numbers("conv_kernel", {10, 3, 3, 3, 3, 2, 2}, 256);
  c.conv_stride = json.numbers("conv_stride", {5, 2, 2, 2, 2, 2, 2}, 256);
  if (c.conv_kernel.size() != c.conv_dim.size() || c.conv_stride.size() != c.conv_dim.size())
    json.bad("conv_dim", "has not as many entries as conv_kernel and conv_stride");
  double field = 1;  // in double: hostile strides would overflow
  for (std::size_t i = c.conv_kernel.size(); i-- > 0;) field = (field - 1) * c.conv_stride[i] + c.conv_kernel[i];
  if (field > 16000) json.bad("conv_stride", fmt::format("and conv_kernel make windows of {} samples", field));
  if (c.hop() != 320)
    json.unsupported("conv_stride", fmt::format("a hop of {} samples", c.hop()), "models of 320 samples (50 Hz)");
  c.conv_bias = json.flag("conv_bias", false);
  const std::string norm = json.word("feat_extract_norm", "group");
  if (norm != "group" && norm != "layer") json.unsupported("feat_extract_norm", norm, "group and layer");
  c.group_norm = norm == "group";
  c.conv_activation = json.activation("feat_extract_activation");
  c.projection_norm = json.flag("feat_proj_layer_norm", true);
  c.hidden = json.number("hidden_size", 768, 1, 8192);
  c.intermediate = json.number("intermediate_size", 3072, 1, 65536);
  c.layers = json.number("num_hidden_layers", 12, 1, 200);
  c.heads = json.number("num_attention_heads", 12, 1, 256);
  if (c.hidden % c.heads != 0)
    json.bad("num_attention_heads", fmt::format("is {}, which does not divide hidden_size {}", c.heads, c.hidden));
  c.position_kernel = json.number("num_conv_pos_embeddings", 128, 1, 4096);
  c.position_groups = json.number("num_conv_pos_embedding_groups", 16, 1, 8192);
  if (c.hidden % c.position_groups != 0) {
    json.bad("num_conv_pos_embedding_groups",
             fmt::format("is {}, which does not divide hidden_size {}", c.position_groups, c.hidden));
  }
  c.epsilon = json.real("layer_norm_eps", 1e-5);
  c.stable_norm = json.flag("do_stable_layer_norm", false);
  c.activation = json.activation("hidden_act");
  for (const char* key : {"conv_pos_batch_norm", "add_adapter"}) {
    if (json.flag(key, false)) json.unsupported(key, "true", "models without it");
  }
  c.classifier_width = json.number("classifier_proj_size", 256, 1, 65536);
  c.weighted_layers = json.flag("use_weighted_layer_sum", false);
  c.labels = json.labels();
  if (std::filesystem::exists(folder / "preprocessor_config.json"))
    c.normalize_input = Reader(folder / "preprocessor_config.json").flag("do_normalize", true);
  return c;
}

}  // namespace mien
