#include "head/makehuman/landmarks.h"

#include <algorithm>
#include <map>
#include <sstream>

#include "head/smooth_warp.h"
#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/geometry/nearest.h"

namespace mien::makehuman {
namespace {

constexpr int kCanonicalCount = 468;

// Landmark numbers along contours, from the person's right to left (lips) and for each eye from the inner to the outer
// corner.
constexpr std::array kInnerUpper = {78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308};
constexpr std::array kInnerLower = {95, 88, 178, 87, 14, 317, 402, 318, 324};
constexpr std::array kOuterUpper = {61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291};
constexpr std::array kOuterLower = {146, 91, 181, 84, 17, 314, 405, 321, 375};
constexpr std::array kLeftUpperLid = {362, 398, 384, 385, 386, 387, 388, 466, 263};
constexpr std::array kLeftLowerLid = {382, 381, 380, 374, 373, 390, 249};
constexpr std::array kRightUpperLid = {133, 173, 157, 158, 159, 160, 161, 246, 33};
constexpr std::array kRightLowerLid = {155, 154, 153, 145, 144, 163, 7};
constexpr std::array kLeftBrowUpper = {336, 296, 334, 293, 300};
constexpr std::array kLeftBrowLower = {285, 295, 282, 283, 276};
constexpr std::array kRightBrowUpper = {107, 66, 105, 63, 70};
constexpr std::array kRightBrowLower = {55, 65, 52, 53, 46};
// On the middle line: landmark, and MakeHuman's vertex.
constexpr std::array<std::array<int, 2>, 15> kMiddle = {{{168, 132},
                                                         {6, 134},
                                                         {197, 131},
                                                         {195, 164},
                                                         {5, 291},
                                                         {4, 5054},
                                                         {1, 302},
                                                         {94, 312},
                                                         {2, 317},
                                                         {164, 5072},
                                                         {9, 220},
                                                         {8, 169},
                                                         {18, 491},
                                                         {200, 733},
                                                         {152, 5296}}};

std::vector<Vec3> read_canonical(const std::filesystem::path& path) {
  std::istringstream lines(read_text(path, 16u << 20));
  std::vector<Vec3> points;
  std::string line;
  while (std::getline(lines, line)) {
    if (!line.starts_with("v ")) continue;
    std::istringstream numbers(line.substr(2));
    Vec3 p;
    if (!(numbers >> p.x() >> p.y() >> p.z()))
      throw Error(ErrorCode::kBadFile, fmt::format("{}: \"{}\" is no vertex", path.string(), line));
    points.push_back(p);
  }
  if (points.size() != kCanonicalCount) {
    throw Error(ErrorCode::kBadFile,
                fmt::format("{}: {} vertices, MediaPipe's canonical face has {}", path.string(), points.size(),
                            kCanonicalCount),
                "fetch it again with scripts/setup");
  }
  return points;
}

class Placer {
 public:
  Placer(const std::vector<Vec3>& canonical, const HeadModel& model) : canonical_(canonical), model_(model) {
    for (int f = 0; f < model.mesh.face_count(); ++f) {
      if (model.face_part[f] != HeadPart::kSkin) continue;
      for (int k = 0; k < 3; ++k) {
        edge_face_[std::minmax(model.mesh.faces[f][k], model.mesh.faces[f][(k + 1) % 3])] = f;
      }
    }
  }

  // Pins landmarks to a line of vertices by their share of the way, in x, between the line's ends.
  template <typename Numbers>
  void pin_line(const Numbers& landmarks, int first, int last, const std::vector<int>& line) {
    const float from = canonical_[first].x(), to = canonical_[last].x();
    const float begin = at(line.front()).x(), end = at(line.back()).x();
    for (const int landmark : landmarks) {
      const float share = (canonical_[landmark].x() - from) / (to - from);
      const float x = begin + share * (end - begin);
      // The crossing of the line with that x; lines run monotonously from corner to corner but for their ends.
      std::size_t best = 0;
      float t = 0, miss = 1e9f;
      for (std::size_t i = 0; i + 1 < line.size(); ++i) {
        const float a = at(line[i]).x(), b = at(line[i + 1]).x();
        const float u = std::abs(b - a) < 1e-7f ? 0.0f : std::clamp((x - a) / (b - a), 0.0f, 1.0f);
        const float distance = std::abs((1 - u) * a + u * b - x);
        if (distance < miss) {
          best = i;
          t = u;
          miss = distance;
        }
      }
      pin(landmark, line[best], line[best + 1], t);
    }
  }

