#include <algorithm>
#include <cmath>

#include "mien/base/error.h"
#include "mien/base/safetensors.h"
#include "network.h"

namespace mien {

SafetensorsFile open_hubert_weights(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "model.safetensors";
  if (std::filesystem::exists(path)) return SafetensorsFile::open(path);
  const bool sharded = std::filesystem::exists(folder / "model.safetensors.index.json");
  const bool pickled = std::filesystem::exists(folder / "pytorch_model.bin");
  const char* what = sharded   ? "has its weights in several files"
                     : pickled ? "has its weights in pytorch_model.bin only, which can run code and is not read"
                               : "has no model.safetensors";
  throw Error(ErrorCode::kNotFound, fmt::format("{}: {}", folder.string(), what),
              "write one file in Python: transformers.AutoModel.from_pretrained(DIR).save_pretrained(NEW_DIR, "
              "safe_serialization=True, max_shard_size=\"9GB\")");
}

std::vector<float> hubert_input(const HubertConfig& config, std::span<const float> samples) {
  std::vector<float> out(samples.begin(), samples.end());
  for (float& sample : out) {
    if (!std::isfinite(sample)) sample = 0;
  }
  if (config.normalize_input && !out.empty()) {
    // As transformers' Wav2Vec2FeatureExtractor: population variance, 1e-7 under the root.
    double sum = 0;
    double squares = 0;
    for (const float sample : out) sum += sample;
    const double mean = sum / static_cast<double>(out.size());
    for (const float sample : out) squares += (sample - mean) * (sample - mean);
    const double scale = 1 / std::sqrt(squares / static_cast<double>(out.size()) + 1e-7);
    for (float& sample : out) sample = static_cast<float>((sample - mean) * scale);
  }
  out.resize(std::max(out.size(), static_cast<std::size_t>(config.receptive_field())), 0.0f);
  return out;
}

}  // namespace mien
