#include "track/fit/smoothing.h"

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>

namespace mien::fit {
namespace {

// A symmetric positive definite matrix of blocks B x B, with two blocks beside the diagonal: LDL' block by block.
template <int B>
class Pentadiagonal {
 public:
  using Block = Eigen::Matrix<double, B, B>;
  using Column = Eigen::Matrix<double, B, 1>;
  explicit Pentadiagonal(Eigen::Index n)
      : diagonal(static_cast<std::size_t>(n), Block::Zero()),
        first(static_cast<std::size_t>(n), Block::Zero()),
        second(static_cast<std::size_t>(n), Block::Zero()) {}
  std::vector<Block> diagonal, first, second;  // first[i] = A(i, i-1), second[i] = A(i, i-2)

  void solve(std::vector<Column>& x) {
    const std::size_t n = diagonal.size();
    std::vector<Eigen::LLT<Block>> factor(n);
    for (std::size_t i = 0; i < n; ++i) {
      // L(i, i-2) = A(i, i-2) D^-1, L(i, i-1) = (A(i, i-1) - L(i, i-2) D L(i-1, i-2)') D^-1
      const Block far = second[i];
      if (i >= 2) second[i] = factor[i - 2].solve(far.transpose()).transpose();
      Block near = first[i];
      if (i >= 2) near -= far * first[i - 1].transpose();
      if (i >= 1) first[i] = factor[i - 1].solve(near.transpose()).transpose();
      Block left = diagonal[i];
      if (i >= 2) left -= second[i] * far.transpose();
      if (i >= 1) left -= first[i] * near.transpose();
      factor[i].compute(left);
      if (i >= 2) x[i] -= second[i] * x[i - 2];
      if (i >= 1) x[i] -= first[i] * x[i - 1];
    }
    for (std::size_t i = 0; i < n; ++i) x[i] = factor[i].solve(x[i]);
    for (std::size_t i = n; i-- > 0;) {
      if (i + 1 < n) x[i] -= first[i + 1].transpose() * x[i + 1];
      if (i + 2 < n) x[i] -= second[i + 2].transpose() * x[i + 2];
    }
  }
};

constexpr int kReweightings = 4;

template <int B>
std::vector<Eigen::Matrix<double, B, 1>> smooth(const std::vector<Eigen::Matrix<double, B, 1>>& seen,
                                                const std::vector<Eigen::Matrix<double, B, B>>& information,
                                                const Eigen::Matrix<double, B, 1>& strength,
                                                const Eigen::Matrix<double, B, 1>& sudden) {
  using Column = Eigen::Matrix<double, B, 1>;
  const std::size_t n = seen.size();
  if (n < 3) return seen;
  std::vector<Column> x = seen, pull(n, Column::Ones());
  for (int round = 0; round < kReweightings; ++round) {
    Pentadiagonal<B> system(static_cast<Eigen::Index>(n));
    std::vector<Column> right(n);
    for (std::size_t t = 0; t < n; ++t) {
      system.diagonal[t] = information[t];
      system.diagonal[t].diagonal().array() += 1e-9 * strength.array();
      right[t] = system.diagonal[t] * seen[t];
    }
    for (std::size_t t = 1; t + 1 < n; ++t) {
      const Column w = strength.cwiseProduct(pull[t]);
      system.diagonal[t - 1].diagonal() += w;
      system.diagonal[t].diagonal() += 4 * w;
      system.diagonal[t + 1].diagonal() += w;
      system.first[t].diagonal() -= 2 * w;
      system.first[t + 1].diagonal() -= 2 * w;
      system.second[t + 1].diagonal() += w;
    }
    x = right;
    system.solve(x);
    for (std::size_t t = 1; t + 1 < n; ++t) {
      const Column bend = (x[t - 1] - 2 * x[t] + x[t + 1]).cwiseQuotient(sudden);
      pull[t] = (1 + bend.array().square()).inverse().matrix();
    }
  }
  return x;
}

}  // namespace

Eigen::MatrixXd smooth_columns(const Eigen::MatrixXd& seen, const Eigen::MatrixXd& information,
                               const Eigen::VectorXd& strength, const Eigen::VectorXd& sudden) {
  using One = Eigen::Matrix<double, 1, 1>;
  Eigen::MatrixXd out = seen;
  for (Eigen::Index c = 0; c < seen.cols(); ++c) {
    std::vector<One> values, weights;
    for (Eigen::Index t = 0; t < seen.rows(); ++t) {
      values.emplace_back(seen(t, c));
      weights.emplace_back(information(t, c));
    }
    const std::vector<One> smoothed = smooth<1>(values, weights, One(strength[c]), One(sudden[c]));
    for (Eigen::Index t = 0; t < seen.rows(); ++t) out(t, c) = smoothed[static_cast<std::size_t>(t)][0];
  }
  return out;
}

Eigen::MatrixXd smooth_poses(const Eigen::MatrixXd& seen, const std::vector<Eigen::Matrix<double, 6, 6>>& information,
                             const Eigen::Matrix<double, 6, 1>& strength, const Eigen::Matrix<double, 6, 1>& sudden) {
  std::vector<Eigen::Matrix<double, 6, 1>> values;
  for (Eigen::Index t = 0; t < seen.rows(); ++t) values.emplace_back(seen.row(t).transpose());
  const auto smoothed = smooth<6>(values, information, strength, sudden);
  Eigen::MatrixXd out(seen.rows(), 6);
  for (Eigen::Index t = 0; t < seen.rows(); ++t) out.row(t) = smoothed[static_cast<std::size_t>(t)].transpose();
  return out;
}

}  // namespace mien::fit
