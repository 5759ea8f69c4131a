// S2GNet, from speech to geometry (EmoTalk3D, section 4.1, in the first form of this project): encoder features,
// emotion with intensity -> expression weights at 30 Hz. After FaceXHuBERT (Haque and Yumak 2023): two unidirectional
// GRU layers, conditions that multiply through bias-free linear maps, a zero-initialised linear head.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "mien/head/emotion.h"
#include "mien/speech/layers.h"
#include "mien/speech/phonetic_encoder.h"

namespace mien {

constexpr int kS2GHidden = 256;
constexpr int kS2GRate = 30;  // frames a second
constexpr const char* kSpeechModelFormat = "mien-speech-1";

// Frame k sees the encoder at two instants, 10/6 k + 14/6 and 10/6 k + 9/6 steps: it hears sound up to 95 ms after its
// own time (60 ms of it through the first instant's two steps). Linear between steps `low` and `high`.
struct S2GTap {
  std::int64_t low = 0;
  std::int64_t high = 0;
  float share = 0;  // of `high`
};
constexpr S2GTap s2g_tap(std::int64_t frame, int tap) {
  const std::int64_t sixths = 10 * frame + (tap == 0 ? 14 : 9);
  const std::int64_t low = sixths / 6;
  const std::int64_t rest = sixths % 6;
  return {low, rest == 0 ? low : low + 1, static_cast<float>(rest) / 6.0f};
}

// Immutable weights, shared between streams. Tensors are named "s2g.*"; the names of the expressions are in the
// metadata.
class S2GNet {
 public:
  explicit S2GNet(const SafetensorsFile& file);
  const std::vector<std::string>& expression_names() const { return expression_names_; }
  int expression_count() const { return static_cast<int>(expression_names_.size()); }

  class Stream {
   public:
    explicit Stream(const S2GNet& net);
    // One frame: features at the two instants (kEncoderFeatures each) -> weights [E], not clamped.
    void step(std::span<const float> first, std::span<const float> second, const EmotionVector& emotion,
              std::span<float> weights);

   private:
    const S2GNet* net_;
    std::vector<float> gru1_, gru2_;
    std::vector<float> joined_, hidden_, gate_;
  };

 private:
  std::vector<std::string> expression_names_;
  LinearLayer input_, emotion_in_, emotion_out_, head_;
  GruLayer gru1_, gru2_;
};

}  // namespace mien
