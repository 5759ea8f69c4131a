#include <Eigen/Cholesky>

#include "track/fit/frame_fit.h"

namespace mien::fit {

double ExpressionPrior::cost(const Eigen::Matrix<double, kArkitCount, 1>& w) const {
  return w.dot(quadratic * w) + linear.dot(w);
}

void ExpressionPrior::add_to(double scale, const Eigen::Matrix<double, kArkitCount, 1>& w,
                             const std::vector<int>& columns, Eigen::Index first, Eigen::MatrixXd& h,
                             Eigen::VectorXd& b) const {
  const Eigen::VectorXd pull = -scale * (quadratic * w + 0.5 * linear);
  for (std::size_t k = 0; k < columns.size(); ++k) {
    const Eigen::Index row = first + static_cast<Eigen::Index>(k);
    b[row] += pull[columns[k]];
    for (std::size_t l = 0; l < columns.size(); ++l) {
      h(row, first + static_cast<Eigen::Index>(l)) += scale * quadratic(columns[k], columns[l]);
    }
  }
}

ExpressionPrior expression_prior(const Eigen::MatrixXd& habit) {
  ExpressionPrior prior;
  Eigen::VectorXd ridge = Eigen::VectorXd::Constant(kArkitCount, 8);
  prior.linear = Eigen::VectorXd::Constant(kArkitCount, 1);
  prior.quadratic.setZero(kArkitCount, kArkitCount);
  const auto set = [&](std::initializer_list<const char*> names, double square, double absolute) {
    for (const char* name : names) {
      ridge[arkit_index(name)] = square;
      prior.linear[arkit_index(name)] = absolute;
    }
  };
  set({"jawOpen", "eyeBlinkLeft", "eyeBlinkRight"}, 1, 0);
  set({"cheekPuff", "cheekSquintLeft", "cheekSquintRight", "jawForward", "mouthShrugUpper", "mouthShrugLower"}, 30, 4);
  constexpr double kSymmetry = 20;  // of (left - right)^2
  for (int e = 0; e < kArkitCount; ++e) {
    std::string name = kArkitNames[static_cast<std::size_t>(e)];
    if (!name.starts_with("eyeLook") && name != "tongueOut") prior.free.push_back(e);
    if (name.starts_with("eyeLook") || !name.ends_with("Left") || name == "jawLeft" || name == "mouthLeft") continue;
    const int right = arkit_index(name.substr(0, name.size() - 4) + "Right");
    if (right < 0) continue;
    prior.quadratic(e, e) += kSymmetry;
    prior.quadratic(right, right) += kSymmetry;
    prior.quadratic(e, right) -= kSymmetry;
    prior.quadratic(right, e) -= kSymmetry;
  }
  if (habit.size() > 0) {
    // Weights go together as they usually do, but each may also stray on its own.
    constexpr double kStray = 0.08, kStrength = 10, kBlinkStray = 3.5;
    Eigen::MatrixXd spread = habit;
    spread.diagonal().array() += kStray * kStray;
    // Blinks come and go by themselves.
    for (const char* name : {"eyeBlinkLeft", "eyeBlinkRight"}) {
      const int e = arkit_index(name);
      spread.row(e).setZero();
      spread.col(e).setZero();
      spread(e, e) = kBlinkStray * kBlinkStray;
    }
    prior.quadratic += kStrength * spread.llt().solve(Eigen::MatrixXd::Identity(kArkitCount, kArkitCount));
  } else {
    prior.quadratic.diagonal() += ridge;
  }
  return prior;
}

}  // namespace mien::fit
