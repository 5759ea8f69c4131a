#include "actor/stage/wrinkles.h"

#include <algorithm>
#include <cmath>

#include "actor/stage/noise.h"
#include "mien/base/random.h"

namespace mien::stage {
namespace {

// One crease: a furrow along a curve, with a soft fold on both sides.
struct Crease {
  Curve curve;
  float depth;         // metres
  float width;         // metres, of the furrow
  float shade = 0.6f;  // [0,1] darkness of its bottom
};

struct Sketch {
  std::string name;
  std::vector<std::pair<const char*, float>> drivers;
  std::vector<Crease> creases;
};

constexpr float kReach = 4.5f;  // widths beyond which a crease has no effect

// Landmarks of one side of the face; left and right are the person's own.
struct Side {
  const char* suffix;  // of ARKit names
  const char* name;
  float sign;  // of x
  int brow_inner, brow_outer, eye_outer, alar, corner;
  std::array<int, 5> fold;   // nasolabial
  std::array<int, 4> pouch;  // under the eye
};
constexpr Side kSides[] = {
    {"Left", "left", 1.0f, 285, 276, 263, 358, 291, {358, 423, 426, 436, 432}, {463, 450, 449, 448}},
    {"Right", "right", -1.0f, 55, 46, 33, 129, 61, {129, 203, 206, 216, 212}, {243, 230, 229, 228}},
};

float random_between(Random& random, float a, float b) {
  return random.uniform(a, b);
}

Sketch forehead(const FaceFrame& face, const Side& side, Random& random) {
  Sketch sketch{std::string("forehead_") + side.name,
                {{"browInnerUp", 0.75f}, {side.sign > 0 ? "browOuterUpLeft" : "browOuterUpRight", 0.55f}},
                {}};
  const Vec3 low = face.at(9), high = face.at(10);
  const float reach = 0.92f * std::abs(face.at(side.brow_outer).x());
  constexpr int kLines = 4;
  for (int i = 0; i < kLines; ++i) {
    const float t = 0.30f + 0.17f * static_cast<float>(i) + random_between(random, -0.02f, 0.02f);
    std::vector<Vec3> points;
    for (int s = 0; s <= 4; ++s) {
      const float u = static_cast<float>(s) / 4;
      // Lines follow the brows: lowest in the middle, an arch over each brow, down again at the temple.
      const float arch = 0.0045f * std::sin(3.0f * u) + random_between(random, -0.0007f, 0.0007f);
      points.emplace_back(side.sign * (0.001f + u * reach * (1 - 0.06f * static_cast<float>(i))),
                          low.y() + t * (high.y() - low.y()) + arch,
                          low.z() + t * (high.z() - low.z()) - 0.02f * u * u);
    }
    sketch.creases.push_back({face.curve(points), 0.00042f, random_between(random, 0.0010f, 0.0013f)});
  }
  return sketch;
}

Sketch glabella(const FaceFrame& face, Random& random) {
  Sketch sketch{"glabella", {{"browDownLeft", 0.6f}, {"browDownRight", 0.6f}}, {}};
  const Vec3 middle = face.at(9);
  for (const float side : {-1.0f, 1.0f}) {
    const float x = side * random_between(random, 0.0055f, 0.0068f);
    const std::vector<Vec3> points = {middle + Vec3(x * 1.15f, -0.010f, 0), middle + Vec3(x, -0.001f, 0),
                                      middle + Vec3(x * 1.05f, 0.008f, 0), middle + Vec3(x * 1.25f, 0.014f, 0)};
    sketch.creases.push_back({face.curve(points), 0.00055f, 0.0012f});
  }
  const std::vector<Vec3> small = {middle + Vec3(0.0012f, -0.006f, 0), middle + Vec3(0.0005f, 0.006f, 0)};
  sketch.creases.push_back({face.curve(small), 0.00025f, 0.0009f});
  return sketch;
}

Sketch crow(const FaceFrame& face, const Side& side, Random& random) {
  Sketch sketch{std::string("crow_") + side.name,
                {{side.sign > 0 ? "cheekSquintLeft" : "cheekSquintRight", 0.75f},
                 {side.sign > 0 ? "eyeSquintLeft" : "eyeSquintRight", 0.4f},
                 {side.sign > 0 ? "mouthSmileLeft" : "mouthSmileRight", 0.25f},
                 {side.sign > 0 ? "eyeBlinkLeft" : "eyeBlinkRight", 0.12f}},
                {}};
  const Vec3 corner = face.at(side.eye_outer);
  for (const float degrees : {-38.0f, -16.0f, 6.0f, 28.0f}) {
    const float angle = (degrees + random_between(random, -4, 4)) * 0.0174533f;
    const float length = random_between(random, 0.013f, 0.018f);
    std::vector<Vec3> points;
    for (const float t : {0.35f, 0.65f, 1.0f}) {
      const float bend = 0.25f * t * t * (degrees > 0 ? 1.0f : -1.0f);
      points.push_back(corner + t * (length + 0.006f) *
                                    Vec3(side.sign * std::cos(angle + bend), std::sin(angle + bend), -0.9f * t));
    }
    sketch.creases.push_back({face.curve(points), 0.00030f, 0.0010f, 0.5f});
  }
  return sketch;
}

Sketch nasolabial(const FaceFrame& face, const Side& side) {
  Sketch sketch{std::string("nasolabial_") + side.name,
                {{side.sign > 0 ? "mouthSmileLeft" : "mouthSmileRight", 0.8f},
                 {side.sign > 0 ? "noseSneerLeft" : "noseSneerRight", 0.6f},
                 {side.sign > 0 ? "mouthUpperUpLeft" : "mouthUpperUpRight", 0.5f},
                 {side.sign > 0 ? "mouthDimpleLeft" : "mouthDimpleRight", 0.3f},
                 {side.sign > 0 ? "mouthStretchLeft" : "mouthStretchRight", 0.3f}},
                {}};
  sketch.creases.push_back({face.curve(std::span<const int>(side.fold)), 0.0008f, 0.0032f, 0.40f});
  return sketch;
}

Sketch under_eye(const FaceFrame& face, const Side& side) {
  Sketch sketch{std::string("under_eye_") + side.name,
                {{side.sign > 0 ? "cheekSquintLeft" : "cheekSquintRight", 0.6f},
                 {side.sign > 0 ? "eyeSquintLeft" : "eyeSquintRight", 0.6f}},
                {}};
  for (const float drop : {0.0f, 0.004f}) {
    std::vector<Vec3> points;
    for (const int l : side.pouch) points.push_back(face.at(l) - Vec3(0, drop, 0));
    sketch.creases.push_back({face.curve(points), 0.00028f, 0.0013f, 0.45f});
  }
  return sketch;
}

Sketch nose(const FaceFrame& face, const Side& side, Random& random) {
  Sketch sketch{std::string("nose_") + side.name, {{side.sign > 0 ? "noseSneerLeft" : "noseSneerRight", 0.9f}}, {}};
  const Vec3 bridge = face.at(6);
  for (int i = 0; i < 3; ++i) {
    const float y = 0.004f - 0.0055f * static_cast<float>(i) + random_between(random, -0.0005f, 0.0005f);
    const std::vector<Vec3> points = {bridge + Vec3(side.sign * 0.001f, y, 0),
                                      bridge + Vec3(side.sign * 0.006f, y + 0.0015f, -0.003f),
                                      bridge + Vec3(side.sign * 0.011f, y + 0.005f, -0.010f)};
    sketch.creases.push_back({face.curve(points), 0.0003f, 0.0009f});
  }
  return sketch;
}

Sketch marionette(const FaceFrame& face, const Side& side) {
  Sketch sketch{std::string("mouth_corner_") + side.name,
                {{side.sign > 0 ? "mouthFrownLeft" : "mouthFrownRight", 0.8f},
                 {side.sign > 0 ? "mouthSmileLeft" : "mouthSmileRight", 0.25f},
                 {side.sign > 0 ? "mouthDimpleLeft" : "mouthDimpleRight", 0.5f},
                 {side.sign > 0 ? "mouthPressLeft" : "mouthPressRight", 0.4f}},
                {}};
  const Vec3 corner = face.at(side.corner);
  const std::vector<Vec3> points = {
      corner + Vec3(side.sign * 0.0035f, 0.006f, 0), corner + Vec3(side.sign * 0.0050f, 0, 0),
      corner + Vec3(side.sign * 0.0048f, -0.008f, 0), corner + Vec3(side.sign * 0.0030f, -0.017f, 0)};
  sketch.creases.push_back({face.curve(points), 0.00055f, 0.0019f, 0.45f});
  return sketch;
}

// Height of one crease at a point of the skin: a furrow, with folds pushed up beside it, faded at both ends.
float crease_height(const Crease& crease, const CurveHit& hit, float& cavity) {
  const float d = hit.distance / crease.width;
  if (d > kReach) return 0;
  const float ends = smoothstep(0, 0.22f, hit.along) * smoothstep(0, 0.22f, 1 - hit.along);
  const float furrow = std::exp(-d * d);
  const float fold = std::exp(-(d - 2) * (d - 2) * 0.5f) * smoothstep(kReach, 2.5f, d);
  cavity = std::max(cavity, ends * furrow * crease.shade);
  return ends * crease.depth * (0.45f * fold - furrow);
}

WrinkleGroup bake(const Sketch& sketch, const Map<Vec3>& surface, std::uint32_t seed) {
  WrinkleGroup group;
  group.name = sketch.name;
  for (const auto& [name, weight] : sketch.drivers) group.drivers.emplace_back(arkit_index(name), weight);
  Vec3 low = Vec3::Constant(1e9f), high = Vec3::Constant(-1e9f);
  float margin = 0;
  for (const Crease& c : sketch.creases) {
    margin = std::max(margin, kReach * c.width);
    for (const Vec3& p : c.curve.points) {
      low = low.cwiseMin(p);
      high = high.cwiseMax(p);
    }
  }
  low.array() -= margin;
  high.array() += margin;
  Map<Vec2> field(surface.width, surface.height, Vec2::Zero());  // height, cavity
#pragma omp parallel for schedule(dynamic, 16)
  for (int y = 0; y < surface.height; ++y) {
    for (int x = 0; x < surface.width; ++x) {
      const Vec3& p = surface.at(x, y);
      if (!((p - low).minCoeff() >= 0 && (high - p).minCoeff() >= 0)) continue;  // NaN fails too
      float cavity = 0, height = 0;
      // Real creases waver.
      const Vec3 wobble(0, 0.0006f * (fractal_noise(p * 250, 2, seed) - 0.5f), 0);
      for (const Crease& c : sketch.creases)
        height += crease_height(c, FaceFrame::nearest(c.curve, p + wobble), cavity);
      const float strength = 0.7f + 0.6f * value_noise(p * 120, seed + 7);
      field.at(x, y) = Vec2(height * strength, std::min(1.0f, cavity * strength));
    }
  }
  const auto known = [&](int x, int y) { return std::isfinite(surface.at(x, y).x()); };
  for (int y = 1; y + 1 < surface.height; ++y) {
    for (int x = 1; x + 1 < surface.width; ++x) {
      if (!known(x - 1, y) || !known(x + 1, y) || !known(x, y - 1) || !known(x, y + 1)) continue;
      const float du = 0.5f * (field.at(x + 1, y)[0] - field.at(x - 1, y)[0]);
      const float dv = 0.5f * (field.at(x, y + 1)[0] - field.at(x, y - 1)[0]);
      const float cavity = field.at(x, y)[1];
      if (std::abs(du) + std::abs(dv) < 1e-8f && cavity < 1e-3f) continue;
      group.texels.push_back({static_cast<std::uint32_t>(surface.index(x, y)), du, dv, cavity});
    }
  }
  return group;
}

}  // namespace

float WrinkleGroup::activation(const std::vector<float>& expression) const {
  float sum = 0;
  for (const auto& [index, weight] : drivers) {
    if (index >= 0 && index < static_cast<int>(expression.size())) sum += weight * std::max(0.0f, expression[index]);
  }
  return std::min(1.0f, sum);
}

std::vector<WrinkleGroup> make_wrinkles(const FaceFrame& face, const Map<Vec3>& surface, std::uint64_t seed) {
  std::vector<WrinkleGroup> groups;
  if (!face.usable()) return groups;
  Random random(seed, 77);
  std::vector<Sketch> sketches = {glabella(face, random)};
  for (const Side& side : kSides) {
    sketches.push_back(forehead(face, side, random));
    sketches.push_back(crow(face, side, random));
    sketches.push_back(nasolabial(face, side));
    sketches.push_back(under_eye(face, side));
    sketches.push_back(nose(face, side, random));
    sketches.push_back(marionette(face, side));
  }
  for (const Sketch& sketch : sketches) groups.push_back(bake(sketch, surface, static_cast<std::uint32_t>(seed)));
  return groups;
}

}  // namespace mien::stage
