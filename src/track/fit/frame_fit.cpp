#include "track/fit/frame_fit.h"

#include <Eigen/Cholesky>
#include <Eigen/Geometry>
#include <Eigen/SVD>
#include <algorithm>
#include <cmath>

#include "mien/base/error.h"

namespace mien::fit {
namespace {

constexpr double kRobustScale = 4;  // millimetres: points further off lose their say (Geman and McClure 1985)
constexpr double kPairWeight = 2;   // of the slit between two lips or lids, against that of a single point
constexpr int kRows = kMeshPoints + 9 + 2 * 7;  // landmarks, pairs of lips, pairs of lids

Eigen::Matrix3d cross(const Eigen::Vector3d& v) {
  Eigen::Matrix3d m;
  m << 0, -v.z(), v.y(), v.z(), 0, -v.x(), -v.y(), v.x(), 0;
  return m;
}

Eigen::Matrix3d gaze_rotation(const std::array<double, 2>& gaze) {
  return (Eigen::AngleAxisd(gaze[0], Eigen::Vector3d::UnitY()) * Eigen::AngleAxisd(-gaze[1], Eigen::Vector3d::UnitX()))
      .toRotationMatrix();
}

Eigen::Vector2d project(const Lens& lens, const Eigen::Vector3d& c) {
  return {lens.cx - lens.focal * c.x() / c.z(), lens.cy + lens.focal * c.y() / c.z()};
}

// Derivative of project() by c.
Eigen::Matrix<double, 2, 3> screen_derivative(const Lens& lens, const Eigen::Vector3d& c) {
  const double s = lens.focal / -c.z();
  Eigen::Matrix<double, 2, 3> d;
  d << s, 0, s * c.x() / -c.z(), 0, -s, -s * c.y() / -c.z();
  return d;
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
  return angle < 1e-12 ? Eigen::Matrix3d(Eigen::Matrix3d::Identity() + cross(w))
                       : Eigen::AngleAxisd(angle, w / angle).toRotationMatrix();
}

Eigen::Vector3d log_rotation(const Eigen::Matrix3d& r) {
  const Eigen::AngleAxisd turn(r);
  return turn.angle() * turn.axis();
}

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
    out.jacobian.block<2, 3>(2 * i, 0) = -screen * cross(turned);
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

FrameState first_guess(const Person& person, const Observation& seen, const Lens& lens) {
  Eigen::Vector3d mean = Eigen::Vector3d::Zero();
  Eigen::Vector2d seen_mean = Eigen::Vector2d::Zero();
  for (int i = 0; i < kMeshPoints; ++i) {
    mean += person.points.segment<3>(3 * i);
    seen_mean += seen.pixels.segment<2>(2 * i);
  }
  mean /= kMeshPoints;
  seen_mean /= kMeshPoints;
  Eigen::Matrix3d square = Eigen::Matrix3d::Zero();
  Eigen::Matrix<double, 2, 3> product = Eigen::Matrix<double, 2, 3>::Zero();
  for (int i = 0; i < kMeshPoints; ++i) {
    const Eigen::Vector3d p = person.points.segment<3>(3 * i) - mean;
    Eigen::Vector2d q = seen.pixels.segment<2>(2 * i) - seen_mean;
    q.y() = -q.y();
    square += p * p.transpose();
    product += q * p.transpose();
  }
  const Eigen::Matrix<double, 2, 3> affine = product * square.inverse();
  const double scale = 0.5 * (affine.row(0).norm() + affine.row(1).norm());
  Eigen::Matrix3d axes;
  axes.row(0) = affine.row(0).normalized();
  axes.row(1) = affine.row(1).normalized();
  axes.row(2) = axes.row(0).cross(axes.row(1));
  const Eigen::JacobiSVD<Eigen::Matrix3d> svd(axes, Eigen::ComputeFullU | Eigen::ComputeFullV);
  FrameState state;
  state.rotation = svd.matrixU() * svd.matrixV().transpose();
  const double depth = lens.focal / std::max(scale, 1e-6);
  const Eigen::Vector3d centre((seen_mean.x() - lens.cx) * depth / lens.focal,
                               -(seen_mean.y() - lens.cy) * depth / lens.focal, -depth);
  state.translation = centre - state.rotation * mean;
  return state;
}

void fit_frame(const Person& person, const Observation& seen, const Lens& lens, const ExpressionPrior& prior,
               const FrameFitOptions& options, FrameState& state) {
  std::vector<int> free;
  if (options.free_weights) free = prior.free;
  const auto count = static_cast<Eigen::Index>(free.size());
  const Eigen::Index n = 6 + count;
  double damping = 1e-4;
  Linearisation now, trial;
  linearise(person, seen, lens, free, state, now);
  double cost = now.cost + options.expression_prior * prior.cost(state.weights);
  Eigen::MatrixXd h(n, n);
  for (int iteration = 0; iteration < options.iterations; ++iteration) {
    h.setZero();
    h.selfadjointView<Eigen::Lower>().rankUpdate(now.jacobian.transpose());
    h.triangularView<Eigen::StrictlyUpper>() = h.transpose();
    Eigen::VectorXd b = -(now.jacobian.transpose() * now.residual);
    Eigen::VectorXd low = Eigen::VectorXd::Constant(n, -1e6), high = Eigen::VectorXd::Constant(n, 1e6);
    prior.add_to(options.expression_prior, state.weights, free, 6, h, b);
    for (Eigen::Index k = 0; k < count; ++k) {
      const double w = state.weights[free[static_cast<std::size_t>(k)]];
      low[6 + k] = -w;
      high[6 + k] = 1 - w;
    }
    if (!options.free_pose) {
      h.topRows<6>().setZero();
      h.leftCols<6>().setZero();
      h.topLeftCorner<6, 6>().setIdentity();
      b.head<6>().setZero();
    }
    bool better = false;
    for (int attempt = 0; attempt < 6 && !better; ++attempt) {
      Eigen::MatrixXd damped = h;
      damped.diagonal() *= 1 + damping;
      const Eigen::VectorXd step = solve_box(damped, b, low, high);
      FrameState next = state;
      next.rotation = exp_rotation(step.head<3>()) * state.rotation;
      next.translation += step.segment<3>(3);
      for (Eigen::Index k = 0; k < count; ++k) {
        double& w = next.weights[free[static_cast<std::size_t>(k)]];
        w = std::clamp(w + step[6 + k], 0.0, 1.0);
      }
      if (next.translation.z() > -0.05) {  // through the lens
        damping *= 10;
        continue;
      }
      linearise(person, seen, lens, free, next, trial);
      const double next_cost = trial.cost + options.expression_prior * prior.cost(next.weights);
      better = next_cost < cost;
      if (better) {
        const double gain = cost - next_cost;
        state = next;
        std::swap(now, trial);
        cost = next_cost;
        damping = std::max(1e-7, 0.2 * damping);
        if (gain < 1e-4 * cost) return;
      } else {
        damping *= 10;
      }
    }
    if (!better) return;
  }
}

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
