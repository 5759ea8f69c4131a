// Faces to samples on the GPU: set-up, keys, weights. See raster.h.
#include "geometry/cuda/raster.h"

namespace mien::raster {
namespace {

constexpr int kThreads = 128, kWarp = 32;
constexpr int kLargeThreads = 256;
constexpr int kTrianglesAtOnce = 64, kBlocksATriangle = 8;  // blocks for large ones
constexpr int kBlockSide = 16;                              // a block of kLargeThreads draws squares of this side

__device__ inline Point to_camera(const Draw& d, int vertex) {
  const float* p = d.positions + 3 * static_cast<std::int64_t>(vertex);
  const float* m = d.world_to_camera;
  return {m[0] * p[0] + m[1] * p[1] + m[2] * p[2] + m[3], m[4] * p[0] + m[5] * p[1] + m[6] * p[2] + m[7],
          m[8] * p[0] + m[9] * p[1] + m[10] * p[2] + m[11]};
}

__device__ inline void list_if_large(const Draw& d, const Triangle& t, int index) {
  if (t.x1 - t.x0 < kLargeSide && t.y1 - t.y0 < kLargeSide) return;
  d.large[atomicAdd(&d.counts[1], 1)] = index;
}

__global__ void __launch_bounds__(kThreads) clear_kernel(const __grid_constant__ Draw d) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i < 2) d.counts[i] = 0;
  if (i < static_cast<std::int64_t>(d.screen.width) * d.screen.height) d.keys[i] = kNothing;
}

// A thread a face.
__global__ void __launch_bounds__(kThreads) set_up_kernel(const __grid_constant__ Draw d) {
  const int f = blockIdx.x * kThreads + threadIdx.x;
  if (f >= d.faces) return;
  const Point corner[3] = {to_camera(d, d.face[3 * f]), to_camera(d, d.face[3 * f + 1]),
                           to_camera(d, d.face[3 * f + 2])};
  const Extent extent = extent_of(corner, d.screen);
  Triangle t;
  t.x0 = t.y0 = 0;
  t.x1 = t.y1 = -1;
  Pieces pieces = {0, 0};
  if (extent == Extent::kWhole) {
    if (set_up(t, corner[0], corner[1], corner[2], d.screen)) {
      list_if_large(d, t, f);
    } else {
      t.x0 = 0;
      t.x1 = -1;
    }
  } else if (extent == Extent::kClipped) {
    const Polygon polygon = clip_face(corner, d.screen);
    for (int i = 2; i < polygon.count; ++i) {
      const Corner &a = polygon.corners[0], &b = polygon.corners[i - 1], &c = polygon.corners[i];
      if (i == 2) pieces = {atomicAdd(&d.counts[0], polygon.count - 2), polygon.count - 2};
      const int at = pieces.first + i - 2;
      Triangle piece;
      if (set_up(piece, a.position, b.position, c.position, d.screen)) {
        list_if_large(d, piece, d.faces + at);
      } else {
        piece.x0 = 0;
        piece.x1 = -1;
      }
      d.pieces[at] = piece;
      d.piece_face[at] = f;
      d.weights[3 * at] = a.weights;
      d.weights[3 * at + 1] = b.weights;
      d.weights[3 * at + 2] = c.weights;
    }
  }
  d.triangles[f] = t;
  d.clipped[f] = pieces;
}

__device__ inline void offer(const Draw& d, int x, int y, const Surface& seen, int face) {
  const std::uint64_t key = static_cast<std::uint64_t>(__float_as_uint(seen.depth)) << 32 | static_cast<unsigned>(face);
  static_assert(sizeof(unsigned long long) == sizeof(std::uint64_t));
  atomicMin(reinterpret_cast<unsigned long long*>(&d.keys[static_cast<std::int64_t>(y) * d.screen.width + x]),
            static_cast<unsigned long long>(key));
}

__device__ inline void try_sample(const Draw& d, const Triangle& t, const Edges& origin, int dx, int dy,
                                  const Point* piece, int face) {
  Edges at = origin;
  at.move_to(origin, dx, dy);
  if (at.cover()) offer(d, t.x0 + dx, t.y0 + dy, surface_at(t, at.value, piece), face);
}

// A warp a triangle: its lanes share the box of samples.
__device__ inline void draw_small(const Draw& d, const Triangle& t, const Point* piece, int face, int lane) {
  const int width = t.x1 - t.x0 + 1, height = t.y1 - t.y0 + 1;
  if (width <= 0 || height <= 0 || width > kLargeSide || height > kLargeSide) return;
  const Edges origin = edges_at(t, t.x0, t.y0);
  for (int i = lane; i < width * height; i += kWarp) try_sample(d, t, origin, i % width, i / width, piece, face);
}

