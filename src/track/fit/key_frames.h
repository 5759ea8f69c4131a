// Which frames the shared unknowns are found from: few, and as different from each other as the videos have them.
#pragma once

#include <span>
#include <vector>

#include "track/fit/shared_fit.h"

namespace mien::fit {

// At most `count` frames, a fair share of each video. Deterministic.
std::vector<KeyFrame> choose_key_frames(std::span<const SightedVideo> videos, const Person& mean,
                                        const std::vector<Lens>& lenses, const Eigen::VectorXd& landmark_weights,
                                        int count);

}  // namespace mien::fit
