// What the motion losses look at on a head.
#pragma once

#include <vector>

#include "mien/head/head_model.h"
#include "speech/training/speech_pack.h"

namespace mien {

// Linear functions of the weights that the losses need: some lip and lid vertices, and the vertical gaps of the lips.
// `indices`: which vertices, when not null.
LipGeometry lip_geometry(const HeadModel& model, std::vector<int>* indices = nullptr);

}  // namespace mien
