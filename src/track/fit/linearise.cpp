#include <Eigen/Geometry>
#include <algorithm>
#include <cmath>

#include "track/fit/frame_fit.h"
#include "track/fit/lens.h"

namespace mien::fit {
namespace {

constexpr double kRobustScale = 4;  // millimetres: points further off lose their say (Geman and McClure 1985)
constexpr double kPairWeight = 2;   // of the slit between two lips or lids, against that of a single point
constexpr int kRows = kMeshPoints + 9 + 2 * 7;  // landmarks, pairs of lips, pairs of lids

Eigen::Matrix3d gaze_rotation(const std::array<double, 2>& gaze) {
  return (Eigen::AngleAxisd(gaze[0], Eigen::Vector3d::UnitY()) * Eigen::AngleAxisd(-gaze[1], Eigen::Vector3d::UnitX()))
      .toRotationMatrix();
}

Eigen::VectorXd shape_of(const Person& person, const FrameState& state) {
  return person.points + person.expression * state.weights;
}

template <typename Body>
void for_each_pair(const Body& body) {
  int row = kMeshPoints;
  for (const LandmarkPair& pair : kLipPairs) body(row++, pair);
  for (const auto& eye : kLidPairs) {
    for (const LandmarkPair& pair : eye) body(row++, pair);
  }
}

}  // namespace

Eigen::Matrix3d exp_rotation(const Eigen::Vector3d& w) {
  const double angle = w.norm();
  return angle < 1e-12 ? Eigen::Matrix3d(Eigen::Matrix3d::Identity() + cross_matrix(w))
                       : Eigen::AngleAxisd(angle, w / angle).toRotationMatrix();
}

Eigen::Vector3d log_rotation(const Eigen::Matrix3d& r) {
  const Eigen::AngleAxisd turn(r);
  return turn.angle() * turn.axis();
}

Observation observe(const FaceSighting& sighting, const Eigen::VectorXd& landmark_weights) {
  Observation out;
  out.pixels.resize(2 * kSightedPoints);
  for (int i = 0; i < kSightedPoints; ++i) {
    out.pixels[2 * i] = sighting.points[static_cast<std::size_t>(i)][0];
    out.pixels[2 * i + 1] = sighting.points[static_cast<std::size_t>(i)][1];
  }
  out.belief = landmark_weights;
  return out;
}

Eigen::VectorXd project_landmarks(const Person& person, const Lens& lens, const FrameState& state) {
  Eigen::VectorXd shape = shape_of(person, state);
  for (std::size_t side = 0; side < 2; ++side) {
    const Eigen::Matrix3d turn = gaze_rotation(state.gaze[side]);
    for (const int i : kIris[side]) {
      shape.segment<3>(3 * i) = turn * (shape.segment<3>(3 * i) - person.eye[side]) + person.eye[side];
    }
  }
  Eigen::VectorXd out(2 * kSightedPoints);
  for (int i = 0; i < kSightedPoints; ++i) {
    out.segment<2>(2 * i) = project(lens, state.rotation * shape.segment<3>(3 * i) + state.translation);
  }
  return out;
}

void linearise(const Person& person, const Observation& seen, const Lens& lens, const std::vector<int>& free,
               const FrameState& state, Linearisation& out) {
  const auto count = static_cast<Eigen::Index>(free.size());
  const Eigen::VectorXd shape = shape_of(person, state);
  const double millimetres = 1000 * -state.translation.z() / lens.focal;  // of a pixel
  out.residual.setZero(2 * kRows);
  out.jacobian.setZero(2 * kRows, 6 + count);
  out.screen.resize(kMeshPoints);
  out.row_weight.resize(kRows);
  out.seen_from_eye.resize(3 * kMeshPoints);
  out.cost = 0;
  Eigen::MatrixXd rows(3, count);
  for (int i = 0; i < kMeshPoints; ++i) {
    const Eigen::Vector3d turned = state.rotation * shape.segment<3>(3 * i);
    const Eigen::Vector3d c = turned + state.translation;
    out.seen_from_eye.segment<3>(3 * i) = c;
    auto& screen = out.screen[static_cast<std::size_t>(i)];
    screen = millimetres * screen_derivative(lens, c);
    out.residual.segment<2>(2 * i) = millimetres * (project(lens, c) - seen.pixels.segment<2>(2 * i));
    out.jacobian.block<2, 3>(2 * i, 0) = -screen * cross_matrix(turned);
    out.jacobian.block<2, 3>(2 * i, 3) = screen;
    if (count == 0) continue;
    for (Eigen::Index k = 0; k < count; ++k) {
      rows.col(k) = person.expression.col(free[static_cast<std::size_t>(k)]).segment<3>(3 * i);
    }
    out.jacobian.block(2 * i, 6, 2, count).noalias() = (screen * state.rotation) * rows;
  }
  for_each_pair([&](int row, const LandmarkPair& pair) {
    const double weight = std::sqrt(kPairWeight * std::min(seen.belief[pair[0]], seen.belief[pair[1]]));
    out.row_weight[row] = weight;
    out.residual.segment<2>(2 * row) =
        weight * (out.residual.segment<2>(2 * pair[0]) - out.residual.segment<2>(2 * pair[1]));
    out.jacobian.middleRows<2>(2 * row) =
        weight * (out.jacobian.middleRows<2>(2 * pair[0]) - out.jacobian.middleRows<2>(2 * pair[1]));
    out.cost += out.residual.segment<2>(2 * row).squaredNorm();
  });
  for (int i = 0; i < kMeshPoints; ++i) {
    const double square = out.residual.segment<2>(2 * i).squaredNorm() / (kRobustScale * kRobustScale);
    out.cost += seen.belief[i] * kRobustScale * kRobustScale * square / (1 + square);
    const double weight = std::sqrt(seen.belief[i]) / (1 + square);
    out.row_weight[i] = weight;
    out.residual.segment<2>(2 * i) *= weight;
    out.jacobian.middleRows<2>(2 * i) *= weight;
  }
}

Eigen::MatrixXd further_columns(const Linearisation& at, const Eigen::MatrixXd& motion) {
  Eigen::MatrixXd out(2 * kRows, motion.cols());
  for (int i = 0; i < kMeshPoints; ++i) {
    out.middleRows<2>(2 * i).noalias() = at.screen[static_cast<std::size_t>(i)] * motion.middleRows<3>(3 * i);
  }
  for_each_pair([&](int row, const LandmarkPair& pair) {
    out.middleRows<2>(2 * row) = at.row_weight[row] * (out.middleRows<2>(2 * pair[0]) - out.middleRows<2>(2 * pair[1]));
  });
  for (int i = 0; i < kMeshPoints; ++i) out.middleRows<2>(2 * i) *= at.row_weight[i];
  return out;
}

}  // namespace mien::fit
