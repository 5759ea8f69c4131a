// What identity modes cannot say of a person: landmarks that stand elsewhere in all frames. The smooth part of that is
// the head's shape; the rest is where the networks put their points on this face.
#pragma once

#include <vector>

#include "track/fit/shared_fit.h"

namespace mien::fit {

// Displacement of each landmark [3 * 478] in head space that explains what the key frames leave over, each pulled to 0.
// Irises stay.
Eigen::VectorXd landmark_offsets(const LandmarkModel& model, const Eigen::VectorXd& identity,
                                 const Eigen::VectorXd& so_far, const std::vector<KeyFrame>& frames,
                                 const std::vector<Lens>& lenses);

// The smooth part as displacements of the head's vertices [V]. Eyeballs and what is inside the mouth move as a piece;
// lips and lids that meet still do.
std::vector<Vec3> vertex_offsets(const HeadModel& model, const LandmarkModel& landmarks,
                                 const Eigen::VectorXd& landmark_offsets);

// `model` with other vertices at rest: eyes and their joints go along.
HeadModel with_offsets(const HeadModel& model, const std::vector<Vec3>& offsets);

}  // namespace mien::fit
