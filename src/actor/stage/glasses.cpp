// Spectacles that fit any head: two rims, a bridge, two temples and two lenses, shaped from eyes, nose and ears.
#include <cmath>

#include "actor/stage/scene.h"

namespace mien::stage {
namespace {

constexpr float kPi = 3.14159265f;

// Collects points in head space; all hang on one vertex of the skull that no expression moves.
struct Builder {
  HeadStyle style;
  int anchor;
  Vec3 anchor_at;

  int add(const Vec3& p) {
    StyleBinding binding;
    binding.vertices = Index3::Constant(anchor);
    binding.offset = p - anchor_at;
    style.binding.push_back(binding);
    return static_cast<int>(style.binding.size()) - 1;
  }
  // A tube along a path of centres with an elliptical section; `normal` is the section's first axis.
  void tube(const std::vector<Vec3>& path, float half_width, float half_depth, const Vec3& normal, bool closed) {
    constexpr int kSides = 10;
    const int first = static_cast<int>(style.binding.size());
    const auto n = static_cast<int>(path.size());
    for (int i = 0; i < n; ++i) {
      const Vec3 ahead = path[closed ? (i + 1) % n : std::min(i + 1, n - 1)];
      const Vec3 behind = path[closed ? (i + n - 1) % n : std::max(i - 1, 0)];
      const Vec3 along = (ahead - behind).normalized();
      const Vec3 side = along.cross(normal).normalized();
      const Vec3 out = side.cross(along).normalized();
      for (int k = 0; k < kSides; ++k) {
        const float a = 2 * kPi * static_cast<float>(k) / kSides;
        add(path[i] + side * (half_width * std::cos(a)) + out * (half_depth * std::sin(a)));
      }
    }
    for (int i = 0; i + (closed ? 0 : 1) < n; ++i) {
      const int a = first + i * kSides, b = first + ((i + 1) % n) * kSides;
      for (int k = 0; k < kSides; ++k) {
        const int l = (k + 1) % kSides;
        style.faces.emplace_back(a + k, a + l, b + l);
        style.faces.emplace_back(a + k, b + l, b + k);
      }
    }
  }
};

}  // namespace

GlassesMesh make_glasses(const HeadModel& head) {
  const std::vector<Vec3>& p = head.mesh.positions;
  int top = 0;
  float nose = -1, ear_x = 0, ear_z = 0;
  int ears = 0;
  const Vec3& left = head.joints[static_cast<int>(HeadJoint::kEyeLeft)];
  const Vec3& right = head.joints[static_cast<int>(HeadJoint::kEyeRight)];
  const Vec3 middle = 0.5f * (left + right);
  float cornea = middle.z();
  for (std::size_t i = 0; i < p.size(); ++i) {
    if (head.region[i] == HeadRegion::kScalp && (head.region[top] != HeadRegion::kScalp || p[i].y() > p[top].y()))
      top = static_cast<int>(i);
    if (head.region[i] == HeadRegion::kEyes) cornea = std::max(cornea, p[i].z());
    // The bridge of the nose a little below the eyes is where spectacles rest.
    if (std::abs(p[i].x()) < 0.004f && std::abs(p[i].y() - middle.y() + 0.004f) < 0.006f)
      nose = std::max(nose, p[i].z());
    if (head.region[i] == HeadRegion::kEars && p[i].x() > 0 && std::abs(p[i].y() - middle.y()) < 0.02f) {
      ear_x += p[i].x();
      ear_z += p[i].z();
      ++ears;
    }
  }
  if (ears > 0) ear_x /= static_cast<float>(ears), ear_z /= static_cast<float>(ears);
  if (ears == 0) ear_x = std::abs(left.x()) + 0.045f, ear_z = middle.z() - 0.08f;
  const float front = std::max(cornea + 0.014f, nose + 0.001f);
  const float y = middle.y() - 0.002f;
  const float half = 0.5f * (left.x() - right.x());
  const float rx = std::min(0.026f, half - 0.007f), ry = 0.0205f;

  GlassesMesh out;
  Builder frame{{}, top, p[top]}, lens{{}, top, p[top]};
  frame.style.name = "glasses_frame";
  lens.style.name = "glasses_lenses";
  for (const float sign : {1.0f, -1.0f}) {
    const float cx = sign * (half + 0.0005f);
    std::vector<Vec3> rim;
    const auto at = [&](float a, float scale) {
      // A rounded rectangle (superellipse), swept back a little at the outside.
      const float c = std::cos(a), s = std::sin(a);
      const float x = rx * std::copysign(std::pow(std::abs(c), 0.72f), c) * scale;
      const float h = ry * std::copysign(std::pow(std::abs(s), 0.72f), s) * scale;
      const float back = 0.10f * (std::abs(cx + x) - 0.02f);
      return Vec3(cx + x, y + h, front - std::max(0.0f, back) - 0.08f * (h < 0 ? -h : 0.0f));
    };
    constexpr int kSteps = 48;
    for (int i = 0; i < kSteps; ++i) rim.push_back(at(2 * kPi * static_cast<float>(i) / kSteps, 1));
    frame.tube(rim, 0.0016f, 0.0018f, Vec3::UnitZ(), true);
    const int centre = lens.add(Vec3(cx, y, at(0, 0).z() + 0.001f));
    const int first = static_cast<int>(lens.style.binding.size());
    for (int i = 0; i < kSteps; ++i) lens.add(at(2 * kPi * static_cast<float>(i) / kSteps, 0.97f));
    for (int i = 0; i < kSteps; ++i) {
      const int a = first + i, b = first + (i + 1) % kSteps;
      if (sign > 0) lens.style.faces.emplace_back(centre, a, b);
      if (sign < 0) lens.style.faces.emplace_back(centre, a, b);
    }
    // Temple: from the rim's outer side over the ear, then down behind it.
    const Vec3 hinge(cx + sign * (rx + 0.001f), y + 0.008f, at(sign > 0 ? 0 : kPi, 1).z());
    const float over = sign * (ear_x + 0.001f);
    const std::vector<Vec3> temple = {hinge + Vec3(-sign * 0.003f, 0, 0.0005f),
                                      hinge + Vec3(sign * 0.004f, 0, -0.001f),
                                      hinge + Vec3(sign * 0.0055f, 0, -0.008f),
                                      Vec3(mix(hinge.x(), over, 0.75f), y + 0.009f, mix(hinge.z(), ear_z, 0.5f)),
                                      Vec3(over, y + 0.010f, ear_z + 0.010f),
                                      Vec3(over - sign * 0.002f, y + 0.004f, ear_z - 0.006f),
                                      Vec3(over - sign * 0.006f, y - 0.015f, ear_z - 0.016f)};
    frame.tube(temple, 0.0010f, 0.0020f, Vec3::UnitY(), false);
  }
  const std::vector<Vec3> bridge = {
      Vec3(half - rx + 0.001f, y + 0.005f, front), Vec3(0.004f, y + 0.0085f, front + 0.002f),
      Vec3(-0.004f, y + 0.0085f, front + 0.002f), Vec3(-half + rx - 0.001f, y + 0.005f, front)};
  frame.tube(bridge, 0.0014f, 0.0014f, Vec3::UnitZ(), false);
  out.frame = std::move(frame.style);
  out.lenses = std::move(lens.style);
  return out;
}

}  // namespace mien::stage
