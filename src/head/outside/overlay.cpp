#include "head/outside/overlay.h"

#include <Eigen/Dense>
#include <algorithm>
#include <array>

#include "mien/base/error.h"

namespace mien::outside {
namespace {

constexpr float kLowerFrom = 0.35f;  // share of the jaw's movement from which on a vertex belongs to the lower lip

// Points 17 to 67: brows, nose, eyes, outer lips, inner lips.
constexpr std::array kFrom17 = {70,  63,  105, 66,  107, 336, 296, 334, 293, 300, 168, 197, 5,   4,   98,  97, 2,
                                326, 327, 33,  160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380, 61,  39, 37,
                                0,   267, 269, 291, 321, 314, 17,  84,  91,  78,  81,  13,  311, 308, 402, 14, 178};

std::vector<Vec3> places_of(const std::vector<Anchor>& anchors) {
  std::vector<Vec3> out;
  for (const Anchor& anchor : anchors) out.push_back(anchor.place);
  return out;
}

std::vector<Vec3> reference_places(const HeadModel& reference, const std::vector<Anchor>& anchors,
                                   const std::string& where) {
  if (anchors.size() < 12)
    throw Error(ErrorCode::kBadFile, fmt::format("{}: {} landmarks, at least 12 are needed", where, anchors.size()));
  std::vector<Vec3> out;
  for (const Anchor& anchor : anchors) {
    MIEN_CHECK(anchor.landmark >= 0 && anchor.landmark < static_cast<int>(reference.landmarks.size()), "landmark {}",
               anchor.landmark);
    out.push_back(surface_point(reference, reference.landmarks[static_cast<std::size_t>(anchor.landmark)],
                                reference.mesh.positions));
  }
  return out;
}

HeadRegion region_of_part(HeadPart part) {
  switch (part) {
    case HeadPart::kEyeLeft:
    case HeadPart::kEyeRight:
      return HeadRegion::kEyes;
    case HeadPart::kTeethUpper:
    case HeadPart::kTeethLower:
    case HeadPart::kGums:
      return HeadRegion::kTeeth;
    case HeadPart::kTongue:
      return HeadRegion::kTongue;
    case HeadPart::kLashes:
      return HeadRegion::kLashes;
    case HeadPart::kBrows:
      return HeadRegion::kBrows;
    case HeadPart::kSkin:
      break;
  }
  return HeadRegion::kFace;
}

}  // namespace

int landmark_of_68(int point) {
  if (point == 8) return 152;
  return point >= 17 && point < 68 ? kFrom17[static_cast<std::size_t>(point - 17)] : -1;
}

Vec3 surface_point(const HeadModel& model, const SurfacePoint& point, const std::vector<Vec3>& vertices) {
  Vec3 out = Vec3::Zero();
  const Index3& face = model.mesh.faces[static_cast<std::size_t>(point.face)];
  for (int k = 0; k < 3; ++k) out += point.barycentric[k] * vertices[static_cast<std::size_t>(face[k])];
  return out;
}

std::vector<float> jaw_share_of(const Vec3* displacement, int vertices) {
  float largest = 1e-6f;
  for (int v = 0; v < vertices; ++v) largest = std::max(largest, displacement[v].norm());
  std::vector<float> share;
  for (int v = 0; v < vertices; ++v) share.push_back(displacement[v].norm() / largest);
  return share;
}

Vec3 sphere_centre(const std::vector<Vec3>& points) {
  Eigen::Vector3d mean = Eigen::Vector3d::Zero();
  for (const Vec3& p : points) mean += p.cast<double>();
  mean /= static_cast<double>(std::max<std::size_t>(points.size(), 1));
  if (points.size() < 8) return mean.cast<float>();
  // |p|^2 = 2 p.c + (r^2 - |c|^2), linear in c and the last term; about the mean, for the sake of precision.
  Eigen::MatrixXd system(static_cast<Eigen::Index>(points.size()), 4);
  Eigen::VectorXd right(system.rows());
  for (Eigen::Index i = 0; i < system.rows(); ++i) {
    const Eigen::Vector3d p = points[static_cast<std::size_t>(i)].cast<double>() - mean;
    system.row(i) << 2 * p.transpose(), 1;
    right[i] = p.squaredNorm();
  }
  const Eigen::Vector4d solution = system.colPivHouseholderQr().solve(right);
  return (mean + solution.head<3>()).cast<float>();
}

Overlay::Overlay(const HeadModel& reference, const HeadModel& model, std::vector<float> jaw_share,
                 const std::vector<Anchor>& anchors, const std::string& where)
    : reference_(reference),
      model_(model),
      jaw_share_(std::move(jaw_share)),
      anchors_(anchors),
      warp_(reference_places(reference, anchors, where), places_of(anchors)) {
  const double turn = Eigen::AngleAxisd(warp_.rotation()).angle();
  if (!(warp_.scale() > 0.6 && warp_.scale() < 1.6) || !(turn < 0.6)) {
    throw Error(ErrorCode::kBadFile,
                fmt::format("{}: its face is {:.2f} times as large as a face and turned by {:.0f} degrees", where,
                            warp_.scale(), turn * 57.2958),
                "the model must look along +z, y up, in the unit that it is published in");
  }
  for (const Vec3& p : reference.mesh.positions) warped_.push_back(warp_(p));
  is_skin_.assign(model.mesh.positions.size(), false);
  for (int f = 0; f < model.mesh.face_count(); ++f) {
    for (const int v : model.mesh.faces[static_cast<std::size_t>(f)]) {
      if (model.face_part[static_cast<std::size_t>(f)] == HeadPart::kSkin) is_skin_[static_cast<std::size_t>(v)] = true;
    }
  }
  bind();
}

// Every skin vertex to the nearest place of the reference's skin, upper to upper and lower to lower.
void Overlay::bind() {
  const auto field =
      reference_.expression.begin() + static_cast<std::ptrdiff_t>(arkit_index("jawOpen")) * reference_.vertex_count();
  const std::vector<float> share = jaw_share_of(&*field, reference_.vertex_count());
  std::array<std::vector<Index3>, 2> faces;
  for (int f = 0; f < reference_.mesh.face_count(); ++f) {
    if (reference_.face_part[static_cast<std::size_t>(f)] != HeadPart::kSkin) continue;
    const Index3& face = reference_.mesh.faces[static_cast<std::size_t>(f)];
    float largest = 0, smallest = 1;
    for (const int v : face) {
      largest = std::max(largest, share[static_cast<std::size_t>(v)]);
      smallest = std::min(smallest, share[static_cast<std::size_t>(v)]);
    }
    if (smallest < kLowerFrom) faces[0].push_back(face);
    if (largest >= kLowerFrom) faces[1].push_back(face);
  }
  hits_.resize(model_.mesh.positions.size());
  for (const int side : {0, 1}) {
    const auto& some = faces[static_cast<std::size_t>(side)].empty() ? faces[static_cast<std::size_t>(1 - side)]
                                                                     : faces[static_cast<std::size_t>(side)];
    if (some.empty()) continue;
    const NearestTriangle surface(warped_, some);
    for (std::size_t v = 0; v < hits_.size(); ++v) {
      if (!is_skin_[v] || (jaw_share_[v] >= kLowerFrom) != (side == 1)) continue;
      const NearestHit hit = surface.query(model_.mesh.positions[v]);
      hits_[v] = {some[static_cast<std::size_t>(hit.face)], hit.barycentric, hit.distance};
    }
  }
}

std::vector<Vec3> Overlay::carry(const Vec3* displacement) const {
  std::vector<Vec3> out(model_.mesh.positions.size(), Vec3::Zero());
  for (std::size_t v = 0; v < out.size(); ++v) {
    if (!is_skin_[v]) continue;
    Vec3 sum = Vec3::Zero();
    for (int k = 0; k < 3; ++k) sum += hits_[v].barycentric[k] * displacement[hits_[v].vertices[k]];
    out[v] = static_cast<float>(warp_.scale()) * sum;
  }
  return out;
}

void Overlay::label(HeadModel& model) const {
  MIEN_CHECK(&model == &model_, "another model of {} vertices", model.vertex_count());
  for (const HeadJoint joint : {HeadJoint::kNeck, HeadJoint::kHead}) {
    model.joints[static_cast<std::size_t>(joint)] = warp_(reference_.joints[static_cast<std::size_t>(joint)]);
  }
  label_vertices(model);
  place_landmarks(model);
  trace_contours(model);
}

void Overlay::label_vertices(HeadModel& model) const {
  const std::size_t n = model.mesh.positions.size();
  model.region.assign(n, HeadRegion::kScalp);
  model.skin_weights.assign(n, {1.0f, 1.0f});
  for (std::size_t v = 0; v < n; ++v) {
    if (!is_skin_[v]) continue;
    const Hit& hit = hits_[v];
    Eigen::Index corner = 0;
    hit.barycentric.maxCoeff(&corner);
    model.region[v] = reference_.region[static_cast<std::size_t>(hit.vertices[corner])];
    std::array<float, 2> share = {0, 0};
    for (int k = 0; k < 3; ++k) {
      for (std::size_t j = 0; j < 2; ++j)
        share[j] += hit.barycentric[k] * reference_.skin_weights[static_cast<std::size_t>(hit.vertices[k])][j];
    }
    share[0] = std::clamp(share[0], 0.0f, 1.0f);
    model.skin_weights[v] = {share[0], std::clamp(share[1], 0.0f, share[0])};
  }
  for (int f = 0; f < model.mesh.face_count(); ++f) {
    const HeadPart part = model.face_part[static_cast<std::size_t>(f)];
    if (part == HeadPart::kSkin) continue;
    for (const int v : model.mesh.faces[static_cast<std::size_t>(f)])
      model.region[static_cast<std::size_t>(v)] = region_of_part(part);
  }
}

void Overlay::place_landmarks(HeadModel& model) const {
  // Skin that can be seen, in three sets: all of it, that above the mouth's line, that below.
  struct Surface {
    std::vector<Index3> faces;
    std::vector<int> number;
    std::unique_ptr<NearestTriangle> nearest;
    void add(const Index3& face, int f) {
      faces.push_back(face);
      number.push_back(f);
    }
    SurfacePoint query(const Vec3& place) const {
      const NearestHit hit = nearest->query(place);
      return {number[static_cast<std::size_t>(hit.face)], hit.barycentric};
    }
  };
  enum { kAll, kUpper, kLower, kLeftEye, kRightEye };
  std::array<Surface, 5> surfaces;
  for (int f = 0; f < model.mesh.face_count(); ++f) {
    const Index3& face = model.mesh.faces[static_cast<std::size_t>(f)];
    const HeadPart part = model.face_part[static_cast<std::size_t>(f)];
    if (part == HeadPart::kEyeLeft) surfaces[kLeftEye].add(face, f);
    if (part == HeadPart::kEyeRight) surfaces[kRightEye].add(face, f);
    if (part != HeadPart::kSkin) continue;
    float share = 0;
    bool is_hidden = false;
    for (const int v : face) {
      share += jaw_share_[static_cast<std::size_t>(v)] / 3;
      const HeadRegion region = model.region[static_cast<std::size_t>(v)];
      is_hidden = is_hidden || region == HeadRegion::kMouthInside || region == HeadRegion::kEars;
    }
    if (is_hidden) continue;
    surfaces[kAll].add(face, f);
    surfaces[share >= kLowerFrom ? kLower : kUpper].add(face, f);
  }
  if (surfaces[kAll].faces.empty()) throw Error(ErrorCode::kBadFile, "the model has no skin");
  for (Surface& surface : surfaces) {
    if (surface.faces.empty()) surface = {surfaces[kAll].faces, surfaces[kAll].number, nullptr};
    surface.nearest = std::make_unique<NearestTriangle>(model.mesh.positions, surface.faces);
  }
  constexpr int kMesh = 468, kIris = 5;
  model.landmarks.clear();
  for (int i = 0; i < static_cast<int>(reference_.landmarks.size()); ++i) {
    const SurfacePoint& on = reference_.landmarks[static_cast<std::size_t>(i)];
    if (i >= kMesh) {  // irises: the person's right eye, then the left
      const bool is_left = i >= kMesh + kIris;
      const auto joint = static_cast<std::size_t>(is_left ? HeadJoint::kEyeLeft : HeadJoint::kEyeRight);
      const Vec3 from = surface_point(reference_, on, reference_.mesh.positions) - reference_.joints[joint];
      // From outside, so that the cornea, not what lies behind it, is nearest.
      const Vec3 aim = model.joints[joint] + 1.2f * static_cast<float>(warp_.scale()) * from;
      model.landmarks.push_back(surfaces[is_left ? kLeftEye : kRightEye].query(aim));
      continue;
    }
    Eigen::Index corner = 0;
    on.barycentric.maxCoeff(&corner);
    const HeadRegion region =
        reference_.region[static_cast<std::size_t>(reference_.mesh.faces[static_cast<std::size_t>(on.face)][corner])];
    const int surface = region == HeadRegion::kUpperLip ? kUpper : region == HeadRegion::kLowerLip ? kLower : kAll;
    Vec3 place = surface_point(reference_, on, warped_);
    for (const Anchor& anchor : anchors_) {
      if (anchor.landmark == i) place = anchor.place;
    }
    model.landmarks.push_back(surfaces[static_cast<std::size_t>(surface)].query(place));
  }
}

int Overlay::nearest_vertex(const Vec3& place, const std::function<bool(int)>& is_allowed) const {
  int best = -1;
  float distance = 0.010f;  // metres: further off is no counterpart
  for (int v = 0; v < model_.vertex_count(); ++v) {
    const float d = (model_.mesh.positions[static_cast<std::size_t>(v)] - place).norm();
    if (d < distance && is_allowed(v)) {
      best = v;
      distance = d;
    }
  }
  return best;
}

void Overlay::trace_contours(HeadModel& model) const {
  const auto is_upper = [&](int v) {
    return is_skin_[static_cast<std::size_t>(v)] && jaw_share_[static_cast<std::size_t>(v)] < kLowerFrom;
  };
  const auto is_lower = [&](int v) {
    return is_skin_[static_cast<std::size_t>(v)] && jaw_share_[static_cast<std::size_t>(v)] >= kLowerFrom;
  };
  const auto is_any = [&](int v) { return static_cast<bool>(is_skin_[static_cast<std::size_t>(v)]); };
  using Pairs = std::vector<std::array<int, 2>>;
  const auto follow = [&](const Pairs& from, const auto& upper, const auto& lower, Pairs& to) {
    to.clear();
    for (const auto& [a, b] : from) {
      const std::array<int, 2> pair = {nearest_vertex(warped_[static_cast<std::size_t>(a)], upper),
                                       nearest_vertex(warped_[static_cast<std::size_t>(b)], lower)};
      if (pair[0] < 0 || pair[1] < 0 || pair[0] == pair[1]) continue;
      if (to.empty() || to.back() != pair) to.push_back(pair);
    }
  };
  const HeadContours& from = reference_.contours;
  HeadContours& to = model.contours;
  follow(from.lips, is_upper, is_lower, to.lips);
  follow(from.lids_left, is_any, is_any, to.lids_left);
  follow(from.lids_right, is_any, is_any, to.lids_right);
  std::array<std::vector<bool>, 2> teeth;
  for (auto& one : teeth) one.assign(model.mesh.positions.size(), false);
  for (int f = 0; f < model.mesh.face_count(); ++f) {
    const HeadPart part = model.face_part[static_cast<std::size_t>(f)];
    if (part != HeadPart::kTeethUpper && part != HeadPart::kTeethLower) continue;
    for (const int v : model.mesh.faces[static_cast<std::size_t>(f)])
      teeth[part == HeadPart::kTeethUpper ? 0 : 1][static_cast<std::size_t>(v)] = true;
  }
  const auto line = [&](const std::vector<int>& vertices, const std::vector<bool>& allowed) {
    std::vector<int> out;
    for (const int v : vertices) {
      const int found = nearest_vertex(warped_[static_cast<std::size_t>(v)],
                                       [&](int w) { return static_cast<bool>(allowed[static_cast<std::size_t>(w)]); });
      if (found >= 0 && (out.empty() || out.back() != found)) out.push_back(found);
    }
    return out;
  };
  to.upper_teeth = line(from.upper_teeth, teeth[0]);
  to.lower_teeth = line(from.lower_teeth, teeth[1]);
  if (from.mouth_corners[0] >= 0) {
    for (std::size_t k = 0; k < 2; ++k)
      to.mouth_corners[k] = nearest_vertex(warped_[static_cast<std::size_t>(from.mouth_corners[k])], is_any);
    if (to.mouth_corners[0] < 0 || to.mouth_corners[1] < 0) to.mouth_corners = {-1, -1};
  }
}

}  // namespace mien::outside
