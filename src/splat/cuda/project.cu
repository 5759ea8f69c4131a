// Gaussians to the screen: record, colour, and the tiles that each one touches. A thread a Gaussian, but those with
// many tiles are left to pair_large(): they come in clusters, and a warp full of them would keep the others waiting.
#include "splat/cuda/boxes.cuh"
#include "splat/cuda/geometry.cuh"

namespace mien::splat::cuda {
namespace {

constexpr int kThreads = 64;

// Coefficients are read four at a time: value k of colour c is float 3 k + c of the row.
__device__ void add_colours(const Cloud& cloud, int i, const float basis[16], float colour[3]) {
  const float4* row = reinterpret_cast<const float4*>(cloud.sh) + static_cast<std::int64_t>(i) * 12;
  const int used = (3 * (cloud.sh_degree + 1) * (cloud.sh_degree + 1) + 3) / 4;
#pragma unroll
  for (int part = 0; part < 12; ++part) {
    if (part >= used) break;
    const float4 v = __ldg(row + part);
    const float values[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
    for (int l = 0; l < 4; ++l) {
      const int place = 4 * part + l;
      colour[place % 3] = fmaf(basis[place / 3], values[l], colour[place % 3]);
    }
  }
}

// Returns the box, empty when nothing of the Gaussian can be seen.
__device__ Box project_one(const Frame& frame, int i, Ellipse& ellipse) {
  const Cloud& cloud = frame.cloud;
  const View& view = frame.view;
  const Box nothing = {0, 0, 0, 0};
  const float opacity = cloud.opacities[i];
  const float depth = camera_depth(view, cloud.means + 3 * static_cast<std::int64_t>(i));
  if (!(depth >= view.near_plane) || !(depth <= 3e38f) || !(opacity >= kFloor)) return nothing;
  Geometry g;
  place(cloud, view, i, g);
  if (!(g.determinant > 0)) return nothing;
  const float log_opacity = log2f(opacity);
  // Half-extents of the ellipse where opacity falls to 1/255; a hair more against rounding.
  const float factor = fmaxf(log_opacity + 7.994353437f, 0.0f) * 1.3862945f;  // log2(255), 2 ln 2
  const float extent_x = sqrtf(factor * g.cov_xx) + 1e-3f, extent_y = sqrtf(factor * g.cov_yy) + 1e-3f;
  // Pixel centres lie at +0.5: columns from ceil(u - extent - 0.5) to floor(u + extent - 0.5).
  const float x0 = fmaxf(-floorf(extent_x - g.u + 0.5f), 0.0f), y0 = fmaxf(-floorf(extent_y - g.v + 0.5f), 0.0f);
  const float x1 = fminf(fmaxf(floorf(g.u + extent_x - 0.5f), -1.0f), static_cast<float>(view.width - 1));
  const float y1 = fminf(fmaxf(floorf(g.v + extent_y - 0.5f), -1.0f), static_cast<float>(view.height - 1));
  if (!(x1 >= x0) || !(y1 >= y0)) return nothing;

  float basis[16], colour[3] = {0.5f, 0.5f, 0.5f};
  sh_values(cloud.sh_degree, direction_of(cloud, view, g).unit, basis);
  add_colours(cloud, i, basis, colour);
  constexpr float kLog2E = 1.44269504f;
  const float inverse = 1 / g.determinant, half = inverse * (-0.5f * kLog2E);
  ellipse.a = make_float4(g.u, g.v, g.cov_yy * half, g.cov_xy * inverse * kLog2E);
  ellipse.b = make_float4(g.cov_xx * half, log_opacity, g.cov_xy / g.cov_yy, g.cov_xy / g.cov_xx);
  float4* record = frame.w.records + 3 * static_cast<std::int64_t>(i);
  record[0] = ellipse.a;
  record[1] = ellipse.b;
  record[2] = make_float4(fmaxf(colour[0], 0.0f), fmaxf(colour[1], 0.0f), fmaxf(colour[2], 0.0f), depth);
  auto tile = [](float pixel) { return static_cast<int>(pixel) / kSide; };
  return {static_cast<std::uint16_t>(tile(x0)), static_cast<std::uint16_t>(tile(x1) + 1),
          static_cast<std::uint16_t>(tile(y0)), static_cast<std::uint16_t>(tile(y1) + 1)};
}

// Counts a Gaussian in the tiles that it touches; returns them as a mask.
__device__ std::uint32_t count_tiles(const Frame& frame, const Box& box, const Ellipse& ellipse) {
  std::uint32_t mask = 0;
  int place = 0;
  for (int y = box.y0; y < box.y1; ++y)
    for (int x = box.x0; x < box.x1; ++x, ++place) {
      if (!touches_tile(ellipse, x, y)) continue;
      mask |= 1u << place;
      atomicAdd(&frame.w.tiles[y * frame.view.tiles_x + x].count, 1u);
    }
  return mask;
}

// Takes a run of rows for the whole warp; returns the first of this lane's.
__device__ unsigned long long take_rows(Status* status, std::uint32_t wanted, int lane) {
  std::uint32_t end = wanted;
  for (int step = 1; step < 32; step *= 2) {
    const std::uint32_t other = __shfl_up_sync(kWarp, end, step);
    if (lane >= step) end += other;
  }
  const int visible = __popc(__ballot_sync(kWarp, wanted > 0));
  unsigned long long base = 0;
  if (lane == 31 && end > 0) {
    base = atomicAdd(&status->rows, static_cast<unsigned long long>(end));
    atomicAdd(&status->visible, static_cast<unsigned>(visible));
  }
  return __shfl_sync(kWarp, base, 31) + end - wanted;
}

__global__ void __launch_bounds__(kThreads) project_kernel(const __grid_constant__ Frame frame) {
  const int i = blockIdx.x * kThreads + threadIdx.x, lane = threadIdx.x % 32;
  const Workspace& w = frame.w;
  Ellipse ellipse = {};
  const Box box = i < frame.cloud.count ? project_one(frame, i, ellipse) : Box{0, 0, 0, 0};
  const int area = area_of(box);
  const unsigned large = __ballot_sync(kWarp, area > kSmallTiles);
  if (large != 0) {
    std::uint32_t place = 0;
    if (lane == 0) place = atomicAdd(&w.status->large, static_cast<unsigned>(__popc(large)));
    place = __shfl_sync(kWarp, place, 0) + __popc(large & ((1u << lane) - 1));
    if (area > kSmallTiles) w.large[place] = i;
  }
  const std::uint32_t mask = area <= kSmallTiles ? count_tiles(frame, box, ellipse) : 0;
  const std::uint32_t wanted = area <= kSmallTiles ? __popc(mask) : area;
  const unsigned long long first = take_rows(w.status, wanted, lane);
  if (i >= frame.cloud.count) return;
  // No row beyond the capacity is written; the frame is then not drawn.
  const std::uint32_t row = first + wanted <= w.capacity ? static_cast<std::uint32_t>(first) : kNone;
  w.boxes[i] = box;
  w.masks[i] = static_cast<std::uint16_t>(mask);
  w.rows[i] = row;
  if (row == kNone) return;
  std::uint32_t next = row;
  const int width = box.x1 - box.x0;
  for (std::uint32_t left = mask; left != 0; left &= left - 1) {
    const int place = __ffs(static_cast<int>(left)) - 1;
    const int tile = (box.y0 + place / width) * frame.view.tiles_x + box.x0 + place % width;
    w.pairs[next++] = {static_cast<std::uint32_t>(tile), static_cast<std::uint32_t>(i)};
  }
}

}  // namespace

void project(const Frame& frame, cudaStream_t stream) {
  if (frame.cloud.count == 0) return;
  project_kernel<<<(frame.cloud.count + kThreads - 1) / kThreads, kThreads, 0, stream>>>(frame);
}

}  // namespace mien::splat::cuda
