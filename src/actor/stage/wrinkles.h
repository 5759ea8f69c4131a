// Wrinkles that come and go with the expression: relief and shade that the mesh does not have.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "actor/stage/atlas.h"
#include "actor/stage/face_frame.h"
#include "actor/stage/texture.h"

namespace mien::stage {

// What a wrinkle group adds to one texel at full strength.
struct WrinkleTexel {
  std::uint32_t index;     // in the atlas
  float slope_u, slope_v;  // metres of height a texel
  float cavity;            // [0,1] how deep in the crease
};

struct WrinkleGroup {
  std::string name;                            // "forehead_left", "glabella", "crow_right", ...
  std::vector<std::pair<int, float>> drivers;  // ARKit index and weight; the activation is their sum, clamped to [0,1]
  std::vector<WrinkleTexel> texels;
  float activation(const std::vector<float>& expression) const;
};

// `surface` are the template positions behind the atlas texels (NaN where there is none).
std::vector<WrinkleGroup> make_wrinkles(const FaceFrame& face, const Map<Vec3>& surface, std::uint64_t seed);

}  // namespace mien::stage
