#include "track/fit/face_samples.h"

#include <algorithm>
#include <cmath>

#include "mien/base/random.h"
#include "mien/geometry/raster.h"

namespace mien::fit {
namespace {

constexpr double kSpacing = 0.0034, kFineSpacing = 0.0017;  // metres between samples: of skin, of lips and lids
constexpr float kFront = 0.03f;                             // metres: the face lies before this, in head space
constexpr int kDepthSize = 96;                              // pixels a side of the picture that tells what is hidden
constexpr float kDepthSlack = 0.004f;                       // metres
constexpr double kFacing = 0.3;                             // cosine of the steepest view that still counts

bool is_fine(HeadRegion r) {
  return r >= HeadRegion::kUpperLip && r <= HeadRegion::kLowerLidRight;
}

bool is_face(HeadRegion r) {
  return r == HeadRegion::kFace || r == HeadRegion::kNose || r == HeadRegion::kForehead || is_fine(r);
}

}  // namespace

Eigen::VectorXd FaceSamples::shape(const FrameState& state) const {
  Eigen::VectorXf weights = Eigen::VectorXf::Zero(expression.cols());
  for (std::size_t e = 0; e < free.size(); ++e) {
    weights[static_cast<Eigen::Index>(e)] = static_cast<float>(state.weights[free[e]]);
  }
  return points + (expression * weights).cast<double>();
}

FaceSampler::FaceSampler(const HeadModel& head, const std::vector<int>& free) : head_(head) {
  const std::vector<Vec3> normals = vertex_normals(head.mesh.positions, head.mesh.faces);
  std::vector<SurfacePoint> points;
  Random random(5);
  double due = 0;
  for (int f = 0; f < head.mesh.face_count(); ++f) {
    if (head.face_part[static_cast<std::size_t>(f)] != HeadPart::kSkin) continue;
    const Index3& face = head.mesh.faces[static_cast<std::size_t>(f)];
    bool inside = true, fine = false, front = true;
    for (const int v : face) {
      const auto i = static_cast<std::size_t>(v);
      const HeadRegion region = head.region[i];
      inside = inside && is_face(region) && head.skin_weights[i][1] > 0.99f && head.mesh.positions[i].z() > kFront;
      fine = fine || is_fine(region);
      front = front && head.skin_weights[i][1] > 0.5f;
    }
    if (front) skin_.push_back(face);
    if (!inside) continue;
    const Vec3 &a = head.mesh.positions[static_cast<std::size_t>(face[0])],
               &b = head.mesh.positions[static_cast<std::size_t>(face[1])],
               &c = head.mesh.positions[static_cast<std::size_t>(face[2])];
    const double area = 0.5 * double{(b - a).cross(c - a).norm()}, spacing = fine ? kFineSpacing : kSpacing;
    for (due += area / (spacing * spacing); due >= 1; due -= 1) {
      float u = random.uniform(), v = random.uniform();
      if (u + v > 1) u = 1 - u, v = 1 - v;
      points.push_back({f, Vec3(1 - u - v, u, v)});
    }
  }
  const auto count = static_cast<Eigen::Index>(points.size()), columns = static_cast<Eigen::Index>(free.size());
  const std::size_t vertices = head.mesh.positions.size();
  samples_.free = free;
  samples_.points.resize(3 * count);
  samples_.normal.resize(3, count);
  samples_.expression.setZero(3 * count, (columns + 7) / 8 * 8);
  for (Eigen::Index k = 0; k < count; ++k) {
    const SurfacePoint& point = points[static_cast<std::size_t>(k)];
    const Index3& face = head.mesh.faces[static_cast<std::size_t>(point.face)];
    const auto mix = [&](const Vec3* field) {
      Vec3 sum = Vec3::Zero();
      for (int i = 0; i < 3; ++i) sum += point.barycentric[i] * field[face[i]];
      return Eigen::Vector3d(sum.cast<double>());
    };
    samples_.points.segment<3>(3 * k) = mix(head.mesh.positions.data());
    samples_.normal.col(k) = mix(normals.data()).normalized();
    for (Eigen::Index e = 0; e < columns; ++e) {
      const auto which = static_cast<std::size_t>(free[static_cast<std::size_t>(e)]);
      samples_.expression.block<3, 1>(3 * k, e) = mix(head.expression.data() + which * vertices).cast<float>();
    }
  }
}

std::vector<std::uint8_t> FaceSampler::visible(const Lens& lens, const FrameState& state) const {
  std::array<float, kArkitCount> weights{};
  for (int e = 0; e < kArkitCount; ++e) weights[static_cast<std::size_t>(e)] = static_cast<float>(state.weights[e]);
  std::vector<Vec3> vertices;
  head_.deform(weights.data(), kArkitCount, nullptr, vertices);
  // Camera axes of the rasteriser: y down, z forward.
  Eigen::Matrix3f turn = state.rotation.cast<float>();
  Vec3 shift = state.translation.cast<float>();
  turn.bottomRows<2>() *= -1;
  shift.tail<2>() *= -1;
  for (Vec3& v : vertices) v = turn * v + shift;
  const auto count = static_cast<std::size_t>(samples_.count());
  const Eigen::VectorXd shape = samples_.shape(state);
  std::vector<Eigen::Vector3d> seen(count);
  Eigen::Vector2d low(1e9, 1e9), high(-1e9, -1e9);
  for (std::size_t k = 0; k < count; ++k) {
    seen[k] = state.rotation * shape.segment<3>(3 * static_cast<Eigen::Index>(k)) + state.translation;
    const Eigen::Vector2d p = project(lens, seen[k]);
    low = low.cwiseMin(p);
    high = high.cwiseMax(p);
  }
  const double size = std::max(1e-6, (high - low).maxCoeff()), scale = kDepthSize / size;
  Camera camera;
  camera.width = camera.height = kDepthSize;
  camera.fx = camera.fy = static_cast<float>(scale * lens.focal);
  camera.cx = static_cast<float>(scale * (lens.cx - low.x()));
  camera.cy = static_cast<float>(scale * (lens.cy - low.y()));
  RasterOptions options;
  options.barycentrics = false;
  RasterBuffer buffer;
  rasterise(vertices, skin_, camera, options, buffer);
  std::vector<std::uint8_t> out(count, 0);
  for (std::size_t k = 0; k < count; ++k) {
    const Eigen::Vector3d& c = seen[k];
    const Eigen::Vector3d normal = state.rotation * samples_.normal.col(static_cast<Eigen::Index>(k));
    if (-normal.dot(c) < kFacing * c.norm()) continue;
    const Eigen::Vector2d p = scale * (project(lens, c) - low);
    const int x = std::clamp(static_cast<int>(p.x()), 0, kDepthSize - 1),
              y = std::clamp(static_cast<int>(p.y()), 0, kDepthSize - 1);
    out[k] = static_cast<float>(-c.z()) <= buffer.depth[buffer.index(x, y)] + kDepthSlack ? 1 : 0;
  }
  return out;
}

}  // namespace mien::fit
