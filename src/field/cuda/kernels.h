// What the radiance field's CUDA kernels need, and the calls that enqueue them. Included by kernels and by the C++ that
// owns the memory; needs only the runtime's types. cudaGetLastError() tells whether all could be enqueued.
#pragma once

#include <driver_types.h>

#include <cstdint>

#include "field/march.h"
#include "mien/field/occupancy_view.h"

namespace mien::field::cuda {

// At most `bound`, fewer if the device says so.
struct Count {
  std::int64_t bound;
  const std::uint32_t* actual;
};
#if defined(__CUDACC__)
__device__ inline std::int64_t items(const Count& count) {
  if (count.actual == nullptr) return count.bound;
  const std::int64_t n = *count.actual;
  return n < count.bound ? n : count.bound;
}
#endif

inline int blocks_for(std::int64_t count, int block) {
  return static_cast<int>((count + block - 1) / block);
}

// The largest magnitude in rows of values, as the bits of a float, joined to what is in *bits. Not a number counts as
// more than all numbers.
void find_largest(const float* values, int row, std::int64_t stride, const Count& count, std::uint32_t* bits,
                  cudaStream_t stream);

// --- Hash grid.
constexpr int kMostLevels = 32;
struct GridLevel {
  int resolution;
  bool hashed;
  std::uint32_t entries;
  std::int64_t first;
};
struct Grid {
  int levels, features;
  GridLevel level[kMostLevels];
};
struct GridJob {
  Grid grid;
  Count count;
  const float* table;
  const float* points;
  std::int64_t stride;           // of out and d_out
  float* out;                    // encode
  const float* d_out;            // the others
  float* d_table;                // table gradients by floating-point atomics, or
  long long* sums;               // as whole numbers of
  const std::uint32_t* largest;  // a step that follows from the largest of d_out
  float* d_points;
};
void encode(const GridJob& job, cudaStream_t stream);
void table_gradients(const GridJob& job, cudaStream_t stream);
void point_gradients(const GridJob& job, cudaStream_t stream);
// d_table += sums, for all parameters; the sums become 0.
void add_sums(long long* sums, const std::uint32_t* largest, std::int64_t parameters, float* d_table,
              cudaStream_t stream);

// --- Networks.
constexpr int kWidth = 64;
constexpr int kTile = 128;  // samples that a block takes at once on the way back
struct NetworkShape {
  int inputs, shared, outputs, hidden;
  bool bias;
};
struct NetworkJob {
  NetworkShape shape;
  Count count;
  const float* weights;
  const float* x;
  std::int64_t x_stride;
  const float* shared;  // [groups, shared]
  int groups;
  const std::int32_t* group;  // or nullptr
  float* group_bias;          // [groups, kWidth] scratch; nullptr: the first layer has no bias of any kind
  float* y;                   // forward
  std::int64_t y_stride;      // of y and d_y
  // Back:
  const float* d_y;
  float loss_scale;              // 0: from `largest`
  const std::uint32_t* largest;  // of d_y
  float* d_x;                    // or nullptr
  std::int64_t d_x_stride;
  float* partial;         // scratch [blocks, network_partials()]
  long long* group_sums;  // scratch [groups, kWidth], zeros; nullptr: the first layer has no bias of any kind
  float* d_weights;       // or nullptr
  float* d_shared;        // or nullptr
  int blocks;             // of the kernel, 128 samples each at a time
};
// Floats of one block's gradients.
int network_partials(const NetworkShape& shape);
// How many blocks the device holds at once; 0 if it cannot hold one (cudaGetLastError() may say why).
int network_blocks(const NetworkShape& shape, bool back);
void group_biases(const NetworkJob& job, cudaStream_t stream);
void network_forward(const NetworkJob& job, cudaStream_t stream);
void network_backward(const NetworkJob& job, cudaStream_t stream);
void sum_network(const NetworkJob& job, cudaStream_t stream);

// --- Samples.
struct Lists {
  std::int64_t rays, capacity;
  std::uint32_t *first, *count;
  float *t, *dt;
  std::uint32_t *ray, *from;
  std::uint32_t* total;   // [2]
  std::uint32_t* blocks;  // scratch [blocks of rays]
};
constexpr int kRayBlock = 128;
struct MarchJob {
  OccupancyView view;
  const float *origins, *directions, *spans;
  March march;
  std::uint32_t seed;  // hashed
  Lists lists;
};
void march(const MarchJob& job, cudaStream_t stream);
struct CompactJob {
  Lists in;
  const std::uint8_t* keep;
  Lists lists;
};
void compact(const CompactJob& job, cudaStream_t stream);

// --- Occupancy.
struct OccupancyJob {
  int resolution;
  float decay, threshold;
  float* density;
  std::uint32_t* bits;
  std::uint32_t* blocks;  // of cells
  double* partial;        // scratch [kMeanBlocks]
};
constexpr int kMeanBlocks = 256;
void sample_cells(const OccupancyView& view, std::int64_t count, std::uint32_t seed, std::uint32_t* cell, float* points,
                  cudaStream_t stream);
void update_occupancy(const OccupancyJob& job, std::int64_t count, const std::uint32_t* cell, const float* density,
                      cudaStream_t stream);

// --- Volume rendering.
struct CompositeJob {
  std::int64_t rays;
  const std::uint32_t *first, *count;
  const float *t, *dt, *density, *colour;
  float *rgb, *depth, *opacity, *weights;                // weights may be nullptr
  const float *d_rgb, *d_depth, *d_opacity, *d_weights;  // the last three may be nullptr
  float *d_density, *d_colour;
};
void composite(const CompositeJob& job, cudaStream_t stream);
void composite_back(const CompositeJob& job, cudaStream_t stream);

}  // namespace mien::field::cuda
