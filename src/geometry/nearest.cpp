#include "mien/geometry/nearest.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "mien/base/error.h"

namespace mien {
namespace {

constexpr int kLeafSize = 4;

static_assert(sizeof(Vec3) == 3 * sizeof(float) && sizeof(Index3) == 3 * sizeof(int));

}  // namespace

Vec3 nearest_barycentric(const Vec3& p, const Vec3& a, const Vec3& b, const Vec3& c) {
  Vec3 weights;
  tree::nearest_weights(p.data(), a.data(), b.data(), c.data(), weights.data());
  return weights;
}

NearestTriangle::NearestTriangle(std::span<const Vec3> positions, std::span<const Index3> faces)
    : positions_(positions.begin(), positions.end()), faces_(faces.begin(), faces.end()), order_(faces.size()) {
  const auto count = static_cast<int>(positions_.size());
  std::vector<Vec3> centroids;
  centroids.reserve(faces_.size());
  for (const Index3& f : faces_) {
    MIEN_CHECK(f.minCoeff() >= 0 && f.maxCoeff() < count, "face {} {} {} of {} vertices", f[0], f[1], f[2], count);
    centroids.push_back((positions_[f[0]] + positions_[f[1]] + positions_[f[2]]) / 3);
  }
  std::iota(order_.begin(), order_.end(), 0);
  nodes_.reserve(2 * faces_.size() / kLeafSize + 2);
  if (!faces_.empty()) build(0, static_cast<int>(faces_.size()), centroids);
  fit_boxes();
}

int NearestTriangle::build(int first, int count, std::vector<Vec3>& centroids) {
  const auto index = static_cast<int>(nodes_.size());
  nodes_.push_back({});
  if (count <= kLeafSize) {
    nodes_[index].first = first;
    nodes_[index].count = count;
    return index;
  }
  Vec3 low = centroids[order_[first]];
  Vec3 high = low;
  for (int i = first; i < first + count; ++i) {
    low = low.cwiseMin(centroids[order_[i]]);
    high = high.cwiseMax(centroids[order_[i]]);
  }
  int axis = 0;
  (high - low).maxCoeff(&axis);
  const int half = count / 2;
  std::nth_element(order_.begin() + first, order_.begin() + first + half, order_.begin() + first + count,
                   [&](int a, int b) {
                     const float ca = centroids[a][axis], cb = centroids[b][axis];
                     return ca != cb ? ca < cb : a < b;
                   });
  build(first, half, centroids);
  const int right = build(first + half, count - half, centroids);
  nodes_[index].first = right;
  return index;
}

tree::View NearestTriangle::view() const {
  const auto* positions = reinterpret_cast<const float*>(positions_.data());
  const auto* faces = reinterpret_cast<const int*>(faces_.data());
  return {nodes_.data(), order_.data(), positions, faces, static_cast<int>(nodes_.size())};
}

// Children have higher indices than their parents, so one backward pass sees them first.
void NearestTriangle::fit_boxes() {
  for (int n = static_cast<int>(nodes_.size()) - 1; n >= 0; --n) tree::fit_box(view(), nodes_.data(), n);
}

void NearestTriangle::refit(std::span<const Vec3> positions) {
  if (positions.size() != positions_.size()) {
    throw Error(ErrorCode::kBadArgument,
                fmt::format("nearest triangle: {} new positions for {} vertices", positions.size(), positions_.size()),
                "build a new tree for another topology");
  }
  std::copy(positions.begin(), positions.end(), positions_.begin());
  fit_boxes();
}

NearestHit NearestTriangle::query(const Vec3& point, float max_distance) const {
  const tree::Hit found = tree::nearest(view(), point.data(), max_distance * max_distance);
  NearestHit hit;
  if (found.face < 0) return hit;
  hit.face = found.face;
  hit.barycentric = Eigen::Map<const Vec3>(found.weight);
  hit.point = Eigen::Map<const Vec3>(found.point);
  hit.distance = std::sqrt(found.distance2);
  return hit;
}

}  // namespace mien
