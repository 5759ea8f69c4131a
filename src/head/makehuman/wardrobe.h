// Skins, irises, hair, beards, brows, lashes and clothes of MakeHuman, hung on our head.
#pragma once

#include "head/makehuman/assembly.h"
#include "mien/head/head_assets.h"

namespace mien::makehuman {

// `body` is the base person and `origin` what was subtracted from its positions to place `model`.
HeadAssets make_wardrobe(const Source& source, const std::vector<Vec3>& body, const Vec3& origin,
                         const Assembly& assembly, const HeadModel& model);

}  // namespace mien::makehuman
