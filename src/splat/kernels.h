// The inner loops of the rasteriser, written once (kernels.inl) and compiled for each instruction set. These headers
// use nothing of the standard library, so that no shared inline function is ever compiled for an instruction set that
// the machine at hand may lack.
#pragma once

#include <cstdint>

namespace mien::splat {

constexpr int kTileSize = 16;  // pixels a side
constexpr int kTilePixels = kTileSize * kTileSize;
constexpr int kPartial = 16;  // floats per Gaussian in the screen-space gradient: see TileBackward

// SplatInput without its header.
struct Cloud {
  int count;
  const float *means, *quats, *scales, *opacities, *sh, *deformation;
  int sh_degree;
};

// Camera and options, ready for use.
struct View {
  int width, height, tiles_x, tiles_y;
  float fx, fy, cx, cy;
  float rotation[9], translation[3], centre[3];  // world to camera; camera position
  float left, right, top, bottom;                // bounds of x/z and y/z in the Jacobian
  float near_plane, eps2d;
  float background[3];
};

// What compositing needs of a Gaussian. Opacity at offset d = (u - x, v - y) is 2^(log_opacity + xx dx^2 + xy dx dy +
// yy dy^2).
struct alignas(64) Record {
  float u, v;         // pixels
  float xx, xy, yy;   // conic times -log2(e)/2 (xy: -log2(e))
  float log_opacity;  // log2
  float red, green, blue;
  float slope_x, slope_y;  // of the ellipse: best dx for a fixed dy is slope_x dy, and the other way round
  float reach;             // log_opacity - log2(1/255): the quadratic may fall by this much
  float unused[4];
};

struct TileRange {
  std::uint16_t x0, x1, y0, y1;  // half-open, in tiles
};

struct SortItem {
  std::uint32_t key;  // bits of the depth: same order as the positive float
  std::uint32_t id;
};

struct ProjectJob {
  Cloud cloud;
  const View* view;
  int begin, end;     // Gaussians; `begin` is a multiple of 16
  Record* records;    // [count rounded up to 16]
  TileRange* ranges;  // same
  SortItem* visible;  // written from visible[0] on, in index order
};

struct TileForward {
  const View* view;
  const Record* records;
  const std::uint32_t* entries;  // Gaussians of this tile, near to far
  int count;
  int tile_x, tile_y;
  float* rgb;             // whole image
  float* alpha;           // whole image
  float* kept;            // [4][256] r, g, b, transmittance of this tile in block order, or nullptr
  std::uint64_t* blocks;  // [count] blocks that each entry drew on, or nullptr
};

struct TileForwardResult {
  int used;              // entries looked at before every pixel was full
  std::uint32_t visits;  // (entry, block) pairs composited: the measure of work
};

// Partial gradients of one Gaussian: sums over pixels of e, e dx, e dy, e dx^2, e dx dy, e dy^2 (e = alpha dL/dalpha),
// then of the three colours.
struct TileBackward {
  const View* view;
  const Record* records;
  const std::uint32_t* entries;
  int used;
  int tile_x, tile_y;
  const float* d_rgb;
  const float* d_alpha;  // or nullptr
  const float* kept;
  const std::uint64_t* blocks;
  float* partials;  // [count][kPartial], added to
};

struct ProjectBackwardJob {
  Cloud cloud;
  const View* view;
  int begin, end;
  const float* const* partials;  // [partial_count][count][kPartial]: one array per thread
  int partial_count;
  const Record* records;
  float *d_means, *d_quats, *d_scales, *d_opacities, *d_sh, *d_mean2d_norm;  // the last may be nullptr
};

struct Kernels {
  const char* name;
  int (*project)(const ProjectJob&);  // returns the number visible
  TileForwardResult (*forward)(const TileForward&);
  void (*backward)(const TileBackward&);
  void (*project_backward)(const ProjectBackwardJob&);
};

const Kernels& kernels_plain();
const Kernels& kernels_avx2();    // only callable on processors with AVX2 and FMA
const Kernels& kernels_avx512();  // only callable on processors with AVX-512 F, DQ, BW and VL

}  // namespace mien::splat
