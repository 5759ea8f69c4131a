// Several ranks, one avatar: what they begin with, and that they still agree.
#pragma once

#include <vector>

#include "avatar_optimiser.h"
#include "mien/base/rank_group.h"
#include "mien/gaussian_avatar/gaussian_avatar.h"

namespace mien {

// The first rank's Gaussians, anchors, modes and networks become everybody's. Heads must be the same.
void share_avatar(const RankGroup& ranks, GaussianAvatar& avatar);
// Likewise Adam's moments.
void share_moments(const RankGroup& ranks, std::vector<ParameterGroup>& groups);
// Means of parameters and moments, between the optimiser's store() and fetch().
void average_training(const RankGroup& ranks, GaussianAvatar& avatar, std::vector<ParameterGroup>& groups);
// Throws kBadArgument on all ranks unless parameters and moments are the same to the last bit.
void check_same_training(const RankGroup& ranks, const GaussianAvatar& avatar,
                         const std::vector<ParameterGroup>& groups, int step);

}  // namespace mien
