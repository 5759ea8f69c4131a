#include "mien/geometry/raster.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "mien/base/error.h"
#include "mien/base/parallel.h"

namespace mien {
namespace {

constexpr int kSubSample = 256;    // vertex positions are multiples of 1/256 sample
constexpr float kGuard = 1 << 20;  // samples; beyond it triangles are clipped so that integers cannot overflow
constexpr int kBandRows = 16;      // rows of samples a task

// A triangle ready to scan. Wound so that its doubled area is positive in the y-down sample grid.
struct Setup {
  std::array<std::int64_t, 3> x, y;  // snapped positions
  std::array<float, 3> inverse_depth;
  float inverse_area;
  std::int32_t face;
  int clipped;         // index into the clipped barycentrics, -1 for whole triangles
  bool swapped;        // vertices 1 and 2 changed places
  int y0, y1, x0, x1;  // samples touched, inclusive
};

struct ClipVertex {
  Vec3 position;  // camera space
  Vec3 weights;   // barycentric in the original face
};

struct Scene {
  std::vector<Setup> setups;
  std::vector<std::array<Vec3, 3>> clipped;
  std::vector<std::vector<int>> bands;
  int width = 0, height = 0;
};

struct Projection {
  float fx, fy, cx, cy;
};

std::vector<ClipVertex> clip(const std::vector<ClipVertex>& polygon, const Vec3& normal, float offset) {
  std::vector<ClipVertex> out;
  for (std::size_t i = 0; i < polygon.size(); ++i) {
    const ClipVertex& a = polygon[i];
    const ClipVertex& b = polygon[(i + 1) % polygon.size()];
    const float da = normal.dot(a.position) - offset;
    const float db = normal.dot(b.position) - offset;
    if (da >= 0) out.push_back(a);
    if ((da >= 0) != (db >= 0)) {
      const float t = da / (da - db);
      out.push_back({a.position + t * (b.position - a.position), a.weights + t * (b.weights - a.weights)});
    }
  }
  return out;
}

// Snaps, orients, culls and bins one triangle whose vertices all lie beyond the near plane.
void add_triangle(Scene& scene, const std::array<Vec3, 3>& points, const Projection& to, std::int32_t face, int clipped,
                  bool cull) {
  Setup s;
  for (int k = 0; k < 3; ++k) {
    const float w = 1 / points[k].z();
    s.inverse_depth[k] = w;
    s.x[k] = std::llround((to.fx * points[k].x() * w + to.cx) * kSubSample);
    s.y[k] = std::llround((to.fy * points[k].y() * w + to.cy) * kSubSample);
  }
  std::int64_t area = (s.x[1] - s.x[0]) * (s.y[2] - s.y[0]) - (s.x[2] - s.x[0]) * (s.y[1] - s.y[0]);
  if (area == 0 || (cull && area > 0)) return;  // front faces have a negative area here, where y points down
  s.swapped = area < 0;
  if (s.swapped) {
    area = -area;
    std::swap(s.x[1], s.x[2]);
    std::swap(s.y[1], s.y[2]);
    std::swap(s.inverse_depth[1], s.inverse_depth[2]);
  }
  // Sample i lies at i + 0.5: the first at or after the lower bound, the last at or before the upper bound.
  const auto first = [](std::int64_t v) { return (v - kSubSample / 2 + kSubSample - 1) >> 8; };
  const auto last = [](std::int64_t v) { return (v - kSubSample / 2) >> 8; };
  s.x0 = static_cast<int>(std::max<std::int64_t>(first(std::min({s.x[0], s.x[1], s.x[2]})), 0));
  s.y0 = static_cast<int>(std::max<std::int64_t>(first(std::min({s.y[0], s.y[1], s.y[2]})), 0));
  s.x1 = static_cast<int>(std::min<std::int64_t>(last(std::max({s.x[0], s.x[1], s.x[2]})), scene.width - 1));
  s.y1 = static_cast<int>(std::min<std::int64_t>(last(std::max({s.y[0], s.y[1], s.y[2]})), scene.height - 1));
  if (s.x0 > s.x1 || s.y0 > s.y1) return;
  s.inverse_area = 1.0f / static_cast<float>(area);
  s.face = face;
  s.clipped = clipped;
  const int index = static_cast<int>(scene.setups.size());
  scene.setups.push_back(s);
  for (int band = s.y0 / kBandRows; band <= s.y1 / kBandRows; ++band) scene.bands[band].push_back(index);
}

void add_clipped(Scene& scene, const std::array<Vec3, 3>& points, const Projection& to, std::int32_t face,
                 const RasterOptions& options) {
  std::vector<ClipVertex> polygon;
  for (int k = 0; k < 3; ++k) polygon.push_back({points[k], Vec3::Unit(k)});
  polygon = clip(polygon, Vec3::UnitZ(), options.near_plane);
  // |x| <= limit * z, and the same for y, keep the projection inside the guard band.
  const float limit_x = 0.25f * kGuard / to.fx;
  const float limit_y = 0.25f * kGuard / to.fy;
  for (const Vec3& plane : {Vec3(1, 0, limit_x), Vec3(-1, 0, limit_x), Vec3(0, 1, limit_y), Vec3(0, -1, limit_y)}) {
    if (polygon.size() >= 3) polygon = clip(polygon, plane, 0);
  }
  for (std::size_t i = 2; i < polygon.size(); ++i) {
    const ClipVertex &a = polygon[0], &b = polygon[i - 1], &c = polygon[i];
    scene.clipped.push_back({a.weights, b.weights, c.weights});
    add_triangle(scene, {a.position, b.position, c.position}, to, face, static_cast<int>(scene.clipped.size()) - 1,
                 options.cull_back_faces);
  }
}

Scene make_scene(std::span<const Vec3> positions, std::span<const Index3> faces, const Camera& camera,
                 const RasterOptions& options) {
  const int ss = options.supersample;
  if (ss < 1 || ss > 8 || !(options.near_plane > 0) || camera.width < 1 || camera.height < 1 || camera.width > 16384 ||
      camera.height > 16384 || !(camera.fx > 0) || !(camera.fy > 0)) {
    throw Error(ErrorCode::kBadArgument,
                fmt::format("rasteriser: camera {}x{}, focal length {} {}, supersample {}, near plane {}", camera.width,
                            camera.height, camera.fx, camera.fy, ss, options.near_plane),
                "sizes must be 1..16384, focal lengths and near plane positive, supersample 1..8");
  }
  Scene scene;
  scene.width = camera.width * ss;
  scene.height = camera.height * ss;
  scene.bands.resize((scene.height + kBandRows - 1) / kBandRows);
  const auto scale = static_cast<float>(ss);
  const Projection to{camera.fx * scale, camera.fy * scale, camera.cx * scale, camera.cy * scale};
  std::vector<Vec3> points(positions.size());
  parallel_for(static_cast<std::int64_t>(positions.size()), 4096,
               [&](std::int64_t i) { points[i] = camera.to_camera(positions[i]); });
  const auto count = static_cast<int>(positions.size());
  scene.setups.reserve(faces.size());
  for (std::size_t f = 0; f < faces.size(); ++f) {
    const Index3& face = faces[f];
    MIEN_CHECK(face.minCoeff() >= 0 && face.maxCoeff() < count, "face {}: {} {} {} of {} vertices", f, face[0], face[1],
               face[2], count);
    const std::array<Vec3, 3> corner = {points[face[0]], points[face[1]], points[face[2]]};
    bool whole = true;
    bool finite = true;
    int behind = 0;
    for (const Vec3& p : corner) {
      finite = finite && p.allFinite();
      const bool near = p.z() < options.near_plane;
      behind += near ? 1 : 0;
      whole = whole && !near && std::abs(to.fx * p.x()) < 0.25f * kGuard * p.z() &&
              std::abs(to.fy * p.y()) < 0.25f * kGuard * p.z();
    }
    if (behind == 3 || !finite) continue;
    if (whole) {
      add_triangle(scene, corner, to, static_cast<int>(f), -1, options.cull_back_faces);
    } else {
      add_clipped(scene, corner, to, static_cast<int>(f), options);
    }
  }
  return scene;
}

// Calls emit(x, y, inverse depth, weight 0, weight 1) for the samples of a triangle in rows [row0, row1); the weights
// are perspective-correct and belong to the original face.
template <typename Emit>
inline void scan(const Scene& scene, const Setup& s, int row0, int row1, const Emit& emit) {
  const int y0 = std::max(s.y0, row0);
  const int y1 = std::min(s.y1, row1 - 1);
  std::array<std::int64_t, 3> row, step_x, step_y, bias;
  for (int k = 0; k < 3; ++k) {
    const int a = (k + 1) % 3;  // edge k lies opposite vertex k, from a to b
    const int b = (k + 2) % 3;
    const std::int64_t dx = s.x[b] - s.x[a];
    const std::int64_t dy = s.y[b] - s.y[a];
    const std::int64_t px = std::int64_t{s.x0} * kSubSample + kSubSample / 2;
    const std::int64_t py = std::int64_t{y0} * kSubSample + kSubSample / 2;
    row[k] = dx * (py - s.y[a]) - dy * (px - s.x[a]);
    step_x[k] = -dy * kSubSample;
    step_y[k] = dx * kSubSample;
    bias[k] = (dy < 0 || (dy == 0 && dx > 0)) ? 0 : -1;  // samples on a left or top edge belong to the triangle
  }
  for (int y = y0; y <= y1; ++y) {
    std::int64_t e0 = row[0], e1 = row[1], e2 = row[2];
    bool entered = false;
    for (int x = s.x0; x <= s.x1; ++x, e0 += step_x[0], e1 += step_x[1], e2 += step_x[2]) {
      if (((e0 + bias[0]) | (e1 + bias[1]) | (e2 + bias[2])) < 0) {
        if (entered) break;
        continue;
      }
      entered = true;
      const float p0 = static_cast<float>(e0) * s.inverse_area * s.inverse_depth[0];
      const float p1 = static_cast<float>(e1) * s.inverse_area * s.inverse_depth[1];
      const float p2 = static_cast<float>(e2) * s.inverse_area * s.inverse_depth[2];
      const float inverse_depth = p0 + p1 + p2;
      const float depth = 1 / inverse_depth;
      float w0 = p0 * depth;
      float w1 = (s.swapped ? p2 : p1) * depth;
      if (s.clipped >= 0) {
        const auto& corner = scene.clipped[s.clipped];
        const Vec3 w = w0 * corner[0] + w1 * corner[1] + (1 - w0 - w1) * corner[2];
        w0 = w[0];
        w1 = w[1];
      }
      emit(x, y, depth, w0, w1);
    }
    for (int k = 0; k < 3; ++k) row[k] += step_y[k];
  }
}

}  // namespace

void rasterise(std::span<const Vec3> positions, std::span<const Index3> faces, const Camera& camera,
               const RasterOptions& options, RasterBuffer& out) {
  const Scene scene = make_scene(positions, faces, camera, options);
  out.width = scene.width;
  out.height = scene.height;
  out.supersample = options.supersample;
  const std::size_t samples = static_cast<std::size_t>(scene.width) * scene.height;
  out.depth.resize(samples);
  out.face.resize(samples);
  out.barycentric.resize(options.barycentrics ? samples : 0);
  parallel_for(static_cast<std::int64_t>(scene.bands.size()), 1, [&](std::int64_t band) {
    const int row0 = static_cast<int>(band) * kBandRows;
    const int row1 = std::min(row0 + kBandRows, scene.height);
    const auto begin = static_cast<std::ptrdiff_t>(out.index(0, row0));
    const auto end = static_cast<std::ptrdiff_t>(out.index(0, row1));
    std::fill(out.depth.begin() + begin, out.depth.begin() + end, std::numeric_limits<float>::infinity());
    std::fill(out.face.begin() + begin, out.face.begin() + end, -1);
    for (const int index : scene.bands[band]) {
      const Setup& s = scene.setups[index];
      scan(scene, s, row0, row1, [&](int x, int y, float depth, float w0, float w1) {
        const std::size_t i = out.index(x, y);
        if (depth >= out.depth[i]) return;
        out.depth[i] = depth;
        out.face[i] = s.face;
        if (options.barycentrics) out.barycentric[i] = Vec2(w0, w1);
      });
    }
  });
}

void rasterise_layers(std::span<const Vec3> positions, std::span<const Index3> faces, const Camera& camera,
                      const RasterOptions& options, const RasterBuffer& occluder, int max_layers,
                      const FragmentAlpha& alpha, const FragmentSink& sink) {
  const Scene scene = make_scene(positions, faces, camera, options);
  if (occluder.width != scene.width || occluder.height != scene.height || max_layers < 1) {
    throw Error(ErrorCode::kBadArgument,
                fmt::format("layers: occluder of {}x{} samples for {}x{}, {} layers", occluder.width, occluder.height,
                            scene.width, scene.height, max_layers),
                "draw the occluder with the same camera and supersample");
  }
  constexpr float kOpaque = 0.99f;
  parallel_for(static_cast<std::int64_t>(scene.bands.size()), 1, [&](std::int64_t band) {
    if (scene.bands[band].empty()) return;
    struct Link {
      Fragment fragment;
      int next;
    };
    const int row0 = static_cast<int>(band) * kBandRows;
    const int row1 = std::min(row0 + kBandRows, scene.height);
    const std::size_t base = occluder.index(0, row0);
    std::vector<int> head(occluder.index(0, row1) - base, -1);
    std::vector<float> wall(occluder.depth.begin() + static_cast<std::ptrdiff_t>(base),
                            occluder.depth.begin() + static_cast<std::ptrdiff_t>(occluder.index(0, row1)));
    std::vector<Link> links;
    for (const int index : scene.bands[band]) {
      const Setup& s = scene.setups[index];
      scan(scene, s, row0, row1, [&](int x, int y, float depth, float w0, float w1) {
        const std::size_t i = occluder.index(x, y) - base;
        if (depth >= wall[i]) return;
        const float a = alpha(s.face, w0, w1);
        if (a <= 0) return;
        if (a >= kOpaque) wall[i] = depth;
        links.push_back({{depth, s.face, w0, w1, a}, head[i]});
        head[i] = static_cast<int>(links.size()) - 1;
      });
    }
    std::vector<Fragment> sorted;
    for (std::size_t i = 0; i < head.size(); ++i) {
      sorted.clear();
      for (int at = head[i]; at >= 0; at = links[at].next) {
        if (links[at].fragment.depth <= wall[i]) sorted.push_back(links[at].fragment);
      }
      if (sorted.empty()) continue;
      std::sort(sorted.begin(), sorted.end(), [](const Fragment& a, const Fragment& b) {
        return a.depth != b.depth ? a.depth < b.depth : a.face < b.face;
      });
      if (static_cast<int>(sorted.size()) > max_layers) sorted.resize(max_layers);
      sink(static_cast<int>((base + i) % scene.width), static_cast<int>((base + i) / scene.width), sorted);
    }
  });
}

}  // namespace mien
