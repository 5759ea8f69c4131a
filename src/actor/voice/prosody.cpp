#include <algorithm>
#include <array>

#include "mien/actor/voice.h"

namespace mien {
namespace {

// Factors at full intensity.
struct Prosody {
  double stretch;
  double mean;
  double stddev;
  double gain;
};

constexpr std::array<Prosody, kEmotionCount> kProsody = {{
    {1.00, 1.00, 1.00, 1.00},  // neutral
    {0.88, 1.14, 1.50, 1.35},  // angry
    {1.10, 0.93, 0.85, 0.95},  // contempt
    {1.12, 0.92, 1.15, 1.00},  // disgusted
    {0.83, 1.28, 1.10, 0.95},  // fear
    {0.92, 1.18, 1.60, 1.15},  // happy
    {1.22, 0.90, 0.55, 0.75},  // sad
    {0.95, 1.26, 1.70, 1.15},  // surprised
}};

}  // namespace

VoiceOptions emotional_prosody(const VoiceOptions& base, const EmotionVector& emotion) {
  Prosody factor{1, 1, 1, 1};
  for (int e = 1; e < kEmotionCount; ++e) {
    const double intensity = std::clamp(static_cast<double>(emotion[e]), 0.0, 1.0);
    factor.stretch += intensity * (kProsody[e].stretch - 1);
    factor.mean += intensity * (kProsody[e].mean - 1);
    factor.stddev += intensity * (kProsody[e].stddev - 1);
    factor.gain += intensity * (kProsody[e].gain - 1);
  }
  VoiceOptions result = base;
  const VoicePitch own = voice_pitch(base.voice);
  const double mean = base.pitch_mean > 0 ? base.pitch_mean : own.mean;
  const double stddev = base.pitch_stddev > 0 ? base.pitch_stddev : own.stddev;
  result.duration_stretch = std::clamp(base.duration_stretch * factor.stretch, 0.3, 4.0);
  result.pitch_mean = std::clamp(mean * factor.mean, 40.0, 500.0);
  result.pitch_stddev = std::clamp(stddev * factor.stddev, 1.0, 200.0);
  result.gain = std::clamp(base.gain * factor.gain, 0.0, 8.0);
  return result;
}

}  // namespace mien
