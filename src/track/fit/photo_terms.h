// How like the picture is to what is wanted, and which way pose and expression make it more so.
#pragma once

#include <Eigen/Core>

#include "track/fit/appearance.h"

namespace mien::fit {

// One frame as the comparison needs it; fixed while pose and weights move.
struct PhotoTarget {
  Colours wanted;          // [3, K] gain * albedo * light
  Eigen::VectorXd weight;  // [K] 1 / variance of a colour; 0 = left out
};

// cost = sum robust(weight |seen - wanted|^2), Geman and McClure's. `h` is half its second derivative (Gauss-Newton's,
// with the robust weights as they are), `b` half the negative gradient. Columns as in Linearisation: rotation,
// translation, weights of samples.free.
struct PhotoTerms {
  Eigen::MatrixXd h;
  Eigen::VectorXd b;
  double cost = 0;
  double seen = 0;  // samples that counted
};
// `lens` of `picture`. Without `derivatives` only the cost.
void photo_terms(const FaceSamples& samples, const FacePicture& picture, const Lens& lens, const PhotoTarget& target,
                 const FrameState& state, bool derivatives, PhotoTerms& out);

}  // namespace mien::fit
