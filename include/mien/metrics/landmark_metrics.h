// How far the face is, in pixels, from where it should be.
#pragma once

#include <span>
#include <vector>

#include "mien/geometry/camera.h"
#include "mien/head/head_model.h"

namespace mien {

// Pixel positions of a head's landmarks (HeadModel::landmarks, in order) on vertices [V] in the world. Landmarks that
// the head itself hides are projected too, those behind the camera have no position: both coordinates are NaN.
std::vector<Vec2> project_landmarks(const HeadModel& model, const std::vector<Vec3>& vertices, const Camera& camera);

// Which landmarks lie on the lips: those whose triangle has a lip vertex at its heaviest corner.
std::vector<int> lip_landmarks(const HeadModel& model);

// Landmark distance (LMD, after Chen et al., ECCV 2018, without their centring: the head's place counts): mean distance
// of the landmarks named by `which` (empty = all), pixels. Pairs with a NaN are left out. Throws kBadArgument when the
// counts differ, an index is out of range, or no pair remains.
double landmark_distance_px(std::span<const Vec2> truth, std::span<const Vec2> other, std::span<const int> which = {});

}  // namespace mien
