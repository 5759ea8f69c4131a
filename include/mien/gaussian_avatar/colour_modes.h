// Colour that comes and goes with the face: wrinkles, folds, the light in an opening mouth.
//
// Spherical harmonics hold one colour a direction, the mean of all that training saw; a wrinkle that was there in one
// frame in ten stays as a ghost in all of them. Colour modes are a small linear basis on top: mode m is driven by the
// face's expression,
//     a_m = clamp(sum_e driver[m, e] * weight[e], 0, 1),
// and adds a_m * colour[k, m] to the degree-0 coefficients of the Gaussians that have modes. The neutral face has all
// a_m = 0. This is the linear part of what EmoTalk3D's feature network learns.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mien/head/head_model.h"

namespace mien {

struct ColourModes {
  std::vector<std::string> names;      // [M]
  std::vector<float> drivers;          // [M,E] over the head model's expressions
  std::vector<std::int32_t> gaussian;  // [K] ascending: the Gaussians that have modes
  std::vector<float> colour;           // [K,M,3] added to SH degree 0 at a_m = 1

  int count() const { return static_cast<int>(names.size()); }
  // a_m [M] for expression weights (shorter than E: the rest is 0).
  std::vector<float> activations(const std::vector<float>& expression) const;
};

// The modes that training starts from: thirteen movements of the face by their ARKit names (those the head lacks are
// left out), all colours 0, no Gaussians yet.
ColourModes face_colour_modes(const HeadModel& head);

// Adds the modes' colour to spherical harmonics [N,16,3]. `activations` [M].
void add_colour_modes(const ColourModes& modes, const std::vector<float>& activations, std::vector<float>& sh);

}  // namespace mien
