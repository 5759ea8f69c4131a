#include "mien/metrics/landmark_metrics.h"

#include <cmath>
#include <limits>

#include "mien/base/error.h"

namespace mien {

std::vector<Vec2> project_landmarks(const HeadModel& model, const std::vector<Vec3>& vertices, const Camera& camera) {
  if (static_cast<int>(vertices.size()) != model.vertex_count()) {
    throw Error(ErrorCode::kBadArgument,
                fmt::format("{} vertices for a head of {}", vertices.size(), model.vertex_count()),
                "give the vertices of that head");
  }
  std::vector<Vec2> out;
  out.reserve(model.landmarks.size());
  for (const SurfacePoint& point : model.landmarks) {
    const auto& face = model.mesh.faces[point.face];
    Vec3 position = Vec3::Zero();
    for (int k = 0; k < 3; ++k) position += point.barycentric[k] * vertices[face[k]];
    constexpr float kNowhere = std::numeric_limits<float>::quiet_NaN();
    out.push_back(camera.to_camera(position).z() > 0 ? camera.project(position) : Vec2(kNowhere, kNowhere));
  }
  return out;
}

std::vector<int> lip_landmarks(const HeadModel& model) {
  std::vector<int> out;
  for (std::size_t i = 0; i < model.landmarks.size(); ++i) {
    int heaviest = 0;
    model.landmarks[i].barycentric.maxCoeff(&heaviest);
    const HeadRegion region = model.region[model.mesh.faces[model.landmarks[i].face][heaviest]];
    if (region == HeadRegion::kUpperLip || region == HeadRegion::kLowerLip) out.push_back(static_cast<int>(i));
  }
  return out;
}

double landmark_distance_px(std::span<const Vec2> truth, std::span<const Vec2> other, std::span<const int> which) {
  if (truth.size() != other.size()) {
    throw Error(ErrorCode::kBadArgument, fmt::format("{} landmarks against {}", other.size(), truth.size()),
                "both heads must have the same landmarks");
  }
  double sum = 0;
  int count = 0;
  const std::size_t pairs = which.empty() ? truth.size() : which.size();
  for (std::size_t i = 0; i < pairs; ++i) {
    const std::size_t at = which.empty() ? i : static_cast<std::size_t>(which[i]);
    if (at >= truth.size()) {
      throw Error(ErrorCode::kBadArgument, fmt::format("landmark {} of {}", which[i], truth.size()));
    }
    const double distance = (truth[at] - other[at]).cast<double>().norm();
    if (!std::isfinite(distance)) continue;
    sum += distance;
    ++count;
  }
  if (count == 0) {
    throw Error(ErrorCode::kBadArgument, fmt::format("none of {} landmarks lies before the camera", pairs),
                "the head needs landmarks, and the camera must look at it");
  }
  return sum / count;
}

}  // namespace mien
