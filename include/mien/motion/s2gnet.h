// S2GNet, from speech to geometry (EmoTalk3D, section 4.1): features of any speech encoder, emotion with intensity and
// the person -> expression weights at 30 Hz and, where its head says so, free vertex offsets. After FaceXHuBERT (Haque
// and Yumak 2023): two unidirectional GRU layers, conditions that multiply through bias-free linear maps,
// zero-initialised linear heads. File format: docs/speech.md.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "mien/geometry/types.h"
#include "mien/head/emotion.h"
#include "mien/motion/s2g_settings.h"
#include "mien/speech/layers.h"

namespace mien {

// Immutable weights, shared between streams. Tensors are named "s2g.*"; the names of the expressions are in the
// metadata.
class S2GNet {
 public:
  explicit S2GNet(const SafetensorsFile& file);
  const S2GSettings& settings() const { return settings_; }
  const std::vector<std::string>& expression_names() const { return expression_names_; }
  int expression_count() const { return static_cast<int>(expression_names_.size()); }

  class Stream {
   public:
    explicit Stream(const S2GNet& net, int person = 0);
    // One frame: features at the two instants (settings().width each) -> weights [E], not clamped.
    void step(std::span<const float> first, std::span<const float> second, const EmotionVector& emotion,
              std::span<float> weights);
    // Offsets of that frame, metres: `out` becomes [vertices], or empty when the head gives none.
    void offsets(std::vector<Vec3>& out) const;

   private:
    const S2GNet* net_;
    std::vector<float> gru1_, gru2_;
    std::vector<float> joined_, hidden_, gate_;
    std::vector<float> person_in_, person_out_;  // empty without persons
    std::vector<float> offset_values_;
  };

 private:
  S2GSettings settings_;
  std::vector<std::string> expression_names_;
  LinearLayer input_, emotion_in_, emotion_out_, head_;
  LinearLayer person_in_, person_out_, offset_head_;
  std::vector<std::int32_t> moving_;  // [moving_vertices]
  std::vector<float> basis_;          // [components, moving_vertices, 3] millimetres
  GruLayer gru1_, gru2_;
};

}  // namespace mien
