#include "head/outside/flame_expressions.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

namespace mien::outside {
namespace {

constexpr float kNear = 0.006f, kFar = 0.014f;  // metres from the laid-over surface: believed whole, not at all
constexpr double kTolerance = 0.0002;           // metres a vertex that one standard deviation of a weight must gain
constexpr double kEnough = 0.5;                 // share of a movement's square that has to be explained

// The laid-over movement, faded out where the two heads have nothing in common.
std::vector<Vec3> target_of(const HeadModel& reference, const Overlay& overlay, int expression) {
  std::vector<Vec3> field =
      overlay.carry(reference.expression.data() + static_cast<std::ptrdiff_t>(expression) * reference.vertex_count());
  for (std::size_t v = 0; v < field.size(); ++v)
    field[v] *= std::clamp((kFar - overlay.distance(static_cast<int>(v))) / (kFar - kNear), 0.0f, 1.0f);
  return field;
}

double square(const std::vector<Vec3>& field, const std::vector<int>& vertices) {
  double sum = 0;
  for (const int v : vertices) sum += field[static_cast<std::size_t>(v)].squaredNorm();
  return sum;
}

void subtract(const std::vector<Vec3>& what, std::vector<Vec3>& from) {
  for (std::size_t v = 0; v < from.size(); ++v) from[v] -= what[v];
}

// The jaw's rotation that comes nearest to a field: Gauss-Newton, three unknowns.
Vec3 fit_jaw(const FlameMovements& movements, const std::vector<Vec3>& rest, const std::vector<int>& vertices,
             const std::vector<Vec3>& target) {
  Vec3 rotation = Vec3::Zero();
  for (int round = 0; round < 6; ++round) {
    const std::vector<Vec3> now = turn_jaw(movements, rest, rotation);
    Eigen::Matrix3d matrix = 1e-9 * Eigen::Matrix3d::Identity();
    Eigen::Vector3d right = Eigen::Vector3d::Zero();
    std::array<std::vector<Vec3>, 3> slopes;
    constexpr float kStep = 1e-3f;
    for (int k = 0; k < 3; ++k)
      slopes[static_cast<std::size_t>(k)] = turn_jaw(movements, rest, rotation + kStep * Vec3::Unit(k));
    for (const int vertex : vertices) {
      const auto v = static_cast<std::size_t>(vertex);
      Eigen::Matrix3d slope;
      for (int k = 0; k < 3; ++k)
        slope.col(k) = ((slopes[static_cast<std::size_t>(k)][v] - now[v]) / kStep).cast<double>();
      matrix += slope.transpose() * slope;
      right += slope.transpose() * (target[v] - now[v]).cast<double>();
    }
    rotation += matrix.ldlt().solve(right).cast<float>();
    constexpr float kMost = 0.7f;  // radians
    if (rotation.norm() > kMost) rotation *= kMost / rotation.norm();
  }
  return rotation;
}

// Moves the upper lid on until its edge meets the lower one, and the skin around with it.
void close_lids(const HeadModel& model, const std::vector<std::array<int, 2>>& pairs, HeadRegion upper,
                std::vector<Vec3>& field) {
  constexpr float kReach = 0.004f;  // metres
  std::vector<int> lid;
  for (int v = 0; v < model.vertex_count(); ++v) {
    if (model.region[static_cast<std::size_t>(v)] == upper) lid.push_back(v);
  }
  for (const auto& pair : pairs) lid.push_back(pair[0]);
  std::sort(lid.begin(), lid.end());
  lid.erase(std::unique(lid.begin(), lid.end()), lid.end());
  const auto rest = [&](int v) { return model.mesh.positions[static_cast<std::size_t>(v)]; };
  for (int round = 0; round < 12; ++round) {
    std::vector<Vec3> gaps;
    for (const auto& [a, b] : pairs)
      gaps.push_back(rest(b) + field[static_cast<std::size_t>(b)] - rest(a) - field[static_cast<std::size_t>(a)]);
    for (const int v : lid) {
      Vec3 sum = Vec3::Zero();
      float weights = 0;
      for (std::size_t i = 0; i < pairs.size(); ++i) {
        const float weight = std::exp(-(rest(v) - rest(pairs[i][0])).squaredNorm() / (kReach * kReach));
        sum += weight * gaps[i];
        weights += weight;
      }
      field[static_cast<std::size_t>(v)] += sum / std::max(weights, 1.0f);
    }
  }
}

}  // namespace

std::vector<Vec3> turn_jaw(const FlameMovements& movements, const std::vector<Vec3>& rest, const Vec3& rotation) {
  const float angle = rotation.norm();
  const Mat3 turn =
      angle < 1e-9f ? Mat3(Mat3::Identity()) : Eigen::AngleAxisf(angle, rotation / angle).toRotationMatrix();
  const Mat3 less = turn - Mat3::Identity();
  std::vector<Vec3> field(rest.size());
  for (std::size_t v = 0; v < rest.size(); ++v) {
    Vec3 corrected = rest[v];
    if (!movements.jaw_corrections.empty()) {
      for (int k = 0; k < 3; ++k) {
        const float* by = movements.jaw_corrections.data() + 9 * (3 * v + static_cast<std::size_t>(k));
        for (int i = 0; i < 9; ++i) corrected[k] += by[i] * less(i / 3, i % 3);
      }
    }
    field[v] = corrected - rest[v] + movements.jaw_share[v] * (less * (corrected - movements.jaw_joint));
  }
  return field;
}

void make_arkit_expressions(const FlameMovements& movements, const HeadModel& reference, const Overlay& overlay,
                            OutsideHead& out) {
  HeadModel& model = out.model;
  std::vector<int> vertices;
  for (int v = 0; v < model.vertex_count(); ++v) {
    if (overlay.distance(v) < kNear) vertices.push_back(v);
  }
  const auto rows = static_cast<Eigen::Index>(3 * vertices.size());
  const auto columns = static_cast<Eigen::Index>(movements.expressions.size());
  Eigen::MatrixXd basis(rows, columns);
  for (Eigen::Index c = 0; c < columns; ++c) {
    for (std::size_t i = 0; i < vertices.size(); ++i)
      basis.block<3, 1>(static_cast<Eigen::Index>(3 * i), c) =
          movements.expressions[static_cast<std::size_t>(c)][static_cast<std::size_t>(vertices[i])].cast<double>();
  }
  Eigen::MatrixXd normal = basis.transpose() * basis;
  normal.diagonal().array() += static_cast<double>(vertices.size()) * kTolerance * kTolerance;
  const Eigen::LDLT<Eigen::MatrixXd> solver(normal);

  for (int e = 0; e < kArkitCount; ++e) {
    const std::string name = kArkitNames[static_cast<std::size_t>(e)];
    const std::vector<Vec3> target = target_of(reference, overlay, e);
    std::vector<Vec3> made(target.size(), Vec3::Zero());
    std::vector<Vec3> left = target;
    const double all = square(target, vertices);
    constexpr double kNothing = 1e-8;  // square metres in all
    if (name == "tongueOut" || all < kNothing) {
      out.missing.push_back(name);
    } else {
      if (name.starts_with("jaw")) {
        made = turn_jaw(movements, model.mesh.positions, fit_jaw(movements, model.mesh.positions, vertices, target));
        subtract(made, left);
      }
      Eigen::VectorXd right(rows);
      for (std::size_t i = 0; i < vertices.size(); ++i)
        right.segment<3>(static_cast<Eigen::Index>(3 * i)) = left[static_cast<std::size_t>(vertices[i])].cast<double>();
      const Eigen::VectorXd weights = solver.solve(basis.transpose() * right);
      for (Eigen::Index c = 0; c < columns; ++c) {
        for (std::size_t v = 0; v < made.size(); ++v)
          made[v] += static_cast<float>(weights[c]) * movements.expressions[static_cast<std::size_t>(c)][v];
      }
      left = target;
      subtract(made, left);
      if (square(left, vertices) > (1 - kEnough) * all) {
        made = target;
        out.carried.push_back(name);
      }
      if (name == "eyeBlinkLeft") close_lids(model, model.contours.lids_left, HeadRegion::kUpperLidLeft, made);
      if (name == "eyeBlinkRight") close_lids(model, model.contours.lids_right, HeadRegion::kUpperLidRight, made);
    }
    model.expression_names.push_back(name);
    model.expression.insert(model.expression.end(), made.begin(), made.end());
  }
  // Eyeballs turn by the pose's gaze alone.
  for (int f = 0; f < model.mesh.face_count(); ++f) {
    if (model.face_part[static_cast<std::size_t>(f)] == HeadPart::kSkin) continue;
    for (const int v : model.mesh.faces[static_cast<std::size_t>(f)]) {
      for (std::size_t e = 0; e < static_cast<std::size_t>(kArkitCount); ++e)
        model.expression[e * model.mesh.positions.size() + static_cast<std::size_t>(v)].setZero();
    }
  }
}

}  // namespace mien::outside
