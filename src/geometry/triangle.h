// One triangle on its way to the samples it covers: clipping, snapping, edge functions, perspective-correct weights.
// The same code for the processor (raster.cpp) and the GPU (cuda/raster.cu), so that both see the same samples.
#pragma once

#include <cmath>
#include <cstdint>

#ifdef __CUDACC__
#define MIEN_BOTH __host__ __device__ inline
#else
#define MIEN_BOTH inline
#endif

namespace mien::raster {

constexpr int kSubSample = 256;      // vertex positions are multiples of 1/256 sample
constexpr float kGuard = 1 << 20;    // samples; beyond it triangles are clipped so that integers cannot overflow
constexpr int kMostCorners = 3 + 5;  // of a triangle clipped by five planes
constexpr int kMostPieces = kMostCorners - 2;

struct Point {
  float x, y, z;
};

// Pinhole camera in samples.
struct Screen {
  float fx, fy, cx, cy;
  int width, height;
  float near_plane;  // metres
  bool cull;         // drop faces that are clockwise as seen
};

// Ready to scan. Wound so that its doubled area is positive in the y-down grid of samples.
struct Triangle {
  std::int64_t x[3], y[3];  // snapped positions
  float inverse_depth[3];
  float inverse_area;
  bool swapped;        // vertices 1 and 2 changed places
  int x0, x1, y0, y1;  // samples touched, inclusive
};

struct Corner {
  Point position;  // camera space
  Point weights;   // barycentric in the original face
};

struct Polygon {
  Corner corners[kMostCorners];
  int count;
};

enum class Extent { kOutside, kWhole, kClipped };

// Whether a face in camera space can be drawn whole, must be clipped, or is behind the near plane or not finite.
MIEN_BOTH Extent extent_of(const Point (&p)[3], const Screen& screen) {
  bool whole = true, finite = true;
  int behind = 0;
  for (int k = 0; k < 3; ++k) {
    finite = finite && std::isfinite(p[k].x) && std::isfinite(p[k].y) && std::isfinite(p[k].z);
    const bool near = p[k].z < screen.near_plane;
    behind += near ? 1 : 0;
    whole = whole && !near && std::fabs(screen.fx * p[k].x) < 0.25f * kGuard * p[k].z &&
            std::fabs(screen.fy * p[k].y) < 0.25f * kGuard * p[k].z;
  }
  if (behind == 3 || !finite) return Extent::kOutside;
  return whole ? Extent::kWhole : Extent::kClipped;
}

MIEN_BOTH Point mix(const Point& a, const Point& b, float t) {
  return {a.x + t * (b.x - a.x), a.y + t * (b.y - a.y), a.z + t * (b.z - a.z)};
}

// Keeps what has n . p >= offset (Sutherland and Hodgman 1974).
MIEN_BOTH void clip(Polygon& polygon, const Point& n, float offset) {
  Polygon out;
  out.count = 0;
  for (int i = 0; i < polygon.count; ++i) {
    const Corner& a = polygon.corners[i];
    const Corner& b = polygon.corners[(i + 1) % polygon.count];
    const float da = n.x * a.position.x + n.y * a.position.y + n.z * a.position.z - offset;
    const float db = n.x * b.position.x + n.y * b.position.y + n.z * b.position.z - offset;
    if (da >= 0 && out.count < kMostCorners) out.corners[out.count++] = a;
    if ((da >= 0) != (db >= 0) && out.count < kMostCorners) {
      const float t = da / (da - db);
      out.corners[out.count++] = {mix(a.position, b.position, t), mix(a.weights, b.weights, t)};
    }
  }
  polygon = out;
}

// The part of a face beyond the near plane and inside the guard band, a convex polygon.
MIEN_BOTH Polygon clip_face(const Point (&p)[3], const Screen& screen) {
  Polygon polygon;
  polygon.count = 3;
  for (int k = 0; k < 3; ++k) {
    const Point weights = {k == 0 ? 1.0f : 0.0f, k == 1 ? 1.0f : 0.0f, k == 2 ? 1.0f : 0.0f};
    polygon.corners[k] = {p[k], weights};
  }
  clip(polygon, {0, 0, 1}, screen.near_plane);
  // |x| <= limit * z, and the same for y, keep the projection inside the guard band.
  const float limit_x = 0.25f * kGuard / screen.fx, limit_y = 0.25f * kGuard / screen.fy;
  const Point planes[4] = {{1, 0, limit_x}, {-1, 0, limit_x}, {0, 1, limit_y}, {0, -1, limit_y}};
  for (const Point& plane : planes) {
    if (polygon.count >= 3) clip(polygon, plane, 0);
  }
  return polygon;
}

MIEN_BOTH std::int64_t least(const std::int64_t (&v)[3]) {
  const std::int64_t a = v[0] < v[1] ? v[0] : v[1];
  return a < v[2] ? a : v[2];
}
MIEN_BOTH std::int64_t most(const std::int64_t (&v)[3]) {
  const std::int64_t a = v[0] > v[1] ? v[0] : v[1];
  return a > v[2] ? a : v[2];
}
template <typename T>
MIEN_BOTH void exchange(T& a, T& b) {
  const T c = a;
  a = b;
  b = c;
}

// Snaps and orients a triangle in camera space, all of it beyond the near plane. False when it covers no sample or is
// culled.
MIEN_BOTH bool set_up(Triangle& t, const Point& a, const Point& b, const Point& c, const Screen& screen) {
  const Point points[3] = {a, b, c};
  for (int k = 0; k < 3; ++k) {
    const float w = 1 / points[k].z;
    t.inverse_depth[k] = w;
    t.x[k] = static_cast<std::int64_t>(llroundf((screen.fx * points[k].x * w + screen.cx) * kSubSample));
    t.y[k] = static_cast<std::int64_t>(llroundf((screen.fy * points[k].y * w + screen.cy) * kSubSample));
  }
  std::int64_t area = (t.x[1] - t.x[0]) * (t.y[2] - t.y[0]) - (t.x[2] - t.x[0]) * (t.y[1] - t.y[0]);
  if (area == 0 || (screen.cull && area > 0)) return false;  // fronts have a negative area here, where y points down
  t.swapped = area < 0;
  if (t.swapped) {
    area = -area;
    exchange(t.x[1], t.x[2]);
    exchange(t.y[1], t.y[2]);
    exchange(t.inverse_depth[1], t.inverse_depth[2]);
  }
  // Sample i lies at i + 0.5: the first at or after the lower bound, the last at or before the upper bound.
  const std::int64_t x0 = (least(t.x) + kSubSample / 2 - 1) >> 8, y0 = (least(t.y) + kSubSample / 2 - 1) >> 8;
  const std::int64_t x1 = (most(t.x) - kSubSample / 2) >> 8, y1 = (most(t.y) - kSubSample / 2) >> 8;
  t.x0 = static_cast<int>(x0 > 0 ? x0 : 0);
  t.y0 = static_cast<int>(y0 > 0 ? y0 : 0);
  t.x1 = static_cast<int>(x1 < screen.width - 1 ? x1 : screen.width - 1);
  t.y1 = static_cast<int>(y1 < screen.height - 1 ? y1 : screen.height - 1);
  if (t.x0 > t.x1 || t.y0 > t.y1) return false;
  t.inverse_area = 1.0f / static_cast<float>(area);
  return true;
}

// The three edge functions at the centre of a sample, and how they change from sample to sample. Edge k lies opposite
// vertex k.
struct Edges {
  std::int64_t value[3], step_x[3], step_y[3];
  std::int64_t bias[3];  // samples on a left or top edge belong to the triangle

