// Contact sheets of a head's expressions.
#pragma once

#include <string>

#include "mien/head/head_assets.h"
#include "mien/head/head_model.h"
#include "mien/media/image.h"

namespace mien {

struct HeadSheetOptions {
  std::string only;           // part of a name; empty draws all
  std::string zoom = "head";  // "head", "mouth" or "eyes"
  int size = 224;             // pixels of each picture
  std::string skin;           // of the wardrobe; empty draws parts in plain colours
};

// Two pictures (front and three quarters) for the neutral face and each expression at 1, labelled. Throws kBadArgument.
Image8 draw_head_sheet(const HeadModel& model, const HeadAssets& assets, const HeadSheetOptions& options);

}  // namespace mien
