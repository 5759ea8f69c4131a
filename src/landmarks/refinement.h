// The attention mesh has outputs of its own for lips, eyes and irises; here they replace what the mesh says of them.
#pragma once

#include <array>
#include <span>
#include <vector>

namespace mien {

constexpr int kMeshPoints = 468, kRefinedPoints = 478;
constexpr int kLipPoints = 80, kEyePoints = 71, kIrisPoints = 5;

struct RefinedParts {  // x, y of each point, in the units of the mesh
  std::span<const float> lips, right_eye, left_eye, right_iris, left_iris;
};

// `mesh` [468] x, y, z -> 478 points. Lips and eyes keep the mesh's z, an iris gets the mean z of its eye's rim.
std::vector<std::array<float, 3>> refine_mesh(const std::vector<std::array<float, 3>>& mesh, const RefinedParts& parts);

}  // namespace mien