  MIEN_BOTH bool cover() const { return ((value[0] + bias[0]) | (value[1] + bias[1]) | (value[2] + bias[2])) >= 0; }
  MIEN_BOTH void move_to(const Edges& from, int dx, int dy) {
    for (int k = 0; k < 3; ++k) value[k] = from.value[k] + dx * from.step_x[k] + dy * from.step_y[k];
  }
};

MIEN_BOTH Edges edges_at(const Triangle& t, int x, int y) {
  Edges edges;
  const std::int64_t px = std::int64_t{x} * kSubSample + kSubSample / 2;
  const std::int64_t py = std::int64_t{y} * kSubSample + kSubSample / 2;
  for (int k = 0; k < 3; ++k) {
    const int a = (k + 1) % 3, b = (k + 2) % 3;
    const std::int64_t dx = t.x[b] - t.x[a], dy = t.y[b] - t.y[a];
    edges.value[k] = dx * (py - t.y[a]) - dy * (px - t.x[a]);
    edges.step_x[k] = -dy * kSubSample;
    edges.step_y[k] = dx * kSubSample;
    edges.bias[k] = (dy < 0 || (dy == 0 && dx > 0)) ? 0 : -1;
  }
  return edges;
}

struct Surface {
  float depth;   // camera z, metres
  float w0, w1;  // weights of the face's vertices 0 and 1
};

// What a covered sample sees. `piece`: the corners' weights in the face, for a piece of a clipped one; else nullptr.
MIEN_BOTH Surface surface_at(const Triangle& t, const std::int64_t (&value)[3], const Point* piece) {
  const float p0 = static_cast<float>(value[0]) * t.inverse_area * t.inverse_depth[0];
  const float p1 = static_cast<float>(value[1]) * t.inverse_area * t.inverse_depth[1];
  const float p2 = static_cast<float>(value[2]) * t.inverse_area * t.inverse_depth[2];
  const float depth = 1 / (p0 + p1 + p2);
  const float w0 = p0 * depth, w1 = (t.swapped ? p2 : p1) * depth;
  if (piece == nullptr) return {depth, w0, w1};
  const float w2 = 1 - w0 - w1;
  return {depth, w0 * piece[0].x + w1 * piece[1].x + w2 * piece[2].x,
          w0 * piece[0].y + w1 * piece[1].y + w2 * piece[2].y};
}

}  // namespace mien::raster
