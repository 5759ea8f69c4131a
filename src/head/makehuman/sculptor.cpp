#include "head/makehuman/sculptor.h"

#include <algorithm>
#include <cmath>

#include "mien/base/error.h"

namespace mien::makehuman {
namespace {

// The jaw's hinge: just before the ear canal, 52 mm behind and 36 mm below the eyes' centres (base person).
constexpr float kHingeBehindEyes = 0.052f;
constexpr float kHingeBelowEyes = 0.036f;
constexpr float kMouthSplit = 0.012f;  // metres: half width of the blend between the left and right half of the mouth

}  // namespace

Field operator+(Field a, const Field& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] += b[i];
  return a;
}
Field operator-(Field a, const Field& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] -= b[i];
  return a;
}
Field operator*(float scale, Field a) {
  for (Vec3& v : a) v *= scale;
  return a;
}

float smooth_step(float from, float to, float x) {
  const float t = std::clamp((x - from) / (to - from), 0.0f, 1.0f);
  return t * t * (3 - 2 * t);
}

Sculptor::Sculptor(const Source& source, const Assembly& assembly, const FaceMap& map, const std::vector<Vec3>& rest)
    : source_(source), assembly_(assembly), map_(map), rest_(rest) {
  const auto& line = map.mouth[kMouthContact];
  mouth_middle_ = 0.5f * (rest[line[0]] + rest[line[kMouthLowerMiddle]]);
  mouth_corner_ = {rest[map.mouth[kMouthVermilion][12]], rest[map.mouth[kMouthVermilion][26]]};
  chin_ = mouth_middle_ + Vec3(0, -0.035f, 0);
  float lowest = 1e9f;
  for (const int v : assembly.vertices_of(HeadPart::kTeethUpper)) {
    constexpr float kFrontTeeth = 0.008f;  // metres from the middle
    if (std::abs(rest[v].x()) > kFrontTeeth || rest[v].y() > lowest) continue;
    lowest = rest[v].y();
    upper_teeth_edge_ = Vec3(0, rest[v].y(), rest[v].z());
  }
  // Beyond the rings: above or below the line through the mouth's corners.
  lower_lip_.resize(rest.size());
  const float corner_height = 0.5f * (mouth_corner_[0].y() + mouth_corner_[1].y());
  for (std::size_t v = 0; v < rest.size(); ++v)
    lower_lip_[v] = smooth_step(corner_height + 0.004f, corner_height - 0.004f, rest[v].y());
  for (const auto& ring : map.mouth) {
    for (int p = 0; p < kMouthRing; ++p) {
      const int from_middle = std::min(p, kMouthRing - p);  // 0 upper middle, 12 corner, 19 lower middle
      lower_lip_[ring[p]] = smooth_step(9.5f, 14.5f, static_cast<float>(from_middle));
    }
  }
}

Field Sculptor::unit(const std::string& name) const {
  Field body(static_cast<std::size_t>(source_.vertex_count()), Vec3::Zero());
  for (const char* ethnicity : {"african", "asian", "caucasian"}) {
    add_scaled(body, source_.target(fmt::format("expression/units/{}/{}", ethnicity, name)), 1.0f / 3);
  }
  Field field = assembly_.displacements(body);
  for (std::size_t v = 0; v < field.size(); ++v) {
    if (assembly_.vertex_part[v] != HeadPart::kSkin) field[v].setZero();
  }
  return field;
}

Field Sculptor::jaw(float open, float yaw, const Vec3& shift) const {
  const Vec3 eyes = 0.5f * (map_.eyes[0].centre + map_.eyes[1].centre);
  const Vec3 hinge = eyes - Vec3(0, kHingeBelowEyes, kHingeBehindEyes);
  const Mat3 turn = (Eigen::AngleAxisf(yaw, Vec3::UnitY()) * Eigen::AngleAxisf(open, Vec3::UnitX())).toRotationMatrix();
  Field field = zero();
  for (std::size_t v = 0; v < field.size(); ++v) {
    if (map_.jaw_share[v] > 0) field[v] = map_.jaw_share[v] * (turn * (rest_[v] - hinge) + hinge + shift - rest_[v]);
  }
  return field;
}

