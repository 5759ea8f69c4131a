#include "mien/field_avatar/deformation.h"

#include "carry.h"
#include "mien/base/error.h"
#include "mien/base/parallel.h"

namespace mien {
namespace {

constexpr float kOpenJaw = 0.6f;       // share of the jawOpen expression in the canonical head
constexpr float kEyesSetBack = 0.05f;  // metres
constexpr float kMouthSetBack = 0.06f;
constexpr std::int64_t kGrain = 512;

bool takes_part(HeadPart part) {
  return part != HeadPart::kLashes && part != HeadPart::kBrows;
}

float set_back(HeadPart part) {
  switch (part) {
    case HeadPart::kEyeLeft:
    case HeadPart::kEyeRight:
      return kEyesSetBack;
    case HeadPart::kTeethUpper:
    case HeadPart::kTeethLower:
    case HeadPart::kGums:
    case HeadPart::kTongue:
      return kMouthSetBack;
    default:
      return 0;
  }
}

// Where hair, beard and clothing are not: the depth of the head model is then the depth of the picture.
bool is_bare(HeadRegion region) {
  switch (region) {
    case HeadRegion::kScalp:
    case HeadRegion::kEars:
    case HeadRegion::kNeck:
    case HeadRegion::kShoulders:
    case HeadRegion::kTeeth:
    case HeadRegion::kTongue:
    case HeadRegion::kMouthInside:
      return false;
    default:
      return true;
  }
}

const float* floats_of(const std::vector<Vec3>& points) {
  return reinterpret_cast<const float*>(points.data());
}

}  // namespace

CanonicalHead::CanonicalHead(const HeadModel& head) {
  std::vector<float> weights(static_cast<std::size_t>(head.expression_count()), 0.0f);
  for (int e = 0; e < head.expression_count(); ++e) {
    if (head.expression_names[e] == "jawOpen") weights[e] = kOpenJaw;
  }
  head.deform(weights.data(), head.expression_count(), nullptr, positions_);
  const auto count = static_cast<int>(head.mesh.faces.size());
  std::vector<float> back(positions_.size(), 0.0f);
  for (int f = 0; f < count; ++f) {
    const HeadPart part = head.face_part.empty() ? HeadPart::kSkin : head.face_part[f];
    if (!takes_part(part)) continue;
    const Index3& t = head.mesh.faces[f];
    faces_.push_back(t);
    bool bare = true;
    for (int k = 0; k < 3; ++k) {
      back[t[k]] = std::max(back[t[k]], set_back(part));
      bare = bare && (head.region.empty() || is_bare(head.region[t[k]]));
    }
    in_face_.push_back(bare ? 1 : 0);
  }
  for (std::size_t v = 0; v < positions_.size(); ++v) positions_[v].z() -= back[v];
  frames_.resize(faces_.size() * 9);
  areas_.resize(faces_.size());
  ring_begin_.assign(positions_.size() + 1, 0);
  for (std::size_t f = 0; f < faces_.size(); ++f) {
    const Index3& t = faces_[f];
    areas_[f] = carry::triangle_frame(positions_[t[0]].data(), positions_[t[1]].data(), positions_[t[2]].data(),
                                      &frames_[f * 9]);
    for (int k = 0; k < 3; ++k) ++ring_begin_[t[k] + 1];
  }
  for (std::size_t v = 1; v < ring_begin_.size(); ++v) ring_begin_[v] += ring_begin_[v - 1];
  ring_.resize(faces_.size() * 3);
  std::vector<int> cursor(ring_begin_.begin(), ring_begin_.end() - 1);
  for (std::size_t f = 0; f < faces_.size(); ++f) {
    for (int k = 0; k < 3; ++k) ring_[cursor[faces_[f][k]]++] = static_cast<int>(f);
  }
}

carry::Rest CanonicalHead::rest() const {
  return {vertex_count(), floats_of(positions_), reinterpret_cast<const int*>(faces_.data()),
          frames_.data(), areas_.data(),         ring_begin_.data(),
          ring_.data()};
}

void CanonicalHead::box(float margin, Vec3& low, Vec3& high) const {
  low = high = faces_.empty() ? Vec3(Vec3::Zero()) : positions_[faces_.front()[0]];
  for (const Index3& t : faces_) {
    for (int k = 0; k < 3; ++k) {
      low = low.cwiseMin(positions_[t[k]]);
      high = high.cwiseMax(positions_[t[k]]);
    }
  }
  low.array() -= margin;
  high.array() += margin;
}

MovedHead::MovedHead(const CanonicalHead& canonical)
    : canonical_(&canonical), tree_(canonical.positions(), canonical.faces()) {
  update(canonical.positions());
}

void MovedHead::update(std::span<const Vec3> posed) {
  tree_.refit(posed);
  posed_.assign(posed.begin(), posed.end());
  turns_.resize(posed.size() * 9);
  const carry::Rest rest = canonical_->rest();
  parallel_for(static_cast<std::int64_t>(posed.size()), kGrain, [&](std::int64_t v) {
    carry::turn_of(rest, floats_of(posed_), static_cast<int>(v), &turns_[static_cast<std::size_t>(v) * 9]);
  });
}

carry::Place MovedHead::place(const Vec3& point, float limit, int guess) const {
  return carry::place_of(canonical_->rest(), tree_.view(), turns_.data(), point.data(), limit, guess);
}

}  // namespace mien
