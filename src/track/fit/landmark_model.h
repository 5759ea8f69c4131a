// What the fit needs of a head: its 478 landmarks as points that identity and expressions move linearly.
#pragma once

#include <Eigen/Core>
#include <array>
#include <span>
#include <vector>

#include "mien/head/head_model.h"
#include "track/fit/landmark_response.h"

namespace mien::fit {

constexpr int kMeshPoints = 468;  // the points on the skin; ten points of the irises follow

// Landmarks that lie across a slit from each other: {upper, lower}.
using LandmarkPair = std::array<int, 2>;
extern const std::array<LandmarkPair, 9> kLipPairs;                 // inner lips, person's right to left
extern const std::array<std::array<LandmarkPair, 7>, 2> kLidPairs;  // left eye, right eye; inner to outer corner
extern const std::array<std::array<int, 5>, 2> kIris;               // left, right; the centre first

struct LandmarkModel {
  Eigen::VectorXd rest;                // [3N] x, y, z of each landmark on the template, metres
  Eigen::MatrixXd identity;            // [3N, I]
  Eigen::MatrixXd expression;          // [3N, 52], ARKit order
  std::array<Eigen::Vector3d, 2> eye;  // eyeball centres: left, right
  std::array<Eigen::Matrix<double, 3, Eigen::Dynamic>, 2> eye_identity;  // [3, I]

  // `response` (nullptr = none) says how MediaPipe's points differ from the model's. Throws kBadArgument when `model`
  // has not the 478 landmarks and the 52 expressions.
  LandmarkModel(const HeadModel& model, const LandmarkResponse* response);
  int identity_count() const { return static_cast<int>(identity.cols()); }
};

// Weight of each landmark in the fit [478]: points that MediaPipe puts on a feature count more than points that slide
// along the silhouette or the cheek.
Eigen::VectorXd landmark_weights();

}  // namespace mien::fit
