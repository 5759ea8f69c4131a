#include "mien/geometry/nearest.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "mien/base/error.h"

namespace mien {
namespace {

constexpr int kLeafSize = 4;

float box_distance2(const Vec3& p, const Vec3& low, const Vec3& high) {
  return (low - p).cwiseMax(p - high).cwiseMax(0.0f).squaredNorm();
}

}  // namespace

Vec3 nearest_barycentric(const Vec3& p, const Vec3& a, const Vec3& b, const Vec3& c) {
  const Vec3 ab = b - a, ac = c - a, ap = p - a;
  const float d1 = ab.dot(ap), d2 = ac.dot(ap);
  if (d1 <= 0 && d2 <= 0) return {1, 0, 0};
  const Vec3 bp = p - b;
  const float d3 = ab.dot(bp), d4 = ac.dot(bp);
  if (d3 >= 0 && d4 <= d3) return {0, 1, 0};
  const float vc = d1 * d4 - d3 * d2;
  if (vc <= 0 && d1 >= 0 && d3 <= 0) {
    const float v = d1 > d3 ? d1 / (d1 - d3) : 0;
    return {1 - v, v, 0};
  }
  const Vec3 cp = p - c;
  const float d5 = ab.dot(cp), d6 = ac.dot(cp);
  if (d6 >= 0 && d5 <= d6) return {0, 0, 1};
  const float vb = d5 * d2 - d1 * d6;
  if (vb <= 0 && d2 >= 0 && d6 <= 0) {
    const float w = d2 > d6 ? d2 / (d2 - d6) : 0;
    return {1 - w, 0, w};
  }
  const float va = d3 * d6 - d5 * d4;
  if (va <= 0 && d4 - d3 >= 0 && d5 - d6 >= 0) {
    const float sum = (d4 - d3) + (d5 - d6);
    const float w = sum > 0 ? (d4 - d3) / sum : 0;
    return {0, 1 - w, w};
  }
  const float inverse = 1 / (va + vb + vc);
  return {va * inverse, vb * inverse, vc * inverse};
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
  nodes_.emplace_back();
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

// Children have higher indices than their parents, so one backward pass sees them first.
void NearestTriangle::fit_boxes() {
  for (int n = static_cast<int>(nodes_.size()) - 1; n >= 0; --n) {
    Node& node = nodes_[n];
    if (node.count == 0) {
      node.low = nodes_[n + 1].low.cwiseMin(nodes_[node.first].low);
      node.high = nodes_[n + 1].high.cwiseMax(nodes_[node.first].high);
      continue;
    }
    node.low = node.high = positions_[faces_[order_[node.first]][0]];
    for (int i = node.first; i < node.first + node.count; ++i) {
      for (int k = 0; k < 3; ++k) {
        const Vec3& p = positions_[faces_[order_[i]][k]];
        node.low = node.low.cwiseMin(p);
        node.high = node.high.cwiseMax(p);
      }
    }
  }
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
  NearestHit hit;
  if (nodes_.empty()) return hit;
  float best = max_distance * max_distance;
  std::array<std::pair<float, int>, 64> stack;  // depth of a median-split tree over 2^31 faces stays below 32
  int top = 0;
  stack[top++] = {box_distance2(point, nodes_[0].low, nodes_[0].high), 0};
  while (top > 0) {
    const auto [distance2, index] = stack[--top];
    if (distance2 > best) continue;
    const Node& node = nodes_[index];
    if (node.count == 0) {
      const int left = index + 1, right = node.first;
      const std::pair<float, int> near{box_distance2(point, nodes_[left].low, nodes_[left].high), left};
      const std::pair<float, int> far{box_distance2(point, nodes_[right].low, nodes_[right].high), right};
      stack[top++] = near.first <= far.first ? far : near;
      stack[top++] = near.first <= far.first ? near : far;
      continue;
    }
    for (int i = node.first; i < node.first + node.count; ++i) {
      const Index3& f = faces_[order_[i]];
      const Vec3 &a = positions_[f[0]], &b = positions_[f[1]], &c = positions_[f[2]];
      const Vec3 weights = nearest_barycentric(point, a, b, c);
      const Vec3 on = weights[0] * a + weights[1] * b + weights[2] * c;
      const float d2 = (point - on).squaredNorm();
      if (d2 <= best) {
        best = d2;
        hit = {order_[i], weights, on, std::sqrt(d2)};
      }
    }
  }
  return hit;
}

}  // namespace mien
