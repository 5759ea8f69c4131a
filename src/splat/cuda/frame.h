// What the CUDA kernels share: the layout of the working memory, and the calls that enqueue each stage. Included by
// kernels and by the C++ that owns the memory; needs only the runtime's types.
//
// The picture is cut into tiles of 16x16 pixels. Each Gaussian is paired with the tiles that its ellipse touches
// (project; those with many tiles by a warp each, pair_large), each tile gets a segment of the lists (allocate), the
// lists are filled (scatter) and sorted near to far (sort), and a tile is composited by eight warps, a pixel a lane
// (composite). For the way back, composite leaves every pixel's state before each batch of 32 list entries, so that all
// batches of all tiles can be worked on at once (composite_backward). A batch writes its sums for a Gaussian into the
// row of their pair, which nobody else writes: no atomics, and the same bits every time. gather_large and
// project_backward add up each Gaussian's rows.
#pragma once

#include <driver_types.h>
#include <vector_types.h>

#include <cstdint>

#include "splat/kernels.h"

namespace mien::splat::cuda {

constexpr int kSide = 16;                 // pixels a side of a tile
constexpr int kPixels = kSide * kSide;    // of a tile; in the order of composite()'s threads: see pixel_of()
constexpr int kTileWarps = kPixels / 32;  // each 8x4 pixels
constexpr int kBatch = 32;                // list entries between two records of the pixels' state
constexpr int kSmallTiles = 9;            // Gaussians whose box has more tiles are large: see pair_large()
constexpr int kRowFloats = 12;            // sums of one pair: the 9 of TileBackward, and padding
constexpr int kSortSpan = 2048;           // list entries sorted in shared memory at once
constexpr std::uint32_t kNone = 0xffffffffu;

// Counters of one frame.
struct Status {
  unsigned long long rows;     // pairs of Gaussian and tile, wanted; more than the capacity is an overflow
  unsigned long long entries;  // list entries: fewer, since large Gaussians have pairs with all tiles of their box
  std::uint32_t states;        // batches whose starting state is kept
  std::uint32_t batches;       // batches for the way back
  std::uint32_t visible;       // Gaussians in the picture
  std::uint32_t large;         // of these, large ones
};

// A sector of memory each: their counters are busy, and neighbours' would get in each other's way.
struct alignas(32) Tile {
  std::uint32_t count;   // Gaussians
  std::uint32_t filled;  // of these, written to the list
  std::uint32_t begin;   // first list entry; kNone after an overflow
  std::uint32_t states;  // first kept state, that of batch 1
};

struct Box {
  std::uint16_t x0, x1, y0, y1;  // half-open, in tiles; empty for an invisible Gaussian
};

struct Batch {
  std::uint32_t tile, index;
};

struct Pair {
  std::uint32_t tile, id;  // tile kNone: in the box, but not touched
};

// Device memory. N Gaussians, T tiles, I = capacity.
struct Workspace {
  Status* status;          // [1], then the tiles: cleared together
  Tile* tiles;             // [T]
  float4* records;         // [N][3]: u v xx xy, yy log_opacity slope_x slope_y, red green blue depth (see Record)
  Box* boxes;              // [N]
  std::uint16_t* masks;    // [N] touched tiles of the box, row by row; of small Gaussians
  std::uint32_t* rows;     // [N] first pair of each Gaussian
  std::uint32_t* large;    // [N] the large Gaussians, in any order
  Pair* pairs;             // [I]
  std::uint64_t* keys;     // [I] depth and Gaussian
  std::uint64_t* spare;    // [I] for merging long lists
  std::uint32_t* ids;      // [I] Gaussians, near to far
  std::uint32_t capacity;  // I
  int multiprocessors;
  // For the way back, else nullptr:
  float4* finals;        // [T][256] red, green, blue with background, transmittance
  std::uint32_t* stops;  // [T][8] batches that each warp of a tile has drawn
  float4* kept;          // [I / 32][256] red, green, blue, transmittance before a batch; minus it where full
  Batch* batches;        // [I / 32 + T]
  std::uint8_t* drawn;   // [I] whether the row of the pair has been written
  float* sums;           // [I][kRowFloats]
  float* totals;         // [N][kRowFloats] of the large Gaussians; the tenth is 1 if any row was drawn
};

struct Frame {
  Cloud cloud;
  View view;  // tiles of kSide
  Workspace w;
};

struct Gradients {
  float *means, *quats, *scales, *opacities, *sh, *mean2d_norm;  // the last may be nullptr
  bool add;                                                      // else overwrite
};

// Each enqueues one kernel. cudaGetLastError() tells whether all could be.
void project(const Frame& frame, cudaStream_t stream);
void pair_large(const Frame& frame, cudaStream_t stream);
void allocate(const Frame& frame, cudaStream_t stream);
void scatter(const Frame& frame, cudaStream_t stream);
void sort(const Frame& frame, cudaStream_t stream);
void composite(const Frame& frame, float* rgb, float* alpha, cudaStream_t stream);
void composite_backward(const Frame& frame, const float* d_rgb, const float* d_alpha, cudaStream_t stream);
void gather_large(const Frame& frame, cudaStream_t stream);
void project_backward(const Frame& frame, const Gradients& gradients, cudaStream_t stream);

}  // namespace mien::splat::cuda
