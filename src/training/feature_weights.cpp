#include "feature_weights.h"

#include <algorithm>
#include <array>

namespace mien {

std::vector<WeightedRectangle> feature_rectangles(const HeadModel& head, const SurfaceFrames& frames,
                                                  const Camera& camera, const GaussianTrainOptions& options) {
  std::vector<WeightedRectangle> out;
  if (options.mouth_weight <= 0 && options.eye_weight <= 0) return out;
  constexpr float kMargin = 0.003f;  // metres round the features
  constexpr float kFacing = 0.35f;   // cosine between where the feature looks and the camera
  struct Feature {
    Vec3 sum = Vec3::Zero(), out = Vec3::Zero();
    float left = 1e9f, right = -1e9f, top = 1e9f, bottom = -1e9f;
    int count = 0;
  };
  std::array<Feature, kMostRectangles> features;  // mouth, left eye, right eye
  for (int v = 0; v < head.vertex_count(); ++v) {
    const HeadRegion r = head.region[v];
    const int f = r == HeadRegion::kUpperLip || r == HeadRegion::kLowerLip             ? 0
                  : r == HeadRegion::kUpperLidLeft || r == HeadRegion::kLowerLidLeft   ? 1
                  : r == HeadRegion::kUpperLidRight || r == HeadRegion::kLowerLidRight ? 2
                                                                                       : -1;
    if (f < 0) continue;
    Feature& feature = features[f];
    const Vec2 at = camera.project(frames.vertices()[v]);
    feature.left = std::min(feature.left, at.x());
    feature.right = std::max(feature.right, at.x());
    feature.top = std::min(feature.top, at.y());
    feature.bottom = std::max(feature.bottom, at.y());
    feature.sum += frames.vertices()[v];
    feature.out += frames.deformation()[v].col(2);  // straight ahead, carried along
    ++feature.count;
  }
  for (std::size_t f = 0; f < features.size(); ++f) {
    const Feature& feature = features[f];
    const float extra = f == 0 ? options.mouth_weight : options.eye_weight;
    if (feature.count == 0 || extra <= 0) continue;
    const Vec3 centre = feature.sum / static_cast<float>(feature.count);
    const Vec3 to_camera = (camera.centre() - centre).normalized();
    if (feature.out.normalized().dot(to_camera) < kFacing) continue;
    const float margin = kMargin * camera.fx / std::max(0.01f, camera.to_camera(centre).z());
    const int x0 = std::clamp(static_cast<int>(feature.left - margin), 0, camera.width);
    const int x1 = std::clamp(static_cast<int>(feature.right + margin) + 1, 0, camera.width);
    const int y0 = std::clamp(static_cast<int>(feature.top - margin), 0, camera.height);
    const int y1 = std::clamp(static_cast<int>(feature.bottom + margin) + 1, 0, camera.height);
    out.push_back({x0, y0, x1, y1, extra});
  }
  return out;
}

}  // namespace mien
