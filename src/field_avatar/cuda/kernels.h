// The kernels of a field avatar beside those of the room `field`: trees and turns of moving heads, rays and their
// samples, and what lies between the networks. They do what FieldMoment and FieldNetwork do on the CPU.
#pragma once

#include <driver_types.h>

#include <cstdint>

#include "field_avatar/march_plan.h"

namespace mien::field_cuda {

constexpr int kCells = 96;  // a side, of the cube of a moment
constexpr int kSeenWidth = 48;

// A head in a moment, seen by a camera.
struct Moment {
  const float* posed;  // [V,3]
  float origin[3];     // of the camera, world
  float to_world[9];   // of directions, row-major
  float fx, fy, cx, cy;
  int width, height;
  float low[3], high[3];  // box round all that is within reach
  field_rays::Cube cube;
  int first_row;  // of the appearance's latents
};

// Arrays of S moments, in device memory.
struct Moments {
  int count;              // S
  int blocks;             // a side of the atlas of their cubes: blocks^3 >= S
  const Moment* moments;  // [S]
  tree::Node* nodes;      // [S, nodes]
  float* turns;           // [S,V,9]
  int* cells;             // [S, kCells^3]
  std::uint32_t* bits;    // of the atlas
  const float* reach;     // [F]
};

// What never changes of the head.
struct Head {
  carry::Rest rest;
  int faces;
  const int* order;
  int node_count;
  const tree::Node* topology;  // [nodes] boxes to be filled in
  const int* level;            // nodes by level, the deepest first
  const int* level_begin;      // [levels + 1]
  int levels;
  const std::uint8_t* bare;  // [F]
};

__host__ __device__ inline tree::View tree_of(const Head& head, const Moments& moments, int slot) {
  return {moments.nodes + static_cast<std::int64_t>(slot) * head.node_count, head.order, moments.moments[slot].posed,
          head.rest.faces, head.node_count};
}

// Refits the trees, finds the vertices' turns, and marks the cells in which samples can be.
void prepare_moments(const Head& head, const Moments& moments, cudaStream_t stream);

// R rays, `rays_each` a moment.
struct Rays {
  std::int64_t count;
  int rays_each;
  const std::int64_t* pixels;  // [R] y * width + x; null: pixel first_pixel + r of the only moment
  std::int64_t first_pixel;
  float* origins;      // [R,3] in the atlas' cube, as march() wants them
  float* directions;   // [R,3]
  float* spans;        // [R,2]
  float* world;        // [R,3] unit directions
  float* surface;      // [R]
  std::uint8_t* bare;  // [R]
};
void aim_rays(const Head& head, const Moments& moments, const Rays& rays, cudaStream_t stream);

struct Found {
  int face;
  float weight[2];  // of the first two vertices
  float point[3];   // in the canonical cube
  float direction[3];
  float distance;
};

// Packed samples: at most `capacity`, *total of them.
struct Packed {
  std::int64_t capacity;
  const std::uint32_t* total;
  const float* t;
  const std::uint32_t* ray;
};
struct Search {
  field_rays::Cube canonical;
  OccupancyView occupied;
  float limit, explore;
  std::uint32_t seed;
};
// Finds each sample's place and whether to keep it.
void place_samples(const Head& head, const Moments& moments, const Rays& rays, const Packed& packed,
                   const std::uint32_t* first, const Search& search, Found* found, std::uint8_t* keep,
                   cudaStream_t stream);

// What the networks see of the kept samples.
struct Seen {
  float* points;        // [N,3]
  float* seen;          // [N,48]
  std::int32_t* row;    // [N,3]
  float* weight;        // [N,3]
  std::int32_t* group;  // [N]
  std::uint32_t* cell;  // [N] canonical; null: not wanted
};
// `latents`: [rows,16], null: none. `vertex_rows`: whether a vertex has a row of its own.
void gather_samples(const Head& head, const Moments& moments, const Rays& rays, const Packed& kept,
                    const std::uint32_t* from, const Found* found, const float* latents, bool vertex_rows,
                    int occupancy, const Seen& seen, cudaStream_t stream);

// features += offset (unless null), density from the first; 0 beyond the samples there are.
void finish_density(const Packed& kept, float* seen, const float* offset, float* density, cudaStream_t stream);
void finish_colour(const Packed& kept, float* raw, cudaStream_t stream);  // logistic, in place

// The other way round.
void begin_colour(const Packed& kept, const float* colour, float* d_colour, cudaStream_t stream);  // in place
void begin_density(const Packed& kept, const float* seen, const float* density, const float* d_density,
                   const float* d_seen, float* d_features, cudaStream_t stream);
// Adds to d_latents [rows,16], in units of kLatentUnit: whole numbers, whose sum does not depend on the order.
constexpr double kLatentUnit = 1.0 / (1ull << 40);
void scatter_latents(const Packed& kept, const Seen& seen, const float* d_seen, const float* d_offset,
                     unsigned long long* d_latents, cudaStream_t stream);

}  // namespace mien::field_cuda
