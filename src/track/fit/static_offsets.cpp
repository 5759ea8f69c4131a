#include "track/fit/static_offsets.h"

#include <Eigen/Cholesky>
#include <array>
#include <cmath>

#include "mien/base/parallel.h"

namespace mien::fit {
namespace {

constexpr double kDeviation = 0.002;  // metres: how far a landmark of a person usually is from where it should be
constexpr double kFrames = 2;         // all frames together weigh as this many: they make the same mistakes
constexpr float kReach = 0.014f;      // metres: width of the kernel that tells shape from sliding points

// The rigid pieces inside a head: -1 skin, 0 and 1 the eyes, 2 the mouth's inside.
int piece_of(const HeadModel& model, int face) {
  switch (model.face_part[static_cast<std::size_t>(face)]) {
    case HeadPart::kEyeLeft:
      return 0;
    case HeadPart::kEyeRight:
      return 1;
    case HeadPart::kTeethUpper:
    case HeadPart::kTeethLower:
    case HeadPart::kGums:
    case HeadPart::kTongue:
      return 2;
    default:
      return -1;
  }
}

}  // namespace

Eigen::VectorXd landmark_offsets(const LandmarkModel& model, const Eigen::VectorXd& identity,
                                 const Eigen::VectorXd& so_far, const std::vector<KeyFrame>& frames,
                                 const std::vector<Lens>& lenses) {
  Person person = person_of(model, identity);
  person.points += so_far;
  std::vector<Eigen::Matrix3d> h(kMeshPoints, Eigen::Matrix3d::Identity() / (kDeviation * kDeviation));
  std::vector<Eigen::Vector3d> b(kMeshPoints);
  for (int i = 0; i < kMeshPoints; ++i)
    b[static_cast<std::size_t>(i)] = -so_far.segment<3>(3 * i) / (kDeviation * kDeviation);
  const double share = kFrames / static_cast<double>(frames.size());
  for (const KeyFrame& frame : frames) {
    Linearisation at;
    linearise(person, frame.seen, lenses[static_cast<std::size_t>(frame.video)], {}, frame.state, at);
    for (int i = 0; i < kMeshPoints; ++i) {
      if (at.row_weight[i] <= 0) continue;
      // Each landmark for itself: its belief among the others says nothing here, only how odd it is in this frame.
      const double robust = at.row_weight[i] / std::sqrt(frame.seen.belief[i]);
      const Eigen::Matrix<double, 2, 3> j = robust * at.screen[static_cast<std::size_t>(i)] * frame.state.rotation;
      const Eigen::Vector2d r = at.residual.segment<2>(2 * i) / std::sqrt(frame.seen.belief[i]);
      h[static_cast<std::size_t>(i)] += share * j.transpose() * j;
      b[static_cast<std::size_t>(i)] -= share * j.transpose() * r;
    }
  }
  Eigen::VectorXd out = so_far;
  for (int i = 0; i < kMeshPoints; ++i) {
    out.segment<3>(3 * i) += h[static_cast<std::size_t>(i)].llt().solve(b[static_cast<std::size_t>(i)]);
  }
  return out;
}

std::vector<Vec3> vertex_offsets(const HeadModel& model, const LandmarkModel& landmarks,
                                 const Eigen::VectorXd& landmark_offsets) {
  const auto field = [&](const Vec3& p) {
    Vec3 sum = Vec3::Zero();
    float weights = 2;  // of standing still: far from all landmarks, and where few are near
    for (int i = 0; i < kMeshPoints; ++i) {
      const Vec3 at = landmarks.rest.segment<3>(3 * i).cast<float>();
      const float weight = std::exp(-(at - p).squaredNorm() / (2 * kReach * kReach));
      sum += weight * landmark_offsets.segment<3>(3 * i).cast<float>();
      weights += weight;
    }
    return Vec3(sum / weights);
  };
  std::vector<Vec3> out(model.mesh.positions.size());
  parallel_for(model.vertex_count(), 256, [&](std::int64_t v) {
    const auto vertex = static_cast<std::size_t>(v);
    out[vertex] = field(model.mesh.positions[vertex]);
  });
  std::vector<int> piece(out.size(), -1);
  for (int f = 0; f < model.mesh.face_count(); ++f) {
    for (const int v : model.mesh.faces[static_cast<std::size_t>(f)])
      piece[static_cast<std::size_t>(v)] = piece_of(model, f);
  }
  std::array<Vec3, 3> sum = {Vec3::Zero(), Vec3::Zero(), Vec3::Zero()};
  std::array<float, 3> count = {};
  for (std::size_t v = 0; v < out.size(); ++v) {
    if (piece[v] < 0) continue;
    sum[static_cast<std::size_t>(piece[v])] += out[v];
    count[static_cast<std::size_t>(piece[v])] += 1;
  }
  for (std::size_t v = 0; v < out.size(); ++v) {
    if (piece[v] >= 0) out[v] = sum[static_cast<std::size_t>(piece[v])] / count[static_cast<std::size_t>(piece[v])];
  }
  for (const auto& [upper, lower] : model.contours.lips) {
    const Vec3 both = 0.5f * (out[static_cast<std::size_t>(upper)] + out[static_cast<std::size_t>(lower)]);
    out[static_cast<std::size_t>(upper)] = out[static_cast<std::size_t>(lower)] = both;
  }
  return out;
}

HeadModel with_offsets(const HeadModel& model, const std::vector<Vec3>& offsets) {
  HeadModel out = model;
  for (std::size_t v = 0; v < offsets.size(); ++v) out.mesh.positions[v] += offsets[v];
  for (int f = 0; f < model.mesh.face_count(); ++f) {
    const int piece = piece_of(model, f);
    if (piece != 0 && piece != 1) continue;
    const auto joint = static_cast<std::size_t>(piece == 0 ? HeadJoint::kEyeLeft : HeadJoint::kEyeRight);
    const int v = model.mesh.faces[static_cast<std::size_t>(f)][0];
    out.joints[joint] = model.joints[joint] + offsets[static_cast<std::size_t>(v)];
  }
  return out;
}

}  // namespace mien::fit
