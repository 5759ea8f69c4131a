// A speech model with random weights, and sounds to feed it: what the tests of streaming need.
#pragma once

#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "mien/base/error.h"
#include "mien/base/random.h"
#include "mien/base/safetensors.h"
#include "mien/motion/s2gnet.h"
#include "mien/speech/phonetic_encoder.h"

namespace mien::testing {

constexpr int kTestExpressions = 7;

inline void add_random(SafetensorsWriter& out, Random& random, const std::string& name,
                       std::vector<std::int64_t> shape) {
  std::int64_t count = 1;
  for (const std::int64_t n : shape) count *= n;
  const std::int64_t fan_in = shape.size() == 1 ? 16 : count / shape[0];
  std::vector<float> values(count);
  for (float& v : values) v = random.normal() / std::sqrt(static_cast<float>(fan_in));
  out.add_half(name, std::move(shape), values);
}

inline void add_gru(SafetensorsWriter& out, Random& random, const std::string& name, int inputs, int hidden) {
  add_random(out, random, name + ".weight_ih", {3 * hidden, inputs});
  add_random(out, random, name + ".weight_hh", {3 * hidden, hidden});
  add_random(out, random, name + ".bias_ih", {3 * hidden});
  add_random(out, random, name + ".bias_hh", {3 * hidden});
}

// Without settings a file of the first form.
inline SafetensorsWriter random_speech_model(std::uint64_t seed, const S2GSettings& settings = {}) {
  Random random(seed);
  SafetensorsWriter out;
  out.metadata("format", kSpeechModelFormat);
  out.metadata("expression_names", "a b c d e f g");
  add_random(out, random, "encoder.conv1.weight", {kEncoderConv1, kMelBands, kEncoderKernel1});
  add_random(out, random, "encoder.conv1.bias", {kEncoderConv1});
  add_random(out, random, "encoder.conv2.weight", {kEncoderConv2, kEncoderConv1, kEncoderKernel2});
  add_random(out, random, "encoder.conv2.bias", {kEncoderConv2});
  add_gru(out, random, "encoder.gru1", kEncoderConv2, kEncoderHidden);
  add_gru(out, random, "encoder.gru2", kEncoderHidden, kEncoderHidden);
  add_random(out, random, "encoder.bottleneck.weight", {kEncoderBottleneck, kEncoderHidden});
  add_random(out, random, "encoder.bottleneck.bias", {kEncoderBottleneck});
  add_random(out, random, "encoder.phones.weight", {kPhoneCount, kEncoderBottleneck});
  add_random(out, random, "encoder.phones.bias", {kPhoneCount});
  add_random(out, random, "s2g.input.weight", {kS2GHidden, 2 * settings.width});
  add_random(out, random, "s2g.input.bias", {kS2GHidden});
  add_random(out, random, "s2g.emotion_in.weight", {kS2GHidden, kEmotionCount});
  add_random(out, random, "s2g.emotion_out.weight", {kS2GHidden, kEmotionCount});
  add_gru(out, random, "s2g.gru1", kS2GHidden, kS2GHidden);
  add_gru(out, random, "s2g.gru2", kS2GHidden, kS2GHidden);
  add_random(out, random, "s2g.head.weight", {kTestExpressions, kS2GHidden});
  add_random(out, random, "s2g.head.bias", {kTestExpressions});
  if (settings.encoder_delay != kEncoderDelay) {
    out.metadata(kEncoderDelayMetadata, fmt::format("{}", settings.encoder_delay));
  }
  if (settings.first_form()) return out;
  out.metadata(kS2GMetadata, s2g_settings_json(settings));
  const auto persons = static_cast<std::int64_t>(settings.persons.size());
  for (const char* gate : {"s2g.person_in.weight", "s2g.person_out.weight"}) {
    if (persons > 0) add_random(out, random, gate, {kS2GHidden, persons});
  }
  if (settings.head == S2GHead::kWeights) return out;
  add_random(out, random, "s2g.offset_head.weight", {settings.offset_outputs(), kS2GHidden});
  add_random(out, random, "s2g.offset_head.bias", {settings.offset_outputs()});
  std::vector<std::int32_t> moving(settings.moving_vertices);
  for (int m = 0; m < settings.moving_vertices; ++m) moving[m] = settings.vertices - 1 - m;
  out.add("s2g.moving", {settings.moving_vertices}, moving);
  if (settings.head == S2GHead::kPca)
    add_random(out, random, "s2g.basis", {settings.components, settings.moving_vertices, 3});
  return out;
}

// A file in the temporary folder that goes away with the object.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& name)
      : path_(std::filesystem::temp_directory_path() / fmt::format("mien_{}_{}", ::getpid(), name)) {}
  ~TemporaryFile() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Something like a voice: a gliding pulse train through a moving resonance, with pauses and a little noise.
inline std::vector<float> babble(double seconds, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> samples(static_cast<std::size_t>(seconds * 16000));
  float phase = 0, y1 = 0, y2 = 0;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const float t = static_cast<float>(i) / 16000;
    phase += (140 + 40 * std::sin(3 * t)) / 16000;
    float x = 0;
    if (phase >= 1) {
      phase -= 1;
      x = std::fmod(t, 1.0f) < 0.75f ? 1.0f : 0.0f;
    }
    x += 0.003f * random.normal();
    const float omega = 6.2831853f * (700 + 400 * std::sin(9 * t)) / 16000;
    const float y = x + 1.92f * std::cos(omega) * y1 - 0.9216f * y2;
    y2 = y1;
    y1 = y;
    samples[i] = 0.1f * y;
  }
  return samples;
}

}  // namespace mien::testing
