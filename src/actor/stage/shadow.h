// Soft shadows from depth maps.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "actor/stage/lights.h"
#include "mien/geometry/raster.h"

namespace mien::stage {

// What throws shadows: solid faces, and see-through ones that count where their alpha is at least one half.
struct ShadowCasters {
  std::span<const Vec3> positions;
  std::span<const Index3> solid;
  std::span<const Index3> cards;
  FragmentAlpha card_alpha;
};

class ShadowMap {
 public:
  // Looks from `eye` at a ball of `radius` metres round `target`.
  void draw(const ShadowCasters& casters, const Vec3& eye, const Vec3& target, float radius, int size);
  // Share of a round lamp of `lamp_radius` seen from `point` with unit `normal`: percentage-closer soft shadows
  // (Fernando 2005), `taps` 1..16. `turn` is an angle that decorrelates neighbours.
  float visibility(const Vec3& point, const Vec3& normal, float lamp_radius, int taps, float turn) const;
  // One look-up: how far, in metres, the point lies behind the first surface (0 when lit).
  float depth_behind(const Vec3& point) const;

 private:
  Camera camera_;
  float texel_ = 1;  // metres a texel spans at the target
  RasterBuffer buffer_;
};

}  // namespace mien::stage
