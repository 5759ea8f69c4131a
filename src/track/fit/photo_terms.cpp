#include "track/fit/photo_terms.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/clones.h"

namespace mien::fit {
namespace {

constexpr double kOutlier = 9;  // square of: deviations at which a sample loses its say, all colours together
constexpr int kAtOnce = 4;      // rows

// to = a e0 + b e1 + c e2, `width` numbers.
MIEN_CLONES void mix_rows(const float* e0, const float* e1, const float* e2, float a, float b, float c, int width,
                          float* to) {
  for (int j = 0; j < width; ++j) to[j] = a * e0[j] + b * e1[j] + c * e2[j];
}

// Adds rows' rows to the lower triangle of `h` (a little of the upper one too); four rows of `width` numbers each.
MIEN_CLONES void add_squares(const float* rows, int width, float* h) {
  const float *r0 = rows, *r1 = r0 + width, *r2 = r1 + width, *r3 = r2 + width;
  for (int i = 0; i < width; ++i) {
    const float a = r0[i], b = r1[i], c = r2[i], d = r3[i];
    float* to = h + static_cast<std::ptrdiff_t>(i) * width;
    const int end = (i | 7) + 1;
    for (int j = 0; j < end; ++j) to[j] += a * r0[j] + b * r1[j] + c * r2[j] + d * r3[j];
  }
}

}  // namespace

void photo_terms(const FaceSamples& samples, const FacePicture& picture, const Lens& lens, const PhotoTarget& target,
                 const FrameState& state, bool derivatives, PhotoTerms& out) {
  const auto columns = static_cast<Eigen::Index>(samples.free.size()), n = 6 + columns;
  const Eigen::VectorXd shape = samples.shape(state);
  out.cost = out.seen = 0;
  // Single precision is enough for the sums of squares; rows are padded to whole registers.
  const int width = static_cast<int>((n + 7) / 8 * 8);
  std::vector<float> block(static_cast<std::size_t>(kAtOnce * width)), squares;
  const auto padded = static_cast<int>(samples.expression.cols());
  if (derivatives) {
    squares.assign(static_cast<std::size_t>(width) * static_cast<std::size_t>(width), 0.0f);
    out.b.setZero(n);
  }
  int filled = 0;
  std::vector<float> mixed(static_cast<std::size_t>(padded));
  for (Eigen::Index k = 0; k < samples.count(); ++k) {
    if (!(target.weight[k] > 0)) continue;
    const Eigen::Vector3d turned = state.rotation * shape.segment<3>(3 * k), c = turned + state.translation;
    Eigen::Vector3d value;
    Eigen::Matrix<double, 3, 2> slope;
    if (!picture.sample(project(lens, c), value, derivatives ? &slope : nullptr)) continue;
    const Eigen::Vector3d r = value - target.wanted.col(k);
    const double odd = target.weight[k] * r.squaredNorm() / kOutlier;
    out.cost += kOutlier * odd / (1 + odd);
    out.seen += 1;
    if (!derivatives) continue;
    const double w = target.weight[k] / ((1 + odd) * (1 + odd));
    // Three colours make a 2 x 2 matrix about the place in the picture: its root gives two rows, and what they pull.
    Eigen::Matrix2d gram = w * slope.transpose() * slope;
    gram.diagonal().array() += 1e-12 * gram.trace() + 1e-30;
    const Eigen::Vector2d g = w * slope.transpose() * r;
    Eigen::Matrix2d root;  // gram = root' root
    root << std::sqrt(gram(0, 0)), gram(1, 0) / std::sqrt(gram(0, 0)), 0, 0;
    root(1, 1) = std::sqrt(std::max(1e-30, gram(1, 1) - root(0, 1) * root(0, 1)));
    Eigen::Vector2d pull;  // root' pull = g
    pull[0] = g[0] / root(0, 0);
    pull[1] = (g[1] - root(0, 1) * pull[0]) / root(1, 1);
    const Eigen::Matrix<double, 2, 3> by_point = root * screen_derivative(lens, c),
                                      by_turn = -by_point * cross_matrix(turned), by_shape = by_point * state.rotation;
    for (int row = 0; row < 2; ++row, ++filled) {
      float* to = block.data() + static_cast<std::ptrdiff_t>(filled) * width;
      for (int i = 0; i < 3; ++i) {
        to[i] = static_cast<float>(by_turn(row, i));
        to[3 + i] = static_cast<float>(by_point(row, i));
      }
      const float* basis = samples.expression.row(3 * k).data();
      mix_rows(basis, basis + padded, basis + 2 * padded, static_cast<float>(by_shape(row, 0)),
               static_cast<float>(by_shape(row, 1)), static_cast<float>(by_shape(row, 2)), padded, mixed.data());
      std::copy_n(mixed.begin(), columns, to + 6);
      for (Eigen::Index i = 0; i < n; ++i) out.b[i] -= pull[row] * double{to[i]};
    }
    if (filled < kAtOnce) continue;
    add_squares(block.data(), width, squares.data());
    filled = 0;
  }
  if (!derivatives) return;
  std::fill(block.begin() + static_cast<std::ptrdiff_t>(filled) * width, block.end(), 0.0f);
  add_squares(block.data(), width, squares.data());
  out.h.resize(n, n);
  for (Eigen::Index i = 0; i < n; ++i) {
    for (Eigen::Index j = 0; j <= i; ++j) {
      out.h(i, j) = out.h(j, i) = double{squares[static_cast<std::size_t>(i * width + j)]};
    }
  }
}

}  // namespace mien::fit
