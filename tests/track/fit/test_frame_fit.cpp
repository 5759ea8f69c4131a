#include <gtest/gtest.h>

#include <Eigen/Cholesky>
#include <cmath>

#include "mien/base/random.h"
#include "track/fit/frame_fit.h"

namespace mien::fit {
namespace {

// A made-up person: random points before the origin, random expressions.
Person random_person() {
  Random random(11);
  Person person;
  person.points.resize(3 * kSightedPoints);
  person.expression.resize(3 * kSightedPoints, kArkitCount);
  for (int i = 0; i < kSightedPoints; ++i) {
    person.points.segment<3>(3 * i) << 0.06 * random.normal(), 0.07 * random.normal(), 0.05 + 0.03 * random.normal();
  }
  for (Eigen::Index i = 0; i < person.expression.size(); ++i) person.expression.data()[i] = 0.005 * random.normal();
  person.eye = {Eigen::Vector3d(0.03, 0, 0.08), Eigen::Vector3d(-0.03, 0, 0.08)};
  for (std::size_t side = 0; side < 2; ++side) {
    for (const int i : kIris[side]) {
      person.points.segment<3>(3 * i) =
          person.eye[side] + Eigen::Vector3d(0.004 * random.normal(), 0.004 * random.normal(), 0.011);
      person.expression.middleRows<3>(3 * i).setZero();
    }
  }
  return person;
}

FrameState random_state(Random& random) {
  FrameState state;
  state.rotation = exp_rotation(Eigen::Vector3d(0.2 * random.normal(), 0.3 * random.normal(), 0.1 * random.normal()));
  state.translation = Eigen::Vector3d(0.05 * random.normal(), 0.05 * random.normal(), -0.8);
  for (int e = 0; e < kArkitCount; ++e) state.weights[e] = std::max(0.0, random.normal() * 0.3);
  state.weights = state.weights.cwiseMin(1);
  state.gaze[0] = state.gaze[1] = {0.2 * random.normal(), 0.1 * random.normal()};  // eyes are tied
  return state;
}

FaceSighting sighting_of(const Eigen::VectorXd& pixels) {
  FaceSighting sighting;
  sighting.presence = sighting.weight = sighting.sharpness = 1;
  for (int i = 0; i < kSightedPoints; ++i) {
    sighting.points[static_cast<std::size_t>(i)] = {static_cast<float>(pixels[2 * i]),
                                                    static_cast<float>(pixels[2 * i + 1]), 0};
  }
  return sighting;
}

TEST(FrameFit, DerivativesAgreeWithFiniteDifferences) {
  const Person person = random_person();
  const Lens lens = {900, 320, 240};
  Random random(4);
  const FrameState state = random_state(random);
  Observation seen = observe(sighting_of(project_landmarks(person, lens, state)), landmark_weights());
  for (Eigen::Index i = 0; i < seen.pixels.size(); ++i) seen.pixels[i] += 0.01 * random.normal();  // robust weights ~ 1
  const std::vector<int> free = {3, 17, 25, 40};
  Linearisation at;
  linearise(person, seen, lens, free, state, at);
  // Derivatives leave out how robust weights and the scale of millimetres change: near the solution both vanish.
  const auto residual_at = [&](const FrameState& moved) {
    Linearisation l;
    linearise(person, seen, lens, free, moved, l);
    return l.residual;
  };
  constexpr double kStep = 1e-6;
  for (int c = 0; c < 6 + 4; ++c) {
    std::array<Eigen::VectorXd, 2> sides;
    for (int s = 0; s < 2; ++s) {
      FrameState moved = state;
      const double step = s == 0 ? -kStep : kStep;
      if (c < 3)
        moved.rotation = exp_rotation(step * Eigen::Vector3d::Unit(c)) * state.rotation;
      else if (c < 6)
        moved.translation[c - 3] += step;
      else
        moved.weights[free[static_cast<std::size_t>(c - 6)]] += step;
      sides[static_cast<std::size_t>(s)] = residual_at(moved);
    }
    const Eigen::VectorXd numeric = (sides[1] - sides[0]) / (2 * kStep);
    EXPECT_LT((numeric - at.jacobian.col(c)).norm(), 2e-4 * at.jacobian.col(c).norm()) << "column " << c;
  }
}

TEST(FrameFit, FurtherColumnsAgreeWithFiniteDifferences) {
  Person person = random_person();
  const Lens lens = {900, 320, 240};
  Random random(6);
  const FrameState state = random_state(random);
  const Observation seen = observe(sighting_of(project_landmarks(person, lens, state)), landmark_weights());
  Eigen::VectorXd direction(3 * kSightedPoints);
  for (Eigen::Index i = 0; i < direction.size(); ++i) direction[i] = random.normal();
  Linearisation at, low, high;
  linearise(person, seen, lens, {}, state, at);
  Eigen::MatrixXd motion(3 * kMeshPoints, 1);
  for (int i = 0; i < kMeshPoints; ++i) motion.middleRows<3>(3 * i) = state.rotation * direction.segment<3>(3 * i);
  const Eigen::VectorXd column = further_columns(at, motion).col(0);
  constexpr double kStep = 1e-6;
  person.points -= kStep * direction;
  linearise(person, seen, lens, {}, state, low);
  person.points += 2 * kStep * direction;
  linearise(person, seen, lens, {}, state, high);
  EXPECT_LT(((high.residual - low.residual) / (2 * kStep) - column).norm(), 1e-4 * column.norm());
}

TEST(FrameFit, FindsWhatWasProjected) {
  const Person person = random_person();
  const Lens lens = {900, 320, 240};
  Random random(9);
  for (int trial = 0; trial < 4; ++trial) {
    FrameState truth = random_state(random);
    lids_follow_gaze(truth);
    truth.weights[arkit_index("tongueOut")] = 0;
    const FaceSighting sighting = sighting_of(project_landmarks(person, lens, truth));
    const Observation seen = observe(sighting, landmark_weights());
    const ExpressionPrior prior = expression_prior({});
    FrameFitOptions options;
    options.iterations = 30;
    options.expression_prior = 1e-6;
    FrameState state = first_guess(person, seen, lens);
    for (int round = 0; round < 8; ++round) {
      fit_gaze(person, sighting, lens, state);
      lids_follow_gaze(state);
      fit_frame(person, seen, lens, prior, options, state);
    }
    EXPECT_LT((state.rotation - truth.rotation).norm(), 2e-3);
    EXPECT_LT((state.translation - truth.translation).norm(), 2e-3);
    EXPECT_LT((state.weights - truth.weights).cwiseAbs().maxCoeff(), 0.03);
  }
}

// Against the optimality conditions: the gradient vanishes inside, and points outwards at bounds.
TEST(FrameFit, BoxSolveMeetsTheOptimalityConditions) {
  Random random(2);
  for (int trial = 0; trial < 50; ++trial) {
    constexpr int n = 20;
    Eigen::MatrixXd root(n, n);
    for (Eigen::Index i = 0; i < root.size(); ++i) root.data()[i] = random.normal();
    const Eigen::MatrixXd h = root * root.transpose() + 0.5 * Eigen::MatrixXd::Identity(n, n);
    Eigen::VectorXd b(n), low(n), high(n);
    for (int i = 0; i < n; ++i) {
      b[i] = 5 * random.normal();
      low[i] = -random.uniform();
      high[i] = random.uniform();
    }
    const Eigen::VectorXd x = solve_box(h, b, low, high), gradient = h * x - b;
    for (int i = 0; i < n; ++i) {
      ASSERT_GE(x[i], low[i]);
      ASSERT_LE(x[i], high[i]);
      EXPECT_TRUE(x[i] <= low[i] + 1e-12 || gradient[i] <= 1e-8);
      EXPECT_TRUE(x[i] >= high[i] - 1e-12 || gradient[i] >= -1e-8);
    }
  }
}

TEST(FrameFit, RotationsGoThereAndBack) {
  const Eigen::Vector3d w(0.3, -0.7, 0.2);
  EXPECT_LT((log_rotation(exp_rotation(w)) - w).norm(), 1e-12);
  EXPECT_LT((exp_rotation(Eigen::Vector3d::Zero()) - Eigen::Matrix3d::Identity()).norm(), 1e-15);
}

}  // namespace
}  // namespace mien::fit
