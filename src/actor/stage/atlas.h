// The stage's own texture space for skin: the charts of the head's UV layout, packed anew so that the face gets most of
// the texels (in the head's own layout, made for a whole body, the face is a thumbnail).
#pragma once

#include <array>
#include <vector>

#include "mien/head/head_model.h"

namespace mien::stage {

struct Atlas {
  int width = 0, height = 0;                // texels
  std::vector<std::array<Vec2, 3>> corner;  // [F] texel coordinates of each face's corners; zero for what is not skin
  float texel = 0;                          // metres a texel spans on the template's face, on average
};

// `width` is that of the chart with the face; the height follows.
Atlas make_atlas(const HeadModel& model, int width);

// The surface behind a texel.
struct AtlasTexel {
  int face = -1;  // -1: none
  float b0 = 0, b1 = 0;
  Vec3 weights() const { return {b0, b1, 1 - b0 - b1}; }
};
// Row-major, of an atlas reduced by `reduction` (1 = full size).
std::vector<AtlasTexel> cover_atlas(const Atlas& atlas, const HeadModel& model, int reduction);

}  // namespace mien::stage
