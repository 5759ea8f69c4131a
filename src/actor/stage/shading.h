// How surfaces answer light. All vectors are unit and point away from the surface; results are radiance per unit of
// Lamp::colour (which holds 1/pi already).
#pragma once

#include "actor/stage/colour.h"
#include "mien/geometry/types.h"

namespace mien::stage {

inline float fresnel(float f0, float cosine) {
  const float m = 1 - std::clamp(cosine, 0.0f, 1.0f);
  const float m2 = m * m;
  return f0 + (1 - f0) * m2 * m2 * m;
}

// One lobe of a rough surface: GGX distribution (Walter et al. 2007) with Kelemen and Szirmay-Kalos' short visibility
// term. `alpha` is the squared roughness, widened by the caller for the size of the lamp.
inline float rough_lobe(const Vec3& n, const Vec3& to_light, const Vec3& to_eye, float alpha, float f0) {
  const float nl = n.dot(to_light);
  if (nl <= 0) return 0;
  const Vec3 half = (to_light + to_eye).normalized();
  const float nh = std::max(0.0f, n.dot(half));
  const float lh = std::max(0.05f, to_light.dot(half));
  const float a2 = alpha * alpha;
  const float d = nh * nh * (a2 - 1) + 1;
  return a2 / (d * d) * fresnel(f0, lh) / (4 * lh * lh) * nl;
}

// Skin: a broad lobe of the dry surface and a narrow one of its oil (after Weyrich et al. 2006). `gloss` 1 = dry skin.
inline float skin_gleam(const Vec3& n, const Vec3& to_light, const Vec3& to_eye, float gloss, float lamp_size) {
  const float broad = 0.34f + 0.3f * lamp_size;
  const float narrow = 0.13f + 0.3f * lamp_size;
  const float oil = std::clamp(0.18f + 0.22f * (gloss - 1), 0.05f, 0.6f);
  return gloss * ((1 - oil) * rough_lobe(n, to_light, to_eye, broad, 0.028f) +
                  oil * rough_lobe(n, to_light, to_eye, narrow, 0.028f));
}

// Hair strands: Kajiya and Kay's diffuse term and two highlights along the strand, the first white and shifted to the
// tip, the second coloured and shifted to the root (Scheuermann 2004, after Marschner et al. 2003).
struct HairAnswer {
  float diffuse;
  float white;
  float coloured;
};
inline HairAnswer hair_answer(const Vec3& tangent, const Vec3& normal, const Vec3& to_light, const Vec3& to_eye,
                              float shift) {
  const Vec3 half = (to_light + to_eye).normalized();
  // The squared sine between the strand, bent by `s`, and the half vector; and how far it lies on the lit side.
  const auto along = [&](float s, float& side) {
    const Vec3 t = tangent + normal * s;
    const float c = t.dot(half) / t.norm();
    side = smoothstep(-1, 0, c);
    return std::max(0.0f, 1 - c * c);
  };
  float white_side = 0, coloured_side = 0;
  const float w = along(shift - 0.10f, white_side), k = along(shift + 0.12f, coloured_side);
  const float w4 = w * w * w * w, w12 = w4 * w4 * w4, w60 = w12 * w12 * w12 * w12 * w12;  // sine to the 120th
  const float k2 = k * k, k4 = k2 * k2, k14 = k2 * k4 * k4 * k4;                          // sine to the 28th
  const float c = tangent.dot(to_light);
  const float facing = std::clamp(0.35f + 0.65f * normal.dot(to_light), 0.0f, 1.0f);
  return {std::sqrt(std::max(0.0f, 1 - c * c)) * facing, w60 * white_side * facing, k14 * coloured_side * facing};
}

}  // namespace mien::stage