__global__ void __launch_bounds__(kThreads) small_kernel(const __grid_constant__ Draw d) {
  const int lane = threadIdx.x % kWarp, warps = gridDim.x * kThreads / kWarp;
  const int first = (blockIdx.x * kThreads + threadIdx.x) / kWarp;
  for (int f = first; f < d.faces; f += warps) draw_small(d, d.triangles[f], nullptr, f, lane);
  const int pieces = d.counts[0];
  for (int p = first; p < pieces; p += warps) draw_small(d, d.pieces[p], d.weights + 3 * p, d.piece_face[p], lane);
}

// Blocks take large triangles in turn (x), and squares of them (y).
__global__ void __launch_bounds__(kLargeThreads) large_kernel(const __grid_constant__ Draw d) {
  const int count = d.counts[1];
  const int x = threadIdx.x % kBlockSide, y = threadIdx.x / kBlockSide;
  for (int k = blockIdx.x; k < count; k += gridDim.x) {
    const int index = d.large[k], p = index - d.faces;
    const Triangle& t = index < d.faces ? d.triangles[index] : d.pieces[p];
    const Point* piece = index < d.faces ? nullptr : d.weights + 3 * p;
    const int face = index < d.faces ? index : d.piece_face[p];
    const Edges origin = edges_at(t, t.x0, t.y0);
    const int across = (t.x1 - t.x0) / kBlockSide + 1, down = (t.y1 - t.y0) / kBlockSide + 1;
    for (int square = blockIdx.y; square < across * down; square += gridDim.y) {
      const int dx = square % across * kBlockSide + x, dy = square / across * kBlockSide + y;
      if (t.x0 + dx <= t.x1 && t.y0 + dy <= t.y1) try_sample(d, t, origin, dx, dy, piece, face);
    }
  }
}

__device__ inline bool seen_at(const Triangle& t, const Point* piece, int x, int y, Surface& out) {
  if (x < t.x0 || x > t.x1 || y < t.y0 || y > t.y1) return false;
  const Edges edges = edges_at(t, x, y);
  if (!edges.cover()) return false;
  out = surface_at(t, edges.value, piece);
  return true;
}

// A thread a sample.
__global__ void __launch_bounds__(kThreads) resolve_kernel(const __grid_constant__ Draw d) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= static_cast<std::int64_t>(d.screen.width) * d.screen.height) return;
  const std::uint64_t key = d.keys[i];
  const auto face = key == kNothing ? -1 : static_cast<std::int32_t>(key & 0xffffffffu);
  d.depth[i] = face < 0 ? __uint_as_float(0x7f800000u) : __uint_as_float(static_cast<unsigned>(key >> 32));
  d.out_face[i] = face;
  if (d.barycentric == nullptr) return;
  Surface seen = {0, 0, 0};
  if (face >= 0) {
    const int x = static_cast<int>(i % d.screen.width), y = static_cast<int>(i / d.screen.width);
    if (!seen_at(d.triangles[face], nullptr, x, y, seen)) {
      const Pieces pieces = d.clipped[face];
      for (int p = pieces.first; p < pieces.first + pieces.count; ++p)
        if (seen_at(d.pieces[p], d.weights + 3 * p, x, y, seen)) break;
    }
  }
  d.barycentric[2 * i] = seen.w0;
  d.barycentric[2 * i + 1] = seen.w1;
}

inline unsigned blocks_for(std::int64_t count) {
  return static_cast<unsigned>((count + kThreads - 1) / kThreads);
}

}  // namespace

void draw(const Draw& draw, cudaStream_t stream) {
  const std::int64_t samples = static_cast<std::int64_t>(draw.screen.width) * draw.screen.height;
  clear_kernel<<<blocks_for(samples), kThreads, 0, stream>>>(draw);
  if (draw.faces > 0) {
    set_up_kernel<<<blocks_for(draw.faces), kThreads, 0, stream>>>(draw);
    small_kernel<<<blocks_for(static_cast<std::int64_t>(draw.faces) * kWarp), kThreads, 0, stream>>>(draw);
    large_kernel<<<dim3(kTrianglesAtOnce, kBlocksATriangle), kLargeThreads, 0, stream>>>(draw);
  }
  resolve_kernel<<<blocks_for(samples), kThreads, 0, stream>>>(draw);
}

}  // namespace mien::raster
