// More Gaussians where the pictures need them: between steps, those that cover the most error are split in two.
#pragma once

#include <vector>

#include "avatar_optimiser.h"

namespace mien {

// What of the pictures' error each Gaussian covers: the loss's own map (L1 and 1 - SSIM, mouth and eyes counting more),
// weighted with what the Gaussian adds to each pixel, summed over about a hundred pictures. [N]
std::vector<float> covered_error(const GaussianAvatar& avatar, const SampleReader& reader,
                                 const GaussianTrainOptions& options);

// Drops Gaussians that have all but vanished, and splits the `count` that cover the most error, each along its longest
// axis. New ones on the surface hang on the triangle that is nearest to them. `groups` are those of an optimiser
// between store() and fetch(); their states follow. Returns how many Gaussians there are more.
int grow_gaussians(GaussianAvatar& avatar, std::vector<ParameterGroup>& groups, const std::vector<float>& score,
                   int count);

}  // namespace mien