Field Sculptor::masked(Field field, const Mask& mask) const {
  for (std::size_t v = 0; v < field.size(); ++v) field[v] *= mask(rest_[v]);
  return field;
}

Field Sculptor::half(const Field& field, int side) const {
  return masked(field, [side](const Vec3& p) {
    const float left = smooth_step(-kMouthSplit, kMouthSplit, p.x());
    return side == 0 ? left : 1 - left;
  });
}

Field Sculptor::upper_lip_part(const Field& field) const {
  return field - lower_lip_part(field);
}

Field Sculptor::lower_lip_part(const Field& field) const {
  Field out = field;
  for (std::size_t v = 0; v < out.size(); ++v) out[v] *= lower_lip_[v];
  return out;
}

Field Sculptor::bump(const Vec3& centre, const Vec3& radius, const Vec3& push) const {
  Field field = zero();
  for (std::size_t v = 0; v < field.size(); ++v) {
    if (assembly_.vertex_part[v] != HeadPart::kSkin) continue;
    const float distance = (rest_[v] - centre).cwiseQuotient(radius).norm();
    field[v] = smooth_step(1.0f, 0.0f, distance) * push;
  }
  return field;
}

Field Sculptor::sealed(const Field& field, const SealOptions& options) const {
  std::vector<Vec3> positions = rest_ + field;
  seal_lips(map_, positions, options);
  return positions - rest_;
}

Field Sculptor::smoothed(Field field, int rounds, const Mask& mask) const {
  for (int round = 0; round < rounds; ++round) {
    const Field before = field;
    for (std::size_t v = 0; v < field.size(); ++v) {
      const float weight = map_.neighbours[v].empty() ? 0.0f : mask(rest_[v]);
      if (weight <= 0) continue;
      Vec3 mean = Vec3::Zero();
      for (const int n : map_.neighbours[v]) mean += before[n];
      mean /= static_cast<float>(map_.neighbours[v].size());
      field[v] = (1 - weight) * before[v] + weight * mean;
    }
  }
  return field;
}

void carry_along(const Assembly& assembly, const FaceMap& map, const std::vector<Vec3>& rest, Field& field) {
  constexpr int kLidFront = kLidContact + 1;  // the ring that lashes grow from
  for (std::size_t v = 0; v < field.size(); ++v) {
    if (assembly.vertex_part[v] == HeadPart::kBrows) {
      const Element& element = assembly.elements[v];
      field[v].setZero();
      for (int k = 0; k < 3; ++k) {
        const int skin = assembly.from_body[element.body[k]];
        if (skin >= 0) field[v] += element.weights[k] * field[skin];
      }
    } else if (assembly.vertex_part[v] == HeadPart::kLashes) {
      const EyeMap& eye = map.eyes[rest[v].x() > 0 ? 0 : 1];
      const auto& ring = eye.rings[kLidFront];
      // The two nearest lid vertices, by inverse squared distance.
      std::array<std::pair<float, int>, kLidRing> near;
      for (int p = 0; p < kLidRing; ++p) near[p] = {(rest[ring[p]] - rest[v]).squaredNorm(), ring[p]};
      std::partial_sort(near.begin(), near.begin() + 2, near.end());
      Vec3 sum = Vec3::Zero();
      float weights = 0;
      for (int i = 0; i < 2; ++i) {
        const Vec3 arm = rest[near[i].second] - eye.centre;
        const Vec3 moved = arm + field[near[i].second];
        const Quat turn = Quat::FromTwoVectors(arm, moved);
        const Vec3 lash = turn * (rest[v] - eye.centre) + (moved.norm() - arm.norm()) * moved.normalized();
        const float weight = 1 / (near[i].first + 1e-8f);
        sum += weight * (eye.centre + lash - rest[v]);
        weights += weight;
      }
      field[v] = sum / weights;
    }
  }
}

}  // namespace mien::makehuman
