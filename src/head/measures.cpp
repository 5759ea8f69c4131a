#include "mien/head/measures.h"

#include <algorithm>
#include <limits>

#include "mien/base/error.h"

namespace mien {
namespace {

using Pairs = std::vector<std::array<int, 2>>;

void require(bool there, const HeadModel& model, const char* what) {
  if (!there) {
    throw Error(ErrorCode::kUnsupported, fmt::format("the head model \"{}\" has no {}", model.id, what),
                "use a head built by `mien head build`");
  }
}

// Which way is up for the skull these vertices belong to: the upper teeth are rigid, so their rest positions are
// matched to the given ones.
Vec3 skull_up(const HeadModel& model, const std::vector<Vec3>& vertices) {
  const std::vector<int>& teeth = model.contours.upper_teeth;
  if (teeth.size() < 3) return Vec3::UnitY();
  Mat3 covariance = Mat3::Zero();
  Vec3 rest_mean = Vec3::Zero(), mean = Vec3::Zero();
  for (const int v : teeth) {
    rest_mean += model.mesh.positions[v];
    mean += vertices[v];
  }
  rest_mean /= static_cast<float>(teeth.size());
  mean /= static_cast<float>(teeth.size());
  for (const int v : teeth) covariance += (vertices[v] - mean) * (model.mesh.positions[v] - rest_mean).transpose();
  // Kabsch 1976: the nearest rotation of the covariance.
  const Eigen::JacobiSVD<Mat3> svd(covariance, Eigen::ComputeFullU | Eigen::ComputeFullV);
  Vec3 keep = Vec3::Ones();
  keep.z() = (svd.matrixU() * svd.matrixV().transpose()).determinant() < 0 ? -1.0f : 1.0f;
  return svd.matrixU() * keep.asDiagonal() * svd.matrixV().transpose() * Vec3::UnitY();
}

// How far the lower vertex of a pair lies from the upper one; 0 when they have crossed.
float gap_mm(const std::array<int, 2>& pair, const std::vector<Vec3>& vertices, const Vec3& up) {
  const Vec3 between = vertices[pair[0]] - vertices[pair[1]];
  return between.dot(up) <= 0 ? 0.0f : 1000.0f * between.norm();
}

float middle_gap_mm(const Pairs& pairs, const std::vector<Vec3>& vertices, const Vec3& up) {
  const std::size_t n = pairs.size();
  const float a = gap_mm(pairs[n / 2], vertices, up);
  return n % 2 == 1 ? a : 0.5f * (a + gap_mm(pairs[n / 2 - 1], vertices, up));
}

std::vector<int> with_regions(const HeadModel& model, std::initializer_list<HeadRegion> regions) {
  std::vector<int> out;
  for (int v = 0; v < model.vertex_count(); ++v) {
    if (std::find(regions.begin(), regions.end(), model.region[v]) != regions.end()) out.push_back(v);
  }
  return out;
}

float distance_to_segment(const Vec3& p, const Vec3& a, const Vec3& b) {
  const Vec3 along = b - a;
  const float t = std::clamp((p - a).dot(along) / std::max(along.squaredNorm(), 1e-18f), 0.0f, 1.0f);
  return (a + t * along - p).norm();
}

}  // namespace

float mouth_opening_mm(const HeadModel& model, const std::vector<Vec3>& vertices) {
  require(!model.contours.lips.empty(), model, "lip contour");
  return middle_gap_mm(model.contours.lips, vertices, skull_up(model, vertices));
}

float minimal_lip_gap_mm(const HeadModel& model, const std::vector<Vec3>& vertices) {
  const Pairs& lips = model.contours.lips;
  require(!lips.empty(), model, "lip contour");
  const Vec3 up = skull_up(model, vertices);
  float smallest = std::numeric_limits<float>::max();
  const std::size_t n = lips.size();
  for (std::size_t i = n / 4; i < n - n / 4; ++i) smallest = std::min(smallest, gap_mm(lips[i], vertices, up));
  return smallest;
}

float lower_lip_to_teeth_mm(const HeadModel& model, const std::vector<Vec3>& vertices) {
  const Pairs& lips = model.contours.lips;
  const std::vector<int>& teeth = model.contours.upper_teeth;
  require(!lips.empty() && teeth.size() >= 2, model, "lip and teeth contours");
  float smallest = std::numeric_limits<float>::max();
  const std::size_t n = lips.size();
  for (std::size_t i = n / 4; i < n - n / 4; ++i) {
    for (std::size_t t = 1; t < teeth.size(); ++t) {
      const Vec3& lip = vertices[lips[i][1]];
      smallest = std::min(smallest, distance_to_segment(lip, vertices[teeth[t - 1]], vertices[teeth[t]]));
    }
  }
  return 1000.0f * smallest;
}

float mouth_width_mm(const HeadModel& model, const std::vector<Vec3>& vertices) {
  const auto [right, left] = model.contours.mouth_corners;
  require(right >= 0 && left >= 0, model, "mouth corners");
  return 1000.0f * (vertices[right] - vertices[left]).norm();
}

float lid_opening_left_mm(const HeadModel& model, const std::vector<Vec3>& vertices) {
  require(!model.contours.lids_left.empty(), model, "lid contours");
  return middle_gap_mm(model.contours.lids_left, vertices, skull_up(model, vertices));
}

float lid_opening_right_mm(const HeadModel& model, const std::vector<Vec3>& vertices) {
  require(!model.contours.lids_right.empty(), model, "lid contours");
  return middle_gap_mm(model.contours.lids_right, vertices, skull_up(model, vertices));
}

std::vector<int> lip_vertices(const HeadModel& model) {
  return with_regions(model, {HeadRegion::kUpperLip, HeadRegion::kLowerLip});
}

std::vector<int> lid_vertices(const HeadModel& model) {
  return with_regions(model, {HeadRegion::kUpperLidLeft, HeadRegion::kLowerLidLeft, HeadRegion::kUpperLidRight,
                              HeadRegion::kLowerLidRight});
}

}  // namespace mien