  // An anchor without a fixed triangle: where on the skin the landmark should lie.
  void attract(int landmark, const Vec3& place) { anchors_[landmark] = place; }

  std::vector<SurfacePoint> place() const {
    const std::vector<Vec3> warped = warp();
    std::vector<Index3> faces;
    std::vector<int> number;
    for (int f = 0; f < model_.mesh.face_count(); ++f) {
      if (model_.face_part[f] != HeadPart::kSkin) continue;
      const bool is_inside = std::any_of(model_.mesh.faces[f].begin(), model_.mesh.faces[f].end(), [&](int v) {
        return model_.region[v] == HeadRegion::kMouthInside || model_.region[v] == HeadRegion::kEars;
      });
      if (is_inside) continue;
      faces.push_back(model_.mesh.faces[f]);
      number.push_back(f);
    }
    const NearestTriangle skin(model_.mesh.positions, faces);
    std::vector<SurfacePoint> out(kCanonicalCount);
    for (int i = 0; i < kCanonicalCount; ++i) {
      const auto pinned = pinned_.find(i);
      if (pinned != pinned_.end()) {
        out[i] = pinned->second;
        continue;
      }
      const NearestHit hit = skin.query(warped[i]);
      out[i] = {number[static_cast<std::size_t>(hit.face)], hit.barycentric};
    }
    return out;
  }

 private:
  const Vec3& at(int v) const { return model_.mesh.positions[v]; }

  void pin(int landmark, int a, int b, float t) {
    const auto found = edge_face_.find(std::minmax(a, b));
    MIEN_CHECK(found != edge_face_.end(), "vertices {} and {} share no face", a, b);
    SurfacePoint point;
    point.face = found->second;
    point.barycentric.setZero();
    for (int k = 0; k < 3; ++k) {
      if (model_.mesh.faces[point.face][k] == a) point.barycentric[k] = 1 - t;
      if (model_.mesh.faces[point.face][k] == b) point.barycentric[k] = t;
    }
    pinned_[landmark] = point;
    anchors_[landmark] = (1 - t) * at(a) + t * at(b);
  }

  std::vector<Vec3> warp() const {
    std::vector<Vec3> from, to;
    for (const auto& [landmark, place] : anchors_) {
      from.push_back(canonical_[landmark]);
      to.push_back(place);
    }
    const SmoothWarp moved(from, to);
    std::vector<Vec3> out;
    for (const Vec3& p : canonical_) out.push_back(moved(p));
    return out;
  }

