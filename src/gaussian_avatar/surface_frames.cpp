#include <algorithm>

#include "mien/base/error.h"
#include "mien/base/parallel.h"
#include "mien/gaussian_avatar/gaussian_avatar.h"

namespace mien {
namespace {

constexpr std::int64_t kGrain = 512;

// Two edges and the unit normal, as columns: maps triangle coordinates to space.
Mat3 triangle_frame(const Vec3& a, const Vec3& b, const Vec3& c) {
  Mat3 frame;
  frame.col(0) = b - a;
  frame.col(1) = c - a;
  const Vec3 normal = frame.col(0).cross(frame.col(1));
  frame.col(2) = normal / std::max(normal.norm(), 1e-20f);
  return frame;
}

}  // namespace

SurfaceFrames::SurfaceFrames(const HeadModel& head) : head_(&head) {
  const auto& canonical = head.mesh.positions;
  const auto& faces = head.mesh.faces;
  inverse_frame_.resize(faces.size());
  area_.resize(faces.size());
  std::vector<std::int32_t> degree(canonical.size() + 1, 0);
  for (std::size_t f = 0; f < faces.size(); ++f) {
    const Index3& t = faces[f];
    const Mat3 frame = triangle_frame(canonical[t[0]], canonical[t[1]], canonical[t[2]]);
    const float area = frame.col(0).cross(frame.col(1)).norm();
    // A sliver without area has no frame: it takes no part in the averages.
    area_[f] = area > 1e-12f ? area : 0.0f;
    inverse_frame_[f] = area_[f] > 0 ? Mat3(frame.inverse()) : Mat3(Mat3::Zero());
    for (int k = 0; k < 3; ++k) ++degree[t[k] + 1];
  }
  for (std::size_t v = 1; v < degree.size(); ++v) degree[v] += degree[v - 1];
  ring_begin_ = degree;
  ring_.resize(faces.size() * 3);
  std::vector<std::int32_t> cursor(degree.begin(), degree.end() - 1);
  for (std::size_t f = 0; f < faces.size(); ++f) {
    for (int k = 0; k < 3; ++k) ring_[cursor[faces[f][k]]++] = static_cast<std::int32_t>(f);
  }
  face_deformation_.resize(faces.size());
  deformation_.assign(canonical.size(), Mat3::Identity());
  vertices_ = unposed_ = canonical;
}

void SurfaceFrames::update(const MotionFrame& frame, bool geometry) {
  const int weights = geometry ? static_cast<int>(frame.expression.size()) : 0;
  head_->deform(frame.expression.data(), weights, geometry && !frame.offsets.empty() ? frame.offsets.data() : nullptr,
                vertices_);
  unposed_ = vertices_;
  head_->pose(frame.pose, vertices_);
  update_vertices(vertices_);
}

void SurfaceFrames::update_vertices(const std::vector<Vec3>& posed) {
  MIEN_CHECK(posed.size() == head_->mesh.positions.size(), "vertices {} of {}", posed.size(),
             head_->mesh.positions.size());
  if (&posed != &vertices_) {
    vertices_ = posed;
    unposed_ = head_->mesh.positions;
  }
  const auto& faces = head_->mesh.faces;
  parallel_for(static_cast<std::int64_t>(faces.size()), kGrain, [&](std::int64_t f) {
    const Index3& t = faces[f];
    face_deformation_[f] = triangle_frame(vertices_[t[0]], vertices_[t[1]], vertices_[t[2]]) * inverse_frame_[f];
  });
  parallel_for(static_cast<std::int64_t>(vertices_.size()), kGrain, [&](std::int64_t v) {
    Mat3 sum = Mat3::Zero();
    float total = 0;
    for (std::int32_t i = ring_begin_[v]; i < ring_begin_[v + 1]; ++i) {
      sum += area_[ring_[i]] * face_deformation_[ring_[i]];
      total += area_[ring_[i]];
    }
    deformation_[v] = total > 0 ? Mat3(sum / total) : Mat3(Mat3::Identity());
  });
}

}  // namespace mien
