#include <Eigen/Cholesky>
#include <Eigen/Geometry>
#include <algorithm>
#include <cmath>

#include "track/fit/frame_fit.h"
#include "track/fit/lens.h"

namespace mien::fit {

void fit_gaze(const Person& person, const FaceSighting& sighting, const Lens& lens, FrameState& state) {
  // Unknowns: yaw and pitch of the left eye, then of the right. Residuals in millimetres at the head.
  constexpr double kPitchTie = 60, kYawTie = 10, kRest = 0.2;  // per radian^2: eyes turn together
  constexpr double kLimit = 0.7;
  const double millimetres = 1000 * -state.translation.z() / lens.focal;
  for (int iteration = 0; iteration < 6; ++iteration) {
    Eigen::Matrix4d h = kRest * Eigen::Matrix4d::Identity();
    Eigen::Vector4d b = Eigen::Vector4d::Zero();
    for (std::size_t side = 0; side < 2; ++side) {
      const auto& gaze = state.gaze[side];
      const Eigen::Matrix3d yaw = Eigen::AngleAxisd(gaze[0], Eigen::Vector3d::UnitY()).toRotationMatrix();
      const Eigen::Matrix3d pitch = Eigen::AngleAxisd(-gaze[1], Eigen::Vector3d::UnitX()).toRotationMatrix();
      const auto to = static_cast<Eigen::Index>(2 * side);
      for (std::size_t k = 0; k < kIris[side].size(); ++k) {
        const int i = kIris[side][k];
        const Eigen::Vector3d at = person.points.segment<3>(3 * i) - person.eye[side];
        const Eigen::Vector3d turned = yaw * pitch * at;
        const Eigen::Vector3d c = state.rotation * (turned + person.eye[side]) + state.translation;
        Eigen::Matrix<double, 3, 2> by_gaze;
        by_gaze.col(0) = Eigen::Vector3d::UnitY().cross(turned);
        by_gaze.col(1) = -(yaw * Eigen::Vector3d::UnitX().cross(pitch * at));
        const Eigen::Matrix2d j = millimetres * screen_derivative(lens, c) * state.rotation * by_gaze;
        const auto& point = sighting.points[static_cast<std::size_t>(i)];
        const Eigen::Vector2d r = millimetres * (project(lens, c) - Eigen::Vector2d(point[0], point[1]));
        const double weight = k == 0 ? 1.0 : 0.25;
        h.block<2, 2>(to, to) += weight * j.transpose() * j;
        b.segment<2>(to) -= weight * j.transpose() * r;
      }
      b.segment<2>(to) -= kRest * Eigen::Vector2d(gaze[0], gaze[1]);
    }
    for (int a = 0; a < 2; ++a) {
      const double tie = a == 0 ? kYawTie : kPitchTie;
      const double difference = state.gaze[0][static_cast<std::size_t>(a)] - state.gaze[1][static_cast<std::size_t>(a)];
      h(a, a) += tie;
      h(2 + a, 2 + a) += tie;
      h(a, 2 + a) -= tie;
      h(2 + a, a) -= tie;
      b[a] -= tie * difference;
      b[2 + a] += tie * difference;
    }
    const Eigen::Vector4d step = h.llt().solve(b);
    for (std::size_t k = 0; k < 4; ++k) {
      double& angle = state.gaze[k / 2][k % 2];
      angle = std::clamp(angle + step[static_cast<Eigen::Index>(k)], -kLimit, kLimit);
    }
    if (step.norm() < 1e-5) break;
  }
}

void lids_follow_gaze(FrameState& state) {
  // As the actor's lids ride on the eyeballs: full weights at 25 degrees up and down, 35 sideways.
  constexpr double kDegree = 0.017453292519943295;
  const char* const names[2][5] = {
      {"eyeBlinkLeft", "eyeLookDownLeft", "eyeLookUpLeft", "eyeLookOutLeft", "eyeLookInLeft"},
      {"eyeBlinkRight", "eyeLookDownRight", "eyeLookUpRight", "eyeLookInRight", "eyeLookOutRight"}};
  for (std::size_t side = 0; side < 2; ++side) {
    const double open = 1 - state.weights[arkit_index(names[side][0])];
    const auto set = [&](int which, double angle, double full) {
      state.weights[arkit_index(names[side][which])] = open * std::clamp(angle / (full * kDegree), 0.0, 1.0);
    };
    set(1, -state.gaze[side][1], 25);
    set(2, state.gaze[side][1], 25);
    set(3, state.gaze[side][0], 35);
    set(4, -state.gaze[side][0], 35);
  }
}

}  // namespace mien::fit
