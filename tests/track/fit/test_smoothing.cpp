#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <cmath>

#include "mien/base/random.h"
#include "track/fit/smoothing.h"

namespace mien::fit {
namespace {

// With accelerations never sudden the smoother is a linear system, which a dense solve answers too.
TEST(Smoothing, AgreesWithADenseSolve) {
  Random random(3);
  constexpr int n = 23;
  Eigen::MatrixXd seen(n, 6);
  std::vector<Eigen::Matrix<double, 6, 6>> information;
  for (int t = 0; t < n; ++t) {
    Eigen::Matrix<double, 6, 6> root;
    for (int i = 0; i < 36; ++i) root(i) = random.normal();
    for (int i = 0; i < 6; ++i) seen(t, i) = random.normal();
    information.emplace_back(root * root.transpose() + 0.1 * Eigen::Matrix<double, 6, 6>::Identity());
  }
  Eigen::Matrix<double, 6, 1> strength;
  strength << 1, 2, 3, 40, 50, 60;
  const Eigen::Matrix<double, 6, 1> sudden = Eigen::Matrix<double, 6, 1>::Constant(1e9);
  const Eigen::MatrixXd got = smooth_poses(seen, information, strength, sudden);

  Eigen::MatrixXd h = Eigen::MatrixXd::Zero(6 * n, 6 * n);
  Eigen::VectorXd b(6 * n);
  for (int t = 0; t < n; ++t) {
    h.block<6, 6>(6 * t, 6 * t) = information[static_cast<std::size_t>(t)];
    b.segment<6>(6 * t) = information[static_cast<std::size_t>(t)] * seen.row(t).transpose();
  }
  for (int t = 1; t + 1 < n; ++t) {
    Eigen::MatrixXd bend = Eigen::MatrixXd::Zero(6, 6 * n);
    for (int i = 0; i < 6; ++i) {
      bend(i, 6 * (t - 1) + i) = bend(i, 6 * (t + 1) + i) = std::sqrt(strength[i]);
      bend(i, 6 * t + i) = -2 * std::sqrt(strength[i]);
    }
    h += bend.transpose() * bend;
  }
  const Eigen::VectorXd want = h.ldlt().solve(b);
  for (int t = 0; t < n; ++t) {
    for (int i = 0; i < 6; ++i) EXPECT_NEAR(got(t, i), want[6 * t + i], 1e-6);
  }
}

TEST(Smoothing, KeepsABlinkAndFillsAGap) {
  constexpr int n = 60;
  Eigen::MatrixXd seen(n, 1), information = Eigen::MatrixXd::Ones(n, 1);
  Random random(5);
  for (int t = 0; t < n; ++t) seen(t, 0) = 0.02 * random.normal();
  seen(20, 0) = 0.7;  // shut and open again within three frames
  seen(21, 0) = 1.0;
  seen(22, 0) = 0.6;
  for (int t = 40; t < 46; ++t) {
    seen(t, 0) = 5;  // means nothing
    information(t, 0) = 0;
  }
  const Eigen::MatrixXd got =
      smooth_columns(seen, information, Eigen::VectorXd::Constant(1, 1.0), Eigen::VectorXd::Constant(1, 0.05));
  EXPECT_GT(got(21, 0), 0.9);
  EXPECT_LT(std::abs(got(25, 0)), 0.06);
  for (int t = 40; t < 46; ++t) EXPECT_LT(std::abs(got(t, 0)), 0.15);
  double rough = 0, smooth = 0;
  for (int t = 2; t < 18; ++t) {
    rough += std::pow(seen(t - 1, 0) - 2 * seen(t, 0) + seen(t + 1, 0), 2);
    smooth += std::pow(got(t - 1, 0) - 2 * got(t, 0) + got(t + 1, 0), 2);
  }
  EXPECT_LT(smooth, 0.25 * rough);
}

}  // namespace
}  // namespace mien::fit
