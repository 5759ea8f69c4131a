#include "capture/import/mesh_motion.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

#include "mien/base/error.h"
#include "mien/base/hash.h"

namespace mien::import {
namespace {

constexpr int kMostVertices = 200'000;
constexpr int kRounds = 8;
constexpr int kMostSweeps = 20'000;
constexpr double kSettled = 1e-7;  // change of every weight in a sweep

// Vertices that no expression moves, or all where the head does not know.
std::vector<int> stiff_vertices(const HeadModel& head) {
  std::vector<int> out, all;
  for (int v = 0; v < head.vertex_count(); ++v) {
    all.push_back(v);
    if (head.region[v] == HeadRegion::kScalp || head.region[v] == HeadRegion::kEars) out.push_back(v);
  }
  return out.size() >= 30 ? out : all;
}

// Rotation and translation from head to mesh (Umeyama 1991, without scale).
void fit_pose(const std::vector<Vec3>& head, const std::vector<int>& stiff, const std::vector<Vec3>& mesh,
              HeadPose& pose) {
  const auto count = static_cast<Eigen::Index>(stiff.size());
  Eigen::MatrixXd from(3, count), to(3, count);
  for (Eigen::Index i = 0; i < count; ++i) {
    const auto v = static_cast<std::size_t>(stiff[static_cast<std::size_t>(i)]);
    for (int k = 0; k < 3; ++k) {
      from(k, i) = head[v][k];
      to(k, i) = mesh[v][k];
    }
  }
  const Eigen::MatrixXd fit = Eigen::umeyama(from, to, false);
  Mat3 rotation;
  for (int r = 0; r < 3; ++r) {
    for (int c = 0; c < 3; ++c) rotation(r, c) = static_cast<float>(fit(r, c));
    pose.translation[r] = static_cast<float>(fit(r, 3));
  }
  pose.root = Quat(rotation).normalized();
}

// Solves for expression weights over the vertices that expressions move.
class ExpressionFit {
 public:
  explicit ExpressionFit(const HeadModel& head) : head_(&head) {
    const auto e = static_cast<std::size_t>(head.expression_count());
    const std::size_t v = head.mesh.positions.size();
    for (std::size_t i = 0; i < v; ++i) {
      bool moves = false;
      for (std::size_t m = 0; m < e && !moves; ++m) moves = head.expression[m * v + i].squaredNorm() > 1e-14f;
      if (moves) moving_.push_back(i);
    }
    if (moving_.empty()) return;
    basis_.resize(static_cast<Eigen::Index>(3 * moving_.size()), static_cast<Eigen::Index>(e));
    for (std::size_t m = 0; m < e; ++m) {
      for (std::size_t i = 0; i < moving_.size(); ++i) {
        basis_.block<3, 1>(static_cast<Eigen::Index>(3 * i), static_cast<Eigen::Index>(m)) =
            head.expression[m * v + moving_[i]].cast<double>();
      }
    }
    normal_ = basis_.transpose() * basis_;
    normal_.diagonal().array() += 1e-7 * normal_.trace() / static_cast<double>(e);
  }
  bool empty() const { return moving_.empty(); }
  // `offsets` [V]: mesh minus template, unposed.
  std::vector<float> operator()(const std::vector<Vec3>& offsets) const {
    Eigen::VectorXd wanted(basis_.rows());
    for (std::size_t i = 0; i < moving_.size(); ++i) {
      wanted.segment<3>(static_cast<Eigen::Index>(3 * i)) = offsets[moving_[i]].cast<double>();
    }
    const Eigen::VectorXd right = basis_.transpose() * wanted;
    Eigen::VectorXd weights = Eigen::VectorXd::Zero(right.size());
    // Coordinate descent within [0,1]: expressions overlap, and clamping a free solution would spoil the others.
    double change = 1;
    for (int sweep = 0; sweep < kMostSweeps && change > kSettled; ++sweep) {
      change = 0;
      for (Eigen::Index m = 0; m < weights.size(); ++m) {
        const double step = (right[m] - normal_.row(m).dot(weights)) / normal_(m, m);
        const double next = std::clamp(weights[m] + step, 0.0, 1.0);
        change = std::max(change, std::abs(next - weights[m]));
        weights[m] = next;
      }
    }
    std::vector<float> out(static_cast<std::size_t>(weights.size()));
    for (std::size_t m = 0; m < out.size(); ++m) out[m] = static_cast<float>(weights[static_cast<Eigen::Index>(m)]);
    return out;
  }

 private:
  const HeadModel* head_;
  std::vector<std::size_t> moving_;
  Eigen::MatrixXd basis_, normal_;
};

}  // namespace

HeadModel head_from_mesh(const std::vector<Vec3>& vertices, const std::vector<Index3>& faces) {
  const std::size_t v = vertices.size();
  if (v < 3 || v > kMostVertices || faces.empty()) {
    throw Error(ErrorCode::kUnsupported, fmt::format("meshes of {} vertices and {} faces", v, faces.size()),
                fmt::format("give triangle meshes of at most {} vertices", kMostVertices));
  }
  HeadModel head;
  std::uint64_t hash = kFnvStart;
  for (const Index3& f : faces) {
    hash = fnv1a({reinterpret_cast<const std::uint8_t*>(f.data()), 3 * sizeof(int)}, hash);
  }
  head.id = fmt::format("mesh-{:08x}", hash & 0xffffffffU);
  head.mesh.positions = vertices;
  head.mesh.faces = faces;
  head.face_part.assign(faces.size(), HeadPart::kSkin);
  head.region.assign(v, HeadRegion::kFace);
  head.expression_names.assign(kArkitNames.begin(), kArkitNames.end());
  head.expression.assign(kArkitCount * v, Vec3::Zero());
  head.joints.fill(Vec3::Zero());
  head.skin_weights.assign(v, {0.0f, 0.0f});
  return head;
}

HeadMotion motion_from_meshes(const HeadModel& head, const MeshSequence& meshes, double fps,
                              const EmotionTrack& emotion) {
  HeadMotion motion;
  motion.head_model = head.id;
  motion.expression_names = head.expression_names;
  motion.fps = fps;
  const std::vector<int> stiff = stiff_vertices(head);
  const ExpressionFit fit(head);
  for (const std::vector<Vec3>& mesh : meshes.frames) {
    MIEN_CHECK(mesh.size() == head.mesh.positions.size(), "{} vertices, {}", mesh.size(), head.mesh.positions.size());
    MotionFrame frame;
    frame.expression.assign(head.expression_names.size(), 0.0f);
    // Pose and expression in turn: where the head knows nothing stiff, expressions pull at the pose.
    std::vector<Vec3> shape = head.mesh.positions;
    for (int round = 0; round < (fit.empty() ? 1 : kRounds); ++round) {
      fit_pose(shape, stiff, mesh, frame.pose);
      const Quat back = frame.pose.root.conjugate();
      frame.offsets.resize(mesh.size());
      for (std::size_t v = 0; v < mesh.size(); ++v) {
        frame.offsets[v] = back * (mesh[v] - frame.pose.translation) - head.mesh.positions[v];
      }
      if (fit.empty()) break;
      frame.expression = fit(frame.offsets);
      head.deform(frame.expression.data(), static_cast<int>(frame.expression.size()), nullptr, shape);
    }
    for (std::size_t v = 0; v < mesh.size(); ++v) frame.offsets[v] -= shape[v] - head.mesh.positions[v];
    frame.emotion = emotion.at(static_cast<double>(motion.frames.size()) / fps);
    motion.frames.push_back(std::move(frame));
  }
  return motion;
}

}  // namespace mien::import