  const std::vector<Vec3>& canonical_;
  const HeadModel& model_;
  std::map<std::pair<int, int>, int> edge_face_;
  std::map<int, SurfacePoint> pinned_;
  std::map<int, Vec3> anchors_;
};

// A stretch of a ring, from position `first` to `last` in steps of `step` (around).
template <typename Ring>
std::vector<int> stretch(const Ring& ring, int first, int last, int step) {
  const int n = static_cast<int>(ring.size());
  std::vector<int> line = {ring[first]};
  for (int p = first; p != last;) {
    p = (p + step + n) % n;
    line.push_back(ring[p]);
  }
  return line;
}

// Upper or lower rim of a brow at this share of its length, from the brow mesh.
template <typename Upper, typename Lower>
void attract_brow(Placer& placer, const HeadModel& model, int side, const Upper& upper, const Lower& lower) {
  std::vector<Vec3> brow;
  for (int v = 0; v < model.vertex_count(); ++v) {
    const Vec3& p = model.mesh.positions[v];
    if (model.region[v] == HeadRegion::kBrows && (p.x() > 0) == (side == 0)) brow.push_back(p);
  }
  if (brow.empty()) return;
  const auto by_x = [](const Vec3& a, const Vec3& b) { return std::abs(a.x()) < std::abs(b.x()); };
  const float inner = std::min_element(brow.begin(), brow.end(), by_x)->x(),
              outer = std::max_element(brow.begin(), brow.end(), by_x)->x();
  for (std::size_t i = 0; i < upper.size(); ++i) {
    // The cards are wider than the hair on them.
    const float share = 0.12f + 0.72f * static_cast<float>(i) / static_cast<float>(upper.size() - 1);
    const float x = inner + share * (outer - inner);
    Vec3 high(x, -1e9f, 0), low(x, 1e9f, 0);
    for (const Vec3& p : brow) {
      if (std::abs(p.x() - x) > 0.004f) continue;
      if (p.y() > high.y()) high = p;
      if (p.y() < low.y()) low = p;
    }
    if (high.y() < low.y()) continue;
    placer.attract(upper[i], 0.8f * high + 0.2f * low);
    placer.attract(lower[i], 0.25f * high + 0.75f * low);
  }
}

void place_iris(const FaceMap& map, const HeadModel& model, int side, std::vector<SurfacePoint>& out) {
  constexpr float kIrisRadius = 0.0060f;
  const HeadPart part = side == 0 ? HeadPart::kEyeLeft : HeadPart::kEyeRight;
  const Vec3 centre = model.joints[static_cast<int>(side == 0 ? HeadJoint::kEyeLeft : HeadJoint::kEyeRight)];
  std::vector<Index3> faces;
  std::vector<int> number;
  for (int f = 0; f < model.mesh.face_count(); ++f) {
    if (model.face_part[f] != part) continue;
    faces.push_back(model.mesh.faces[f]);
    number.push_back(f);
  }
  const NearestTriangle eye(model.mesh.positions, faces);
  const float radius = map.eyes[side].radius;
  const Vec3 directions[] = {Vec3(0, 0, 0), Vec3(1, 0, 0), Vec3(0, 1, 0), Vec3(-1, 0, 0), Vec3(0, -1, 0)};
  for (const Vec3& direction : directions) {
    Vec3 aim = kIrisRadius * direction +
               Vec3(0, 0, std::sqrt(radius * radius - kIrisRadius * kIrisRadius * direction.squaredNorm()));
    aim *= 1.2f;  // from outside, so that the cornea, not what lies behind it, is nearest
    const NearestHit hit = eye.query(centre + aim);
    out.push_back({number[static_cast<std::size_t>(hit.face)], hit.barycentric});
  }
}

}  // namespace

std::vector<SurfacePoint> place_landmarks(const std::filesystem::path& canonical, const FaceMap& map,
                                          const HeadModel& model) {
  const std::vector<Vec3> points = read_canonical(canonical);
  Placer placer(points, model);
  // Lips: position 26 is the right corner, 0 the upper middle, 12 the left corner, 19 the lower middle.
  const auto& inner = map.mouth[kMouthContact];
  const auto& outer = map.mouth[kMouthVermilion];
  placer.pin_line(kInnerLower, 78, 308, stretch(inner, 26, 12, -1));
  placer.pin_line(kInnerUpper, 78, 308, stretch(inner, 26, 12, 1));
  placer.pin_line(kOuterLower, 61, 291, stretch(outer, 26, 12, -1));
  placer.pin_line(kOuterUpper, 61, 291, stretch(outer, 26, 12, 1));
  for (int side = 0; side < 2; ++side) {
    const auto& lid = map.eyes[side].rings[kLidContact];
    const std::vector<int> lower = stretch(lid, kLidInner, kLidOuter, -1),
                           upper = stretch(lid, kLidInner, kLidOuter, 1);
    if (side == 0) {
      placer.pin_line(kLeftLowerLid, 362, 263, lower);
      placer.pin_line(kLeftUpperLid, 362, 263, upper);
      attract_brow(placer, model, side, kLeftBrowUpper, kLeftBrowLower);
    } else {
      placer.pin_line(kRightLowerLid, 133, 33, lower);
      placer.pin_line(kRightUpperLid, 133, 33, upper);
      attract_brow(placer, model, side, kRightBrowUpper, kRightBrowLower);
    }
  }
  for (const auto& [landmark, body_vertex] : kMiddle) {
    const int v = map.from_body[static_cast<std::size_t>(body_vertex)];
    placer.attract(landmark, model.mesh.positions[v]);
  }
  std::vector<SurfacePoint> out = placer.place();
  place_iris(map, model, 1, out);  // 468 to 472: the person's right eye
  place_iris(map, model, 0, out);  // 473 to 477: the left
  return out;
}

}  // namespace mien::makehuman
