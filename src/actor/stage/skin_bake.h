// The maps of a performer's skin, painted once: the wardrobe's small texture enlarged, with all that it is too coarse
// to hold - blotches, pores, freckles, stubble, lips, lid rims.
#pragma once

#include <vector>

#include "actor/stage/atlas.h"
#include "actor/stage/face_frame.h"
#include "actor/stage/texture.h"
#include "mien/actor/wardrobe.h"

namespace mien::stage {

struct SkinMaps {
  Map<Texel4> albedo;  // linear RGB; gloss in [0,2] (1 = dry skin)
  Map<Texel4>
      detail;  // slope of the height per texel along u and v (metres); cavity [0,1]; thinness [0,1] (ears, nostrils)
  Map<Vec3> surface;  // template position, NaN where there is no skin
};

// `coverage` is cover_atlas() at full size; `model` the template.
SkinMaps bake_skin(const HeadModel& model, const Atlas& atlas, const std::vector<AtlasTexel>& coverage,
                   const FaceFrame& face, const Texture& texture, const Performer& performer);

}  // namespace mien::stage
