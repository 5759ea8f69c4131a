// Device memory and kernels of the mesh rasteriser.
//
// A sample's key is its depth's bits above the face's index, so that one atomic minimum finds the nearest face and, at
// equal depth, the lower index, in whatever order faces arrive. Weights are worked out afterwards, once a sample.
#pragma once

#include <driver_types.h>

#include <cstdint>

#include "geometry/triangle.h"

namespace mien::raster {

constexpr std::uint64_t kNothing = ~std::uint64_t{0};
constexpr int kLargeSide = 64;  // samples; triangles that span more are drawn by many blocks

struct Pieces {
  int first, count;  // into Draw::pieces
};

struct Draw {
  Screen screen;
  float world_to_camera[12];  // rows of 4
  int faces;
  const std::int32_t* face;  // [F,3]
  const float* positions;    // [V,3]
  Triangle* triangles;       // [F] whole faces; x1 < x0 where nothing is to draw
  Pieces* clipped;           // [F] pieces of clipped faces
  Triangle* pieces;          // [6 F]
  Point* weights;            // [6 F,3]
  int* large;                // [7 F] triangles, then pieces, that many blocks draw; pieces counted from F on
  int* piece_face;           // [6 F]
  int* counts;               // pieces, large
  std::uint64_t* keys;       // [samples]
  float* depth;              // [samples]
  std::int32_t* out_face;    // [samples]
  float* barycentric;        // [samples,2] or nullptr
};

void draw(const Draw& draw, cudaStream_t stream);

}  // namespace mien::raster
