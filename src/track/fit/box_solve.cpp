#include <Eigen/Cholesky>
#include <algorithm>

#include "track/fit/frame_fit.h"

namespace mien::fit {

Eigen::VectorXd solve_box(const Eigen::MatrixXd& h, const Eigen::VectorXd& b, const Eigen::VectorXd& low,
                          const Eigen::VectorXd& high) {
  const Eigen::Index n = b.size();
  Eigen::VectorXd x = Eigen::VectorXd::Zero(n);
  std::vector<int> bound(static_cast<std::size_t>(n), 0);  // -1 at low, +1 at high
  for (int round = 0; round < 12; ++round) {
    std::vector<Eigen::Index> free;
    for (Eigen::Index i = 0; i < n; ++i) {
      const int at = bound[static_cast<std::size_t>(i)];
      if (at == 0)
        free.push_back(i);
      else
        x[i] = at < 0 ? low[i] : high[i];
    }
    const auto m = static_cast<Eigen::Index>(free.size());
    Eigen::MatrixXd part(m, m);
    Eigen::VectorXd right(m);
    for (Eigen::Index r = 0; r < m; ++r) {
      double sum = b[free[static_cast<std::size_t>(r)]];
      for (Eigen::Index i = 0; i < n; ++i) {
        if (bound[static_cast<std::size_t>(i)] != 0) sum -= h(free[static_cast<std::size_t>(r)], i) * x[i];
      }
      right[r] = sum;
      for (Eigen::Index c = 0; c <= r; ++c) {
        part(r, c) = h(free[static_cast<std::size_t>(r)], free[static_cast<std::size_t>(c)]);
      }
    }
    const Eigen::VectorXd solution = part.selfadjointView<Eigen::Lower>().llt().solve(right);
    bool changed = false;
    for (Eigen::Index r = 0; r < m; ++r) {
      const Eigen::Index i = free[static_cast<std::size_t>(r)];
      x[i] = std::clamp(solution[r], low[i], high[i]);
      if (solution[r] < low[i]) bound[static_cast<std::size_t>(i)] = -1, changed = true;
      if (solution[r] > high[i]) bound[static_cast<std::size_t>(i)] = 1, changed = true;
    }
    if (changed) continue;
    const Eigen::VectorXd gradient = h * x - b;
    for (Eigen::Index i = 0; i < n; ++i) {
      int& at = bound[static_cast<std::size_t>(i)];
      if ((at < 0 && gradient[i] < -1e-9) || (at > 0 && gradient[i] > 1e-9)) at = 0, changed = true;
    }
    if (!changed) break;
  }
  return x;
}

}  // namespace mien::fit
