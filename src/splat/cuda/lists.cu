// The lists of the tiles: a segment for each, filled in any order, then sorted by depth and, where depths are equal, by
// index; so the order, and the picture, are the same every time.
#include "splat/cuda/boxes.cuh"

namespace mien::splat::cuda {
namespace {

constexpr int kAllocateThreads = 256, kScatterThreads = 256, kSortThreads = 256;

__device__ inline std::uint32_t inclusive_sum(std::uint32_t value, int lane) {
  for (int step = 1; step < 32; step *= 2) {
    const std::uint32_t other = __shfl_up_sync(kWarp, value, step);
    if (lane >= step) value += other;
  }
  return value;
}

// Segments need no order among themselves: each block takes one run of entries for its tiles, and one of states.
__global__ void __launch_bounds__(kAllocateThreads) allocate_kernel(const __grid_constant__ Frame frame) {
  constexpr int kWarps = kAllocateThreads / 32;
  __shared__ std::uint32_t sums[2][kWarps];
  __shared__ unsigned long long first_entry;
  __shared__ std::uint32_t first_state;
  const Workspace& w = frame.w;
  const int tile = blockIdx.x * kAllocateThreads + threadIdx.x, lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const std::uint32_t n = tile < frame.view.tiles_x * frame.view.tiles_y ? w.tiles[tile].count : 0;
  const std::uint32_t batches = n > 0 ? (n - 1) / kBatch : 0;  // whose starting state is not simply empty
  std::uint32_t entry = inclusive_sum(n, lane), state = inclusive_sum(batches, lane);
  if (lane == 31) {
    sums[0][warp] = entry;
    sums[1][warp] = state;
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    std::uint32_t entries = 0, states = 0;
    for (int k = 0; k < kWarps; ++k) {
      const std::uint32_t e = sums[0][k], s = sums[1][k];
      sums[0][k] = entries;
      sums[1][k] = states;
      entries += e;
      states += s;
    }
    first_entry = entries > 0 ? atomicAdd(&w.status->entries, static_cast<unsigned long long>(entries)) : 0;
    first_state = states > 0 ? atomicAdd(&w.status->states, states) : 0;
  }
  __syncthreads();
  if (tile >= frame.view.tiles_x * frame.view.tiles_y) return;
  const bool fits = w.status->rows <= w.capacity;
  w.tiles[tile].begin = fits ? static_cast<std::uint32_t>(first_entry + sums[0][warp] + entry - n) : kNone;
  w.tiles[tile].states = first_state + sums[1][warp] + state - batches;
}

// A thread a pair, in turns. Pairs of one warp with the same tile are counted at once.
__global__ void __launch_bounds__(kScatterThreads) scatter_kernel(const __grid_constant__ Frame frame) {
  const Workspace& w = frame.w;
  const int lane = threadIdx.x % 32;
  const unsigned long long rows = w.status->rows <= w.capacity ? w.status->rows : 0;
  for (std::uint32_t first = blockIdx.x * kScatterThreads + threadIdx.x - lane; first < rows;
       first += gridDim.x * kScatterThreads) {
    const std::uint32_t row = first + lane;
    const Pair pair = row < rows ? w.pairs[row] : Pair{kNone, 0};
    if (row < rows && w.drawn != nullptr) w.drawn[row] = 0;
    const unsigned same = __match_any_sync(kWarp, pair.tile);
    const int leader = __ffs(same) - 1;
    std::uint32_t place = 0;
    float depth = 0;
    if (pair.tile != kNone) {
      depth = w.records[3 * static_cast<std::int64_t>(pair.id) + 2].w;
      Tile& tile = w.tiles[pair.tile];
      if (lane == leader) place = tile.begin + atomicAdd(&tile.filled, static_cast<unsigned>(__popc(same)));
    }
    place = __shfl_sync(kWarp, place, leader) + __popc(same & ((1u << lane) - 1));
    if (pair.tile != kNone) w.keys[place] = static_cast<std::uint64_t>(__float_as_uint(depth)) << 32 | pair.id;
  }
}

// Lets the other threads of a warp, or of the block, see what was written.
__device__ inline void meet(bool warp_only) {
  if (warp_only)
    __syncwarp();
  else
    __syncthreads();
}

// Bitonic network over `n` keys in shared memory, padded to a power of two. Strides up to 32 stay within the 64 keys
// that one warp handles. With n <= 64 one warp may call it alone.
__device__ void sort_span(std::uint64_t* keys, int n, bool alone) {
  int padded = 64;
  while (padded < n) padded *= 2;
  const int threads = alone ? 32 : kSortThreads;
  for (int k = n + threadIdx.x; k < padded; k += threads) keys[k] = ~std::uint64_t{0};
  meet(alone);
  for (int size = 2; size <= padded; size *= 2)
    for (int stride = size / 2; stride > 0; stride /= 2) {
      for (int p = threadIdx.x; p < padded / 2; p += threads) {
        const int low = 2 * p - (p & (stride - 1)), high = low + stride;
        const std::uint64_t a = keys[low], b = keys[high];
        if ((a > b) == ((low & size) == 0)) {
          keys[low] = b;
          keys[high] = a;
        }
      }
      const int next = stride > 1 ? stride / 2 : size;
      meet(alone || (stride <= 32 && next <= 32));
    }
  meet(alone);
}

__device__ inline std::uint32_t lower_bound(const std::uint64_t* keys, std::uint32_t begin, std::uint32_t end,
                                            std::uint64_t key) {
  while (begin < end) {
    const std::uint32_t middle = (begin + end) / 2;
    if (keys[middle] < key)
      begin = middle + 1;
    else
      end = middle;
  }
  return begin;
}

// Lists longer than a span: sorted runs, then merged pairwise; every key finds its place by a search in the other run.
__device__ const std::uint64_t* sort_long(std::uint64_t* keys, std::uint64_t* spare, std::uint32_t n,
                                          std::uint64_t* shared) {
  for (std::uint32_t begin = 0; begin < n; begin += kSortSpan) {
    const int part = static_cast<int>(min(n - begin, static_cast<std::uint32_t>(kSortSpan)));
    for (int k = threadIdx.x; k < part; k += kSortThreads) shared[k] = keys[begin + k];
    __syncthreads();
    sort_span(shared, part, false);
    for (int k = threadIdx.x; k < part; k += kSortThreads) keys[begin + k] = shared[k];
    __syncthreads();
  }
  std::uint64_t *from = keys, *to = spare;
  for (std::uint32_t run = kSortSpan; run < n; run *= 2) {
    for (std::uint32_t k = threadIdx.x; k < n; k += kSortThreads) {
      const std::uint32_t left = k / (2 * run) * (2 * run), middle = min(left + run, n), right = min(middle + run, n);
      const std::uint64_t key = from[k];
      if (k < middle)
        to[k + lower_bound(from, middle, right, key) - middle] = key;
      else
        to[k - middle + lower_bound(from, left, middle, key)] = key;
    }
    __syncthreads();
    std::uint64_t* other = from;
    from = to;
    to = other;
  }
  return from;
}

// A block a tile.
__global__ void __launch_bounds__(kSortThreads) sort_kernel(const __grid_constant__ Frame frame) {
  __shared__ std::uint64_t shared[kSortSpan];
  const Workspace& w = frame.w;
  const std::uint32_t n = w.tiles[blockIdx.x].count, begin = w.tiles[blockIdx.x].begin;
  if (n == 0 || begin == kNone) return;
  const bool alone = n <= 64;
  if (alone && threadIdx.x >= 32) return;
  const int threads = alone ? 32 : kSortThreads;
  const std::uint64_t* sorted = shared;
  if (n <= kSortSpan) {
    for (std::uint32_t k = threadIdx.x; k < n; k += threads) shared[k] = w.keys[begin + k];
    meet(alone);
    sort_span(shared, static_cast<int>(n), alone);
  } else {
    sorted = sort_long(w.keys + begin, w.spare + begin, n, shared);
  }
  for (std::uint32_t k = threadIdx.x; k < n; k += threads) w.ids[begin + k] = static_cast<std::uint32_t>(sorted[k]);
}

}  // namespace

void allocate(const Frame& frame, cudaStream_t stream) {
  const int tiles = frame.view.tiles_x * frame.view.tiles_y;
  allocate_kernel<<<(tiles + kAllocateThreads - 1) / kAllocateThreads, kAllocateThreads, 0, stream>>>(frame);
}

void scatter(const Frame& frame, cudaStream_t stream) {
  if (frame.cloud.count == 0) return;
  scatter_kernel<<<8 * frame.w.multiprocessors, kScatterThreads, 0, stream>>>(frame);
}

void sort(const Frame& frame, cudaStream_t stream) {
  sort_kernel<<<frame.view.tiles_x * frame.view.tiles_y, kSortThreads, 0, stream>>>(frame);
}

}  // namespace mien::splat::cuda
