#include "actor/stage/face_frame.h"

#include <algorithm>
#include <cmath>

namespace mien::stage {

FaceFrame::FaceFrame(const HeadModel& model) {
  std::vector<Index3> skin;
  for (std::size_t f = 0; f < model.mesh.faces.size(); ++f) {
    if (model.face_part[f] == HeadPart::kSkin) skin.push_back(model.mesh.faces[f]);
  }
  skin_ = std::make_unique<NearestTriangle>(model.mesh.positions, skin);
  if (model.landmarks.size() < 468) return;
  for (const SurfacePoint& point : model.landmarks) {
    const Index3& f = model.mesh.faces[point.face];
    Vec3 p = Vec3::Zero();
    for (int k = 0; k < 3; ++k) p += point.barycentric[k] * model.mesh.positions[f[k]];
    landmarks_.push_back(p);
  }
}

Vec3 FaceFrame::on_skin(const Vec3& point) const {
  const NearestHit hit = skin_->query(point);
  return hit.face < 0 ? point : hit.point;
}

Curve FaceFrame::curve(std::span<const Vec3> points) const {
  constexpr float kStep = 0.0015f;
  Curve curve;
  const auto n = static_cast<int>(points.size());
  for (int i = 0; i + 1 < n; ++i) {
    const Vec3 &a = points[std::max(i - 1, 0)], &b = points[i], &c = points[i + 1], &d = points[std::min(i + 2, n - 1)];
    const int steps = std::max(1, static_cast<int>((c - b).norm() / kStep));
    for (int s = 0; s < steps + (i + 2 == n ? 1 : 0); ++s) {
      const float t = static_cast<float>(s) / static_cast<float>(steps);
      const Vec3 p =
          0.5f * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t * t + (3 * b - a - 3 * c + d) * t * t * t);
      curve.points.push_back(on_skin(p));
    }
  }
  curve.arc.push_back(0);
  for (std::size_t i = 1; i < curve.points.size(); ++i) {
    curve.arc.push_back(curve.arc.back() + (curve.points[i] - curve.points[i - 1]).norm());
  }
  return curve;
}

Curve FaceFrame::curve(std::span<const int> landmarks) const {
  std::vector<Vec3> points;
  for (const int l : landmarks) points.push_back(at(l));
  return curve(std::span<const Vec3>(points));
}

CurveHit FaceFrame::nearest(const Curve& curve, const Vec3& point) {
  CurveHit best{1e9f, 0};
  float best2 = 1e18f;
  for (std::size_t i = 0; i + 1 < curve.points.size(); ++i) {
    const Vec3 e = curve.points[i + 1] - curve.points[i];
    const float t = std::clamp((point - curve.points[i]).dot(e) / std::max(e.squaredNorm(), 1e-14f), 0.0f, 1.0f);
    const float d2 = (point - curve.points[i] - t * e).squaredNorm();
    if (d2 < best2) {
      best2 = d2;
      best.along = (curve.arc[i] + t * (curve.arc[i + 1] - curve.arc[i])) / std::max(curve.length(), 1e-9f);
    }
  }
  best.distance = std::sqrt(best2);
  return best;
}

float polygon_distance(const std::vector<Vec2>& polygon, const Vec2& p) {
  float best = 1e18f;
  bool inside = false;
  for (std::size_t i = 0, j = polygon.size() - 1; i < polygon.size(); j = i++) {
    const Vec2 &a = polygon[i], &b = polygon[j];
    const Vec2 e = b - a;
    const float t = std::clamp((p - a).dot(e) / std::max(e.squaredNorm(), 1e-14f), 0.0f, 1.0f);
    best = std::min(best, (p - a - t * e).squaredNorm());
    if ((a.y() > p.y()) != (b.y() > p.y()) && p.x() < a.x() + (p.y() - a.y()) / e.y() * e.x()) inside = !inside;
  }
  return inside ? -std::sqrt(best) : std::sqrt(best);
}

}  // namespace mien::stage
