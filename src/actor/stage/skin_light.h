// Light on the skin, once a frame for all cameras: what arrives at each texel, then spread under the surface.
#pragma once

#include <vector>

#include "actor/stage/atlas.h"
#include "actor/stage/lights.h"
#include "actor/stage/scene.h"
#include "actor/stage/shadow.h"
#include "actor/stage/texture.h"

namespace mien::stage {

// Diffuse light per colour (times albedo = radiance), then how much of each lamp is seen, then openness.
using LightTexel = Eigen::Array<float, 8, 1>;

class SkinLight {
 public:
  // `coverage` is cover_atlas() with reduction 2; `texel` the size of such a texel in metres.
  SkinLight(const HeadModel& model, const Atlas& atlas);
  // `thin`: map of thinness at full size, for light that shines through.
  void update(const Scene& scene, const LightSetup& lights, const std::vector<ShadowMap>& shadows,
              const Map<Texel4>& detail);
  // By full-size atlas coordinates.
  LightTexel at(const Vec2& texel) const { return map_.sample(0.5f * texel.x(), 0.5f * texel.y()); }

 private:
  void gather(const Scene& scene, const LightSetup& lights, const std::vector<ShadowMap>& shadows,
              const Map<Texel4>& detail);
  void diffuse();
  void blur(const Map<LightTexel>& from, const std::vector<float>& weight, int radius, Map<LightTexel>& to) const;

  const HeadModel& model_;
  std::vector<AtlasTexel> coverage_;
  std::vector<float> covered_;                    // 1 or 0
  std::vector<float> narrow_cover_, wide_cover_;  // blurred coverage, to normalise by
  int narrow_ = 1, wide_ = 3;                     // box radii, texels
  Map<LightTexel> map_, narrow_map_, wide_map_;
  mutable Map<LightTexel> scratch_;
};

}  // namespace mien::stage
