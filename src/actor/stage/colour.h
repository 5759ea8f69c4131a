// Colour arithmetic of the stage: linear light inside, sRGB at the borders.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>

#include "mien/geometry/types.h"

namespace mien::stage {

using Rgb = Eigen::Array3f;     // linear light
using Texel4 = Eigen::Array4f;  // linear RGB and alpha

inline Texel4 with_alpha(const Rgb& c, float alpha) {
  return {c[0], c[1], c[2], alpha};
}

inline float srgb_to_linear(float s) {
  return s <= 0.04045f ? s / 12.92f : std::pow((s + 0.055f) / 1.055f, 2.4f);
}
inline float linear_to_srgb(float l) {
  return l <= 0.0031308f ? 12.92f * l : 1.055f * std::pow(l, 1 / 2.4f) - 0.055f;
}
inline Rgb linear_colour(const std::array<float, 3>& srgb) {
  return {srgb_to_linear(srgb[0]), srgb_to_linear(srgb[1]), srgb_to_linear(srgb[2])};
}
inline float luminance(const Rgb& c) {
  return 0.2126f * c[0] + 0.7152f * c[1] + 0.0722f * c[2];
}
inline float smoothstep(float low, float high, float x) {
  const float t = std::clamp((x - low) / (high - low), 0.0f, 1.0f);
  return t * t * (3 - 2 * t);
}
template <typename T>
inline T mix(const T& a, const T& b, float t) {
  return T(a + (b - a) * t);
}

// Keeps tones below `knee` and rolls what is brighter off towards 1, so highlights do not clip.
inline float tone_map(float x) {
  constexpr float kKnee = 0.62f;
  if (x <= kKnee) return std::max(x, 0.0f);
  const float over = (x - kKnee) / (1 - kKnee);
  return kKnee + (1 - kKnee) * over / (1 + over);
}

}  // namespace mien::stage
