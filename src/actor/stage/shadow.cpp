#include "actor/stage/shadow.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace mien::stage {
namespace {

constexpr float kBias = 0.0015f;  // metres towards the lamp, against self-shadowing
constexpr float kSlack = 0.0010f;
constexpr int kMaxTaps = 16;

// Points of the unit disc, evenly spread (sunflower).
std::array<Vec2, kMaxTaps> disc_points() {
  std::array<Vec2, kMaxTaps> points;
  for (int i = 0; i < kMaxTaps; ++i) {
    const float r = std::sqrt((static_cast<float>(i) + 0.5f) / kMaxTaps);
    const float a = 2.39996323f * static_cast<float>(i);
    points[i] = r * Vec2(std::cos(a), std::sin(a));
  }
  return points;
}

}  // namespace

void ShadowMap::draw(const ShadowCasters& casters, const Vec3& eye, const Vec3& target, float radius, int size) {
  const float distance = (eye - target).norm();
  const float angle = std::asin(std::min(0.9f, radius / distance));
  // Looking straight down would leave the picture's up direction undefined.
  Vec3 from = eye;
  if (std::abs((eye - target).normalized().y()) > 0.999f) from += Vec3(0, 0, 0.05f * distance);
  camera_ = look_at(from, target, 2 * angle, size, size);
  texel_ = distance / camera_.fx;
  const RasterOptions options{.barycentrics = false};
  rasterise(casters.positions, casters.solid, camera_, options, buffer_);
  if (!casters.cards.empty()) {
    rasterise_layers(
        casters.positions, casters.cards, camera_, options, buffer_, 1,
        [&](int face, float b0, float b1) { return casters.card_alpha(face, b0, b1) >= 0.5f ? 1.0f : 0.0f; },
        [&](int x, int y, std::span<const Fragment> f) { buffer_.depth[buffer_.index(x, y)] = f[0].depth; });
  }
}

float ShadowMap::depth_behind(const Vec3& point) const {
  const Vec3 p = camera_.to_camera(point);
  const int x = static_cast<int>(camera_.fx * p.x() / p.z() + camera_.cx);
  const int y = static_cast<int>(camera_.fy * p.y() / p.z() + camera_.cy);
  if (x < 0 || y < 0 || x >= buffer_.width || y >= buffer_.height) return 0;
  return std::max(0.0f, p.z() - buffer_.depth[buffer_.index(x, y)]);
}

float ShadowMap::visibility(const Vec3& point, const Vec3& normal, float lamp_radius, int taps, float turn) const {
  static const std::array<Vec2, kMaxTaps> kDisc = disc_points();
  const Vec3 p = camera_.to_camera(point + normal * kBias);
  const float inverse = camera_.fx / p.z();
  const float x = p.x() * inverse + camera_.cx;
  const float y = p.y() * inverse + camera_.cy;
  const float depth = p.z() - kSlack;
  const float c = std::cos(turn), s = std::sin(turn);
  const auto fetch = [&](const Vec2& d, float radius) {
    const int ix = static_cast<int>(x + radius * (c * d.x() - s * d.y()));
    const int iy = static_cast<int>(y + radius * (s * d.x() + c * d.y()));
    if (ix < 0 || iy < 0 || ix >= buffer_.width || iy >= buffer_.height) return 1e9f;
    return buffer_.depth[buffer_.index(ix, iy)];
  };
  // Blockers: over the part of the map that a blocker some centimetres ahead could cover.
  const float search = std::clamp(lamp_radius * 0.05f / std::max(depth, 0.1f) / texel_, 2.0f, 24.0f);
  float blocker = 0;
  int blockers = 0;
  const int search_taps = std::max(4, taps / 2);
  for (int i = 0; i < search_taps; ++i) {
    const float d = fetch(kDisc[static_cast<std::size_t>(i * kMaxTaps / search_taps)], search);
    if (d < depth) {
      blocker += d;
      ++blockers;
    }
  }
  if (blockers == 0) return 1;
  blocker /= static_cast<float>(blockers);
  const float penumbra = std::clamp(lamp_radius * (depth - blocker) / blocker / texel_, 1.5f, 40.0f);
  float lit = 0;
  for (int i = 0; i < taps; ++i) {
    const float behind = depth - fetch(kDisc[static_cast<std::size_t>(i * kMaxTaps / taps)], penumbra);
    lit += behind <= 0 ? 1.0f : std::max(0.0f, 1 - behind / (2 * kSlack));
  }
  return lit / static_cast<float>(taps);
}

}  // namespace mien::stage
