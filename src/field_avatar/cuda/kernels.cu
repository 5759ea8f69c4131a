#include "field_avatar/cuda/kernels.h"
#include "field_avatar/sh16.h"

namespace mien::field_cuda {
namespace {

constexpr int kThreads = 128;
constexpr float kDensity = 10;         // kFieldDensity
constexpr float kMostLogDensity = 12;  // as on the CPU
constexpr int kFeatures = 16, kLatentAt = 32;

inline int blocks_for(std::int64_t count) {
  return static_cast<int>((count + kThreads - 1) / kThreads);
}

__device__ inline std::int64_t index() {
  return static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
}

// One block a moment, level by level from the leaves up.
__global__ void fit_trees_kernel(const __grid_constant__ Head head, const __grid_constant__ Moments moments) {
  const int slot = blockIdx.x;
  tree::Node* nodes = moments.nodes + static_cast<std::int64_t>(slot) * head.node_count;
  for (int n = threadIdx.x; n < head.node_count; n += blockDim.x) nodes[n] = head.topology[n];
  const tree::View view = tree_of(head, moments, slot);
  for (int level = 0; level < head.levels; ++level) {
    __syncthreads();
    for (int i = head.level_begin[level] + threadIdx.x; i < head.level_begin[level + 1]; i += blockDim.x)
      tree::fit_box(view, nodes, head.level[i]);
  }
}

__global__ void __launch_bounds__(kThreads)
    turn_kernel(const __grid_constant__ Head head, const __grid_constant__ Moments moments) {
  const std::int64_t i = index();
  const int slot = blockIdx.y;
  if (i >= head.rest.vertices) return;
  float turn[9];
  carry::turn_of(head.rest, moments.moments[slot].posed, static_cast<int>(i), turn);
  float* out = moments.turns + (static_cast<std::int64_t>(slot) * head.rest.vertices + i) * 9;
  for (int k = 0; k < 9; ++k) out[k] = turn[k];
}

__global__ void __launch_bounds__(kThreads)
    seed_kernel(const __grid_constant__ Head head, const __grid_constant__ Moments moments) {
  const std::int64_t f = index();
  const int slot = blockIdx.y;
  if (f >= head.faces || moments.reach[f] <= 0) return;
  const Moment& moment = moments.moments[slot];
  float low[3], high[3];
  int from[3], to[3];
  field_rays::box_of(head.rest, moment.posed, static_cast<int>(f), 0, low, high);
  if (!field_rays::cells_of(moment.cube, kCells, low, high, from, to)) return;
  const int steps = field_rays::steps_of(moment.cube, kCells, moments.reach[f]);
  int* cells = moments.cells + static_cast<std::int64_t>(slot) * kCells * kCells * kCells;
  for (int z = from[2]; z <= to[2]; ++z)
    for (int y = from[1]; y <= to[1]; ++y)
      for (int x = from[0]; x <= to[0]; ++x) atomicMax(cells + x + kCells * (y + kCells * z), steps);
}

// Lines along one axis.
__global__ void __launch_bounds__(kThreads) pass_kernel(const __grid_constant__ Moments moments, int axis) {
  const std::int64_t i = index();
  if (i >= kCells * kCells) return;
  const int a = static_cast<int>(i % kCells), b = static_cast<int>(i / kCells);
  int* cells = moments.cells + static_cast<std::int64_t>(blockIdx.y) * kCells * kCells * kCells;
  if (axis == 0) field_rays::pass_on(cells + kCells * (a + kCells * b), kCells, 1);
  if (axis == 1) field_rays::pass_on(cells + a + kCells * kCells * b, kCells, kCells);
  if (axis == 2) field_rays::pass_on(cells + a + kCells * b, kCells, kCells * kCells);
}

__global__ void __launch_bounds__(kThreads) bits_kernel(const __grid_constant__ Moments moments) {
  const int side = moments.blocks * kCells;
  const std::int64_t word = index(), all = static_cast<std::int64_t>(side) * side * side;
  if (word * 32 >= all) return;
  std::uint32_t bits = 0;
  for (int b = 0; b < 32; ++b) {
    const std::int64_t cell = word * 32 + b;
    if (cell >= all) break;
    const int x = static_cast<int>(cell % side), y = static_cast<int>(cell / side % side),
              z = static_cast<int>(cell / side / side);
    const int slot = x / kCells + moments.blocks * (y / kCells + moments.blocks * (z / kCells));
    if (slot >= moments.count) continue;
    const int* cells = moments.cells + static_cast<std::int64_t>(slot) * kCells * kCells * kCells;
    if (cells[x % kCells + kCells * (y % kCells + kCells * (z % kCells))] > 0) bits |= 1u << b;
  }
  moments.bits[word] = bits;
}

__global__ void __launch_bounds__(kThreads)
    aim_kernel(const __grid_constant__ Head head, const __grid_constant__ Moments moments,
               const __grid_constant__ Rays rays) {
  const std::int64_t r = index();
  if (r >= rays.count) return;
  const int slot = static_cast<int>(r / rays.rays_each);
  const Moment& moment = moments.moments[slot];
  const std::int64_t pixel = rays.pixels == nullptr ? rays.first_pixel + r : rays.pixels[r];
  const float seen[3] = {(static_cast<float>(pixel % moment.width) + 0.5f - moment.cx) / moment.fx,
                         (static_cast<float>(pixel / moment.width) + 0.5f - moment.cy) / moment.fy, 1};
  float d[3];
  for (int k = 0; k < 3; ++k) d[k] = tree::dot(moment.to_world + 3 * k, seen);
  const float scale = 1 / sqrtf(tree::dot(d, d));
  for (int k = 0; k < 3; ++k) d[k] *= scale;
  const tree::RayHit hit = tree::first_hit(tree_of(head, moments, slot), moment.origin, d, 1000);
  float span[2], cube[3];
  field_rays::span_of(moment.low, moment.high, moment.origin, d, hit.t, span);
  field_rays::into_cube(moment.cube, moment.origin, cube);
  const int block[3] = {slot % moments.blocks, slot / moments.blocks % moments.blocks,
                        slot / moments.blocks / moments.blocks};
  const float blocks = static_cast<float>(moments.blocks);
  for (int k = 0; k < 3; ++k) {
    rays.origins[3 * r + k] = (cube[k] + static_cast<float>(block[k])) / blocks;
    rays.directions[3 * r + k] = d[k] / (moment.cube.side * blocks);
    rays.world[3 * r + k] = d[k];
  }
  rays.spans[2 * r] = span[0];
  rays.spans[2 * r + 1] = span[1];
  rays.surface[r] = hit.t;
  rays.bare[r] = hit.face >= 0 ? head.bare[hit.face] : 0;
}

__global__ void __launch_bounds__(kThreads)
    place_kernel(const __grid_constant__ Head head, const __grid_constant__ Moments moments,
                 const __grid_constant__ Rays rays, const __grid_constant__ Packed packed, const std::uint32_t* first,
                 const __grid_constant__ Search search, Found* found, std::uint8_t* keep) {
  const std::int64_t i = index();
  if (i >= packed.capacity || i >= *packed.total) return;
  const std::uint32_t r = packed.ray[i];
  const int slot = static_cast<int>(r / rays.rays_each);
  const Moment& moment = moments.moments[slot];
  const float* d = rays.world + 3 * static_cast<std::int64_t>(r);
  float p[3], point[3];
  for (int k = 0; k < 3; ++k) p[k] = moment.origin[k] + packed.t[i] * d[k];
  const float* turns = moments.turns + static_cast<std::int64_t>(slot) * head.rest.vertices * 9;
  const carry::Place place = carry::place_of(head.rest, tree_of(head, moments, slot), turns, p, search.limit);
  const float dice =
      search.explore > 0 ? field_uniform(search.seed + 1, r, static_cast<std::uint32_t>(i) - first[r]) : 1.0f;
  const bool kept =
      field_rays::keeps(place, moments.reach, search.canonical, search.occupied, search.explore, dice, point);
  keep[i] = kept ? 1 : 0;
  if (!kept) return;
  Found& out = found[i];
  out.face = place.face;
  out.weight[0] = place.weight[0];
  out.weight[1] = place.weight[1];
  out.distance = place.distance;
  for (int k = 0; k < 3; ++k) out.point[k] = point[k];
  carry::turn_direction(place.turn, d, out.direction);
}

__global__ void __launch_bounds__(kThreads)
    gather_kernel(const __grid_constant__ Head head, const __grid_constant__ Moments moments,
                  const __grid_constant__ Rays rays, const __grid_constant__ Packed kept, const std::uint32_t* from,
                  const Found* found, const float* latents, bool vertex_rows, int occupancy,
                  const __grid_constant__ Seen seen) {
  const std::int64_t i = index();
  if (i >= kept.capacity) return;
  if (i >= *kept.total) {
    if (seen.cell != nullptr) seen.cell[i] = 0;
    return;
  }
  const Found place = found[from[i]];
  const int slot = static_cast<int>(kept.ray[i] / rays.rays_each);
  const float weight[3] = {place.weight[0], place.weight[1], 1 - place.weight[0] - place.weight[1]};
  float* row = seen.seen + kSeenWidth * i;
  direction_features(place.direction, row + kFeatures);
  float z[16] = {};
  for (int c = 0; c < 3; ++c) {
    const int at = moments.moments[slot].first_row + (vertex_rows ? head.rest.faces[3 * place.face + c] : 0);
    seen.row[3 * i + c] = at;
    seen.weight[3 * i + c] = weight[c];
    if (latents == nullptr) continue;
    for (int k = 0; k < 16; ++k) z[k] += weight[c] * latents[16 * static_cast<std::int64_t>(at) + k];
  }
  for (int k = 0; k < 16; ++k) row[kLatentAt + k] = z[k];
  for (int k = 0; k < 3; ++k) seen.points[3 * i + k] = place.point[k];
  seen.group[i] = slot;
  if (seen.cell != nullptr)
    seen.cell[i] =
        static_cast<std::uint32_t>(occupancy_cell(occupancy, place.point[0], place.point[1], place.point[2]));
}

__global__ void __launch_bounds__(kThreads)
    density_kernel(const __grid_constant__ Packed kept, float* seen, const float* offset, float* density) {
  const std::int64_t i = index();
  if (i >= kept.capacity) return;
  if (i >= *kept.total) {
    density[i] = 0;
    return;
  }
  float* row = seen + kSeenWidth * i;
  if (offset != nullptr) {
    for (int k = 0; k < kFeatures; ++k) row[k] += offset[kFeatures * i + k];
  }
  density[i] = kDensity * expf(fminf(fmaxf(row[0], -kMostLogDensity), kMostLogDensity));
}

__global__ void __launch_bounds__(kThreads) logistic_kernel(const __grid_constant__ Packed kept, float* raw) {
  const std::int64_t i = index();
  if (i >= 3 * kept.capacity || i >= 3 * static_cast<std::int64_t>(*kept.total)) return;
  raw[i] = 1 / (1 + expf(-raw[i]));
}

__global__ void __launch_bounds__(kThreads)
    begin_colour_kernel(const __grid_constant__ Packed kept, const float* colour, float* d_colour) {
  const std::int64_t i = index();
  if (i >= 3 * kept.capacity || i >= 3 * static_cast<std::int64_t>(*kept.total)) return;
  d_colour[i] *= colour[i] * (1 - colour[i]);
}

__global__ void __launch_bounds__(kThreads)
    begin_density_kernel(const __grid_constant__ Packed kept, const float* seen, const float* density,
                         const float* d_density, const float* d_seen, float* d_features) {
  const std::int64_t at = index(), i = at / kFeatures;
  if (i >= kept.capacity || i >= *kept.total) return;
  const int k = static_cast<int>(at % kFeatures);
  float d = d_seen[kSeenWidth * i + k];
  if (k == 0 && fabsf(seen[kSeenWidth * i]) < kMostLogDensity) d += d_density[i] * density[i];
  d_features[at] = d;
}

__global__ void __launch_bounds__(kThreads)
    scatter_kernel(const __grid_constant__ Packed kept, const __grid_constant__ Seen seen, const float* d_seen,
                   const float* d_offset, unsigned long long* d_latents) {
  const std::int64_t at = index(), i = at / kFeatures;
  if (i >= kept.capacity || i >= *kept.total) return;
  const int k = static_cast<int>(at % kFeatures);
  float d = d_seen[kSeenWidth * i + kLatentAt + k];
  if (d_offset != nullptr) d += d_offset[at];
  for (int c = 0; c < 3; ++c) {
    const long long units = llrint(static_cast<double>(seen.weight[3 * i + c] * d) / kLatentUnit);
    if (units != 0)
      atomicAdd(d_latents + 16 * static_cast<std::int64_t>(seen.row[3 * i + c]) + k,
                static_cast<unsigned long long>(units));
  }
}

}  // namespace

void prepare_moments(const Head& head, const Moments& moments, cudaStream_t stream) {
  const auto slots = static_cast<unsigned>(moments.count);
  fit_trees_kernel<<<slots, 1024, 0, stream>>>(head, moments);
  turn_kernel<<<dim3(static_cast<unsigned>(blocks_for(head.rest.vertices)), slots), kThreads, 0, stream>>>(head,
                                                                                                           moments);
  const std::int64_t cells = std::int64_t{kCells} * kCells * kCells;
  cudaMemsetAsync(moments.cells, 0, static_cast<std::size_t>(cells * moments.count) * sizeof(int), stream);
  seed_kernel<<<dim3(static_cast<unsigned>(blocks_for(head.faces)), slots), kThreads, 0, stream>>>(head, moments);
  for (int axis = 0; axis < 3; ++axis)
    pass_kernel<<<dim3(static_cast<unsigned>(blocks_for(kCells * kCells)), slots), kThreads, 0, stream>>>(moments,
                                                                                                          axis);
  const std::int64_t side = std::int64_t{moments.blocks} * kCells;
  bits_kernel<<<blocks_for((side * side * side + 31) / 32), kThreads, 0, stream>>>(moments);
}

void aim_rays(const Head& head, const Moments& moments, const Rays& rays, cudaStream_t stream) {
  if (rays.count > 0) aim_kernel<<<blocks_for(rays.count), kThreads, 0, stream>>>(head, moments, rays);
}

void place_samples(const Head& head, const Moments& moments, const Rays& rays, const Packed& packed,
                   const std::uint32_t* first, const Search& search, Found* found, std::uint8_t* keep,
                   cudaStream_t stream) {
  place_kernel<<<blocks_for(packed.capacity), kThreads, 0, stream>>>(head, moments, rays, packed, first, search, found,
                                                                     keep);
}

void gather_samples(const Head& head, const Moments& moments, const Rays& rays, const Packed& kept,
                    const std::uint32_t* from, const Found* found, const float* latents, bool vertex_rows,
                    int occupancy, const Seen& seen, cudaStream_t stream) {
  gather_kernel<<<blocks_for(kept.capacity), kThreads, 0, stream>>>(head, moments, rays, kept, from, found, latents,
                                                                    vertex_rows, occupancy, seen);
}

void finish_density(const Packed& kept, float* seen, const float* offset, float* density, cudaStream_t stream) {
  density_kernel<<<blocks_for(kept.capacity), kThreads, 0, stream>>>(kept, seen, offset, density);
}

void finish_colour(const Packed& kept, float* raw, cudaStream_t stream) {
  logistic_kernel<<<blocks_for(3 * kept.capacity), kThreads, 0, stream>>>(kept, raw);
}

void begin_colour(const Packed& kept, const float* colour, float* d_colour, cudaStream_t stream) {
  begin_colour_kernel<<<blocks_for(3 * kept.capacity), kThreads, 0, stream>>>(kept, colour, d_colour);
}

void begin_density(const Packed& kept, const float* seen, const float* density, const float* d_density,
                   const float* d_seen, float* d_features, cudaStream_t stream) {
  begin_density_kernel<<<blocks_for(kFeatures * kept.capacity), kThreads, 0, stream>>>(kept, seen, density, d_density,
                                                                                       d_seen, d_features);
}

void scatter_latents(const Packed& kept, const Seen& seen, const float* d_seen, const float* d_offset,
                     unsigned long long* d_latents, cudaStream_t stream) {
  scatter_kernel<<<blocks_for(kFeatures * kept.capacity), kThreads, 0, stream>>>(kept, seen, d_seen, d_offset,
                                                                                 d_latents);
}

}  // namespace mien::field_cuda
