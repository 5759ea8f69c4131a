#include "mien/geometry/raster.h"

#include <algorithm>
#include <array>

#include "mien/base/error.h"
#include "mien/base/parallel.h"
#include "screen.h"

namespace mien {
namespace {

constexpr int kBandRows = 16;  // rows of samples a task

struct Setup {
  raster::Triangle triangle;
  std::int32_t face;
  int piece;  // index into the pieces' weights, -1 for whole triangles
};

struct Scene {
  raster::Screen screen = {};
  std::vector<Setup> setups;
  std::vector<std::array<raster::Point, 3>> pieces;
  std::vector<std::vector<int>> bands;
  int width = 0, height = 0;
};

void add_triangle(Scene& scene, const raster::Point& a, const raster::Point& b, const raster::Point& c,
                  std::int32_t face, int piece) {
  Setup s;
  if (!raster::set_up(s.triangle, a, b, c, scene.screen)) return;
  s.face = face;
  s.piece = piece;
  const int index = static_cast<int>(scene.setups.size());
  scene.setups.push_back(s);
  for (int band = s.triangle.y0 / kBandRows; band <= s.triangle.y1 / kBandRows; ++band)
    scene.bands[band].push_back(index);
}

void add_clipped(Scene& scene, const raster::Point (&corner)[3], std::int32_t face) {
  const raster::Polygon polygon = raster::clip_face(corner, scene.screen);
  for (int i = 2; i < polygon.count; ++i) {
    const raster::Corner &a = polygon.corners[0], &b = polygon.corners[i - 1], &c = polygon.corners[i];
    scene.pieces.push_back({a.weights, b.weights, c.weights});
    add_triangle(scene, a.position, b.position, c.position, face, static_cast<int>(scene.pieces.size()) - 1);
  }
}

Scene make_scene(std::span<const Vec3> positions, std::span<const Index3> faces, const Camera& camera,
                 const RasterOptions& options) {
  Scene scene;
  scene.screen = raster::make_screen(camera, options);
  scene.width = scene.screen.width;
  scene.height = scene.screen.height;
  scene.bands.resize((scene.height + kBandRows - 1) / kBandRows);
  std::vector<raster::Point> points(positions.size());
  parallel_for(static_cast<std::int64_t>(positions.size()), 4096, [&](std::int64_t i) {
    const Vec3 p = camera.to_camera(positions[i]);
    points[i] = {p.x(), p.y(), p.z()};
  });
  const auto count = static_cast<int>(positions.size());
  scene.setups.reserve(faces.size());
  for (std::size_t f = 0; f < faces.size(); ++f) {
    const Index3& face = faces[f];
    MIEN_CHECK(face.minCoeff() >= 0 && face.maxCoeff() < count, "face {}: {} {} {} of {} vertices", f, face[0], face[1],
               face[2], count);
    const raster::Point corner[3] = {points[face[0]], points[face[1]], points[face[2]]};
    const raster::Extent extent = raster::extent_of(corner, scene.screen);
    if (extent == raster::Extent::kWhole) {
      add_triangle(scene, corner[0], corner[1], corner[2], static_cast<int>(f), -1);
    } else if (extent == raster::Extent::kClipped) {
      add_clipped(scene, corner, static_cast<int>(f));
    }
  }
  return scene;
}

// Calls emit(x, y, depth, weight 0, weight 1) for the samples of a triangle in rows [row0, row1); the weights
// are perspective-correct and belong to the original face.
template <typename Emit>
inline void scan(const Scene& scene, const Setup& s, int row0, int row1, const Emit& emit) {
  const raster::Triangle& t = s.triangle;
  const int y0 = std::max(t.y0, row0), y1 = std::min(t.y1, row1 - 1);
  const raster::Point* piece = s.piece < 0 ? nullptr : scene.pieces[s.piece].data();
  raster::Edges row = raster::edges_at(t, t.x0, y0);
  for (int y = y0; y <= y1; ++y) {
    raster::Edges at = row;
    bool entered = false;
    for (int x = t.x0; x <= t.x1; ++x) {
      if (at.cover()) {
        entered = true;
        const raster::Surface seen = raster::surface_at(t, at.value, piece);
        emit(x, y, seen.depth, seen.w0, seen.w1);
      } else if (entered) {
        break;
      }
      for (int k = 0; k < 3; ++k) at.value[k] += at.step_x[k];
    }
    for (int k = 0; k < 3; ++k) row.value[k] += row.step_y[k];
  }
}

}  // namespace

namespace raster {

Screen make_screen(const Camera& camera, const RasterOptions& options) {
  const int ss = options.supersample;
  if (ss < 1 || ss > 8 || !(options.near_plane > 0) || camera.width < 1 || camera.height < 1 || camera.width > 16384 ||
      camera.height > 16384 || !(camera.fx > 0) || !(camera.fy > 0)) {
    throw Error(ErrorCode::kBadArgument,
                fmt::format("rasteriser: camera {}x{}, focal length {} {}, supersample {}, near plane {}", camera.width,
                            camera.height, camera.fx, camera.fy, ss, options.near_plane),
                "sizes must be 1..16384, focal lengths and near plane positive, supersample 1..8");
  }
  const auto scale = static_cast<float>(ss);
  return {camera.fx * scale, camera.fy * scale,  camera.cx * scale,  camera.cy * scale,
          camera.width * ss, camera.height * ss, options.near_plane, options.cull_back_faces};
}

}  // namespace raster

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
