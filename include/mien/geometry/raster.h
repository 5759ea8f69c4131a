// Triangle rasteriser on the CPU: depth, triangle and perspective-correct barycentric weights of every sample.
//
// Samples lie on a regular grid of `supersample` x `supersample` per pixel. Vertices are snapped to 1/256 sample and
// edges are tested in integers with the top-left rule, so triangles that share an edge leave no gap and cover no sample
// twice. Work is split into bands of rows over the thread pool; the result does not depend on the number of threads.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <vector>

#include "mien/geometry/camera.h"
#include "mien/geometry/types.h"

namespace mien {

struct RasterOptions {
  int supersample = 1;           // samples a pixel side, 1..8
  bool cull_back_faces = false;  // faces are front when counter-clockwise as seen by the camera
  bool barycentrics = true;      // false leaves RasterBuffer::barycentric empty (shadow maps)
  float near_plane = 0.01f;      // metres; nearer parts are clipped away; above 0
};

// What each sample sees. Row-major, [height, width] in samples.
struct RasterBuffer {
  int width = 0, height = 0;  // camera size times supersample
  int supersample = 1;
  std::vector<float> depth;        // camera z, metres; +infinity where nothing is
  std::vector<std::int32_t> face;  // index into faces; -1 where nothing is
  std::vector<Vec2> barycentric;   // weights of the face's vertices 0 and 1; that of vertex 2 is 1 minus both

  std::size_t index(int x, int y) const { return static_cast<std::size_t>(y) * width + x; }
  Vec3 weights(std::size_t i) const {
    return {barycentric[i].x(), barycentric[i].y(), 1 - barycentric[i].x() - barycentric[i].y()};
  }
};

// Draws `faces` over `positions` (world, metres) as `camera` sees them (lens distortion is not applied). At equal depth
// the face of lower index wins. `out` is resized and reused. Throws kBadArgument for an impossible camera or option;
// face indices outside `positions` are a kInternal error.
void rasterise(std::span<const Vec3> positions, std::span<const Index3> faces, const Camera& camera,
               const RasterOptions& options, RasterBuffer& out);

// One of several surfaces behind the same sample, for hair and other see-through cards.
struct Fragment {
  float depth;  // camera z, metres
  std::int32_t face;
  float b0, b1;  // barycentric weights of vertices 0 and 1
  float alpha;   // as the caller's alpha function gave it
};
// Opacity in [0,1] of a point of a face; 0 drops the fragment. Called from several threads.
using FragmentAlpha = std::function<float(int face, float b0, float b1)>;
// Receives the fragments of sample (x, y), nearest first, ending with the first whose alpha is at least 0.99. Called
// from several threads, once a sample.
using FragmentSink = std::function<void(int x, int y, std::span<const Fragment> fragments)>;

// Draws see-through faces: fragments nearer than `occluder` (which must have been drawn with the same camera and
// supersample) are sorted by depth and handed over sample by sample. At most `max_layers` nearest ones are kept.
void rasterise_layers(std::span<const Vec3> positions, std::span<const Index3> faces, const Camera& camera,
                      const RasterOptions& options, const RasterBuffer& occluder, int max_layers,
                      const FragmentAlpha& alpha, const FragmentSink& sink);

}  // namespace mien
