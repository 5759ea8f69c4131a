#include "mien/metrics/wrinkle_regions.h"

#include <algorithm>
#include <cmath>

namespace mien {
namespace {

// MediaPipe landmarks.
constexpr int kGlabella = 9, kForeheadTop = 10;
constexpr int kBrowOuter[2] = {276, 46}, kEyeOuter[2] = {263, 33};
constexpr std::array<int, 5> kFold[2] = {{358, 423, 426, 436, 432}, {129, 203, 206, 216, 212}};
constexpr std::size_t kLandmarks = 468;

float distance_to(const std::vector<Vec3>& curve, const Vec3& p) {
  float best = (p - curve.front()).squaredNorm();
  for (std::size_t i = 0; i + 1 < curve.size(); ++i) {
    const Vec3 along = curve[i + 1] - curve[i];
    const float t = std::clamp((p - curve[i]).dot(along) / std::max(along.squaredNorm(), 1e-14f), 0.0f, 1.0f);
    best = std::min(best, (p - curve[i] - t * along).squaredNorm());
  }
  return std::sqrt(best);
}

}  // namespace

WrinkleRegions::WrinkleRegions(const HeadModel& head) {
  if (head.landmarks.size() < kLandmarks || head.expression_count() < kArkitCount) return;
  const auto at = [&](int landmark) {
    const SurfacePoint& point = head.landmarks[landmark];
    const Index3& f = head.mesh.faces[point.face];
    Vec3 p = Vec3::Zero();
    for (int k = 0; k < 3; ++k) p += point.barycentric[k] * head.mesh.positions[f[k]];
    return p;
  };
  const Vec3 low = at(kGlabella), high = at(kForeheadTop);
  forehead_low_ = low.y() + 0.2f * (high.y() - low.y());
  forehead_high_ = low.y() + 0.95f * (high.y() - low.y());
  forehead_reach_ = 0.95f * std::max(std::abs(at(kBrowOuter[0]).x()), std::abs(at(kBrowOuter[1]).x()));
  forehead_back_ = high.z() - 0.03f;
  places_.push_back({1, {low}, 0.016f});
  const char* const sides[2] = {"Left", "Right"};
  for (int s = 0; s < 2; ++s) {
    const float outwards = s == 0 ? 1.0f : -1.0f;
    places_.push_back({2, {at(kEyeOuter[s]) + Vec3(outwards * 0.010f, 0, -0.006f)}, 0.014f});
    Curve fold;
    for (const int l : kFold[s]) fold.push_back(at(l));
    places_.push_back({3, fold, 0.008f});
    const auto driver = [&](int region, const std::vector<std::pair<const char*, float>>& names) {
      Driver out{region, s, {}};
      for (const auto& [name, weight] : names) {
        const int whole = arkit_index(name);
        out.weights.emplace_back(whole >= 0 ? whole : arkit_index(std::string(name) + sides[s]), weight);
      }
      drivers_.push_back(std::move(out));
    };
    driver(0, {{"browInnerUp", 0.75f}, {"browOuterUp", 0.55f}});
    driver(1, {{"browDown", 1.2f}});
    driver(2, {{"cheekSquint", 0.75f}, {"eyeSquint", 0.4f}, {"mouthSmile", 0.25f}});
    driver(3, {{"mouthSmile", 0.8f}, {"noseSneer", 0.6f}, {"mouthUpperUp", 0.5f}, {"mouthDimple", 0.3f}});
  }
  faces_ = head.mesh.faces;
  canonical_ = head.mesh.positions;
  skin_.resize(faces_.size());
  corner_of_.resize(faces_.size());
  for (std::size_t f = 0; f < faces_.size(); ++f) {
    skin_[f] = head.face_part[f] == HeadPart::kSkin ? 1 : 0;
    for (int k = 0; k < 3; ++k)
      corner_of_[f][k] = static_cast<signed char>(skin_[f] != 0 ? region_at(canonical_[faces_[f][k]]) : -1);
  }
}

int WrinkleRegions::region_at(const Vec3& p) const {
  for (const Place& place : places_) {
    if (distance_to(place.curve, p) <= place.radius) return place.region;
  }
  const bool forehead = p.y() >= forehead_low_ && p.y() <= forehead_high_ && std::abs(p.x()) <= forehead_reach_ &&
                        p.z() >= forehead_back_;
  return forehead ? 0 : -1;
}

std::array<float, kWrinkleRegionCount> WrinkleRegions::activations(const std::vector<float>& expression) const {
  std::array<float, kWrinkleRegionCount> out{};
  for (const Driver& driver : drivers_) {
    float sum = 0;
    for (const auto& [e, weight] : driver.weights) {
      if (e >= 0 && e < static_cast<int>(expression.size())) sum += weight * std::max(0.0f, expression[e]);
    }
    out[driver.region] = std::max(out[driver.region], std::min(1.0f, sum));
  }
  return out;
}

const std::array<Image8, kWrinkleRegionCount>& WrinkleRegions::masks(const std::vector<Vec3>& posed,
                                                                     const Camera& camera) {
  rasterise(posed, faces_, camera, {}, buffer_);
  for (Image8& mask : masks_) mask = Image8(buffer_.width, buffer_.height, 1);
  for (std::size_t i = 0; i < buffer_.face.size(); ++i) {
    const std::int32_t f = buffer_.face[i];
    if (f < 0 || skin_[f] == 0) continue;
    // Only triangles near a region are worth the exact look.
    const auto& corners = corner_of_[f];
    if (corners[0] < 0 && corners[1] < 0 && corners[2] < 0) continue;
    const Vec3 weights = buffer_.weights(i);
    Vec3 p = Vec3::Zero();
    for (int k = 0; k < 3; ++k) p += weights[k] * canonical_[faces_[f][k]];
    const int region = region_at(p);
    if (region >= 0) masks_[region].pixels[i] = 255;
  }
  return masks_;
}

}  // namespace mien
