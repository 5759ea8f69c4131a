// Lists of samples: every ray counts its samples, the counts are summed up, every ray writes its samples. Without
// fused multiply-adds (see the CMakeLists.txt), so that the samples are the CPU's.
#include "field/cuda/kernels.h"

namespace mien::field::cuda {
namespace {

constexpr int kScanThreads = 1024;

// Sum over the threads before this one in the block, which has kRayBlock; *all is that of the whole block.
__device__ inline std::uint32_t before_in_block(std::uint32_t v, std::uint32_t* all) {
  __shared__ std::uint32_t warps[kRayBlock / 32];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  std::uint32_t through = v;
#pragma unroll
  for (int d = 1; d < 32; d *= 2) {
    const std::uint32_t other = __shfl_up_sync(0xffffffffu, through, d);
    if (lane >= d) through += other;
  }
  if (lane == 31) warps[warp] = through;
  __syncthreads();
  std::uint32_t before = 0, sum = 0;
  for (int w = 0; w < kRayBlock / 32; ++w) {
    if (w < warp) before += warps[w];
    sum += warps[w];
  }
  *all = sum;
  return before + through - v;
}

__device__ inline Ray ray_of(const MarchJob& q, std::int64_t r) {
  Ray ray;
  for (int a = 0; a < 3; ++a) {
    ray.origin[a] = q.origins[3 * r + a];
    ray.direction[a] = q.directions[3 * r + a];
  }
  ray.from = q.spans != nullptr ? q.spans[2 * r] : 0.0f;
  ray.to = q.spans != nullptr ? q.spans[2 * r + 1] : 3.402823466e38f;
  ray.seed = q.seed ^ static_cast<std::uint32_t>(r);
  clip_to_cube(ray);
  return ray;
}

struct Nothing {
  __device__ void operator()(float) const {}
};
struct Write {
  float *t, *dt;
  std::uint32_t* ray;
  float step;
  std::uint32_t number;
  mutable std::uint32_t at;
  __device__ void operator()(float place) const {
    t[at] = place;
    dt[at] = step;
    ray[at++] = number;
  }
};

__global__ void __launch_bounds__(kRayBlock) count_march_kernel(const __grid_constant__ MarchJob q) {
  const std::int64_t r = static_cast<std::int64_t>(blockIdx.x) * kRayBlock + threadIdx.x;
  std::uint32_t count = 0;
  if (r < q.lists.rays) {
    count = static_cast<std::uint32_t>(march_ray(q.view, ray_of(q, r), q.march, Nothing{}));
    q.lists.count[r] = count;
  }
  std::uint32_t all;
  before_in_block(count, &all);
  if (threadIdx.x == 0) q.lists.blocks[blockIdx.x] = all;
}

// A warp has 32 rays, one after the other, a lane a sample.
__global__ void __launch_bounds__(kRayBlock) count_kept_kernel(const __grid_constant__ CompactJob q) {
  const std::int64_t r = static_cast<std::int64_t>(blockIdx.x) * kRayBlock + threadIdx.x;
  const bool there = r < q.lists.rays;
  const std::uint32_t first = there ? q.in.first[r] : 0, length = there ? q.in.count[r] : 0, lane = threadIdx.x % 32;
  std::uint32_t count = 0;
  for (std::uint32_t k = 0; k < 32; ++k) {
    const std::uint32_t begin = __shfl_sync(0xffffffffu, first, k), n = __shfl_sync(0xffffffffu, length, k);
    std::uint32_t kept = 0;
    for (std::uint32_t i = 0; i < n; i += 32)
      kept += __popc(__ballot_sync(0xffffffffu, i + lane < n && q.keep[begin + i + lane] != 0));
    if (lane == k) count = kept;
  }
  if (there) q.lists.count[r] = count;
  std::uint32_t all;
  before_in_block(count, &all);
  if (threadIdx.x == 0) q.lists.blocks[blockIdx.x] = all;
}

// The blocks' sums become what is before each block. One block.
__global__ void __launch_bounds__(kScanThreads) scan_kernel(const __grid_constant__ Lists lists, int blocks) {
  __shared__ std::uint32_t warps[kScanThreads / 32];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  std::uint32_t carry = 0;
  for (int begin = 0; begin < blocks; begin += kScanThreads) {
    const int i = begin + threadIdx.x;
    const std::uint32_t v = i < blocks ? lists.blocks[i] : 0;
    std::uint32_t through = v;
#pragma unroll
    for (int d = 1; d < 32; d *= 2) {
      const std::uint32_t other = __shfl_up_sync(0xffffffffu, through, d);
      if (lane >= d) through += other;
    }
    if (lane == 31) warps[warp] = through;
    __syncthreads();
    std::uint32_t before = 0, sum = 0;
    for (int w = 0; w < kScanThreads / 32; ++w) {
      if (w < warp) before += warps[w];
      sum += warps[w];
    }
    if (i < blocks) lists.blocks[i] = carry + before + through - v;
    carry += sum;
    __syncthreads();
  }
  if (threadIdx.x != 0) return;
  lists.total[1] = carry;
  if (carry <= lists.capacity) lists.total[0] = carry;  // else the ray that finds no room says
}

// Where the ray's list begins, and how long it is: 0 where there is no room.
__device__ inline std::uint32_t place_list(const Lists& lists, std::int64_t r, std::uint32_t* first) {
  std::uint32_t count = r < lists.rays ? lists.count[r] : 0, all;
  *first = lists.blocks[blockIdx.x] + before_in_block(count, &all);
  if (r >= lists.rays) return 0;
  if (static_cast<std::int64_t>(*first) + count > lists.capacity) {
    if (static_cast<std::int64_t>(*first) <= lists.capacity) lists.total[0] = *first;  // one ray only
    *first = 0;
    count = 0;
    lists.count[r] = 0;
  }
  lists.first[r] = *first;
  return count;
}

__global__ void __launch_bounds__(kRayBlock) write_march_kernel(const __grid_constant__ MarchJob q) {
  const std::int64_t r = static_cast<std::int64_t>(blockIdx.x) * kRayBlock + threadIdx.x;
  std::uint32_t first;
  if (place_list(q.lists, r, &first) == 0) return;
  march_ray(q.view, ray_of(q, r), q.march,
            Write{q.lists.t, q.lists.dt, q.lists.ray, q.march.step, static_cast<std::uint32_t>(r), first});
}

__global__ void __launch_bounds__(kRayBlock) write_kept_kernel(const __grid_constant__ CompactJob q) {
  const std::int64_t r = static_cast<std::int64_t>(blockIdx.x) * kRayBlock + threadIdx.x;
  std::uint32_t to;
  const bool writes = place_list(q.lists, r, &to) > 0;
  const std::uint32_t first = writes ? q.in.first[r] : 0, length = writes ? q.in.count[r] : 0, lane = threadIdx.x % 32;
  for (std::uint32_t k = 0; k < 32; ++k) {
    const std::uint32_t begin = __shfl_sync(0xffffffffu, first, k), n = __shfl_sync(0xffffffffu, length, k);
    std::uint32_t at = __shfl_sync(0xffffffffu, to, k);
    for (std::uint32_t i = 0; i < n; i += 32) {
      const std::uint32_t from = begin + i + lane;
      const bool kept = i + lane < n && q.keep[from] != 0;
      const std::uint32_t all = __ballot_sync(0xffffffffu, kept);
      if (kept) {
        const std::uint32_t place = at + __popc(all & ((1u << lane) - 1));
        q.lists.t[place] = q.in.t[from];
        q.lists.dt[place] = q.in.dt[from];
        q.lists.ray[place] = q.in.ray[from];
        q.lists.from[place] = from;
      }
      at += __popc(all);
    }
  }
}

}  // namespace

void march(const MarchJob& job, cudaStream_t stream) {
  const int blocks = blocks_for(job.lists.rays, kRayBlock);
  if (blocks > 0) count_march_kernel<<<blocks, kRayBlock, 0, stream>>>(job);
  scan_kernel<<<1, kScanThreads, 0, stream>>>(job.lists, blocks);
  if (blocks > 0) write_march_kernel<<<blocks, kRayBlock, 0, stream>>>(job);
}

void compact(const CompactJob& job, cudaStream_t stream) {
  const int blocks = blocks_for(job.lists.rays, kRayBlock);
  if (blocks > 0) count_kept_kernel<<<blocks, kRayBlock, 0, stream>>>(job);
  scan_kernel<<<1, kScanThreads, 0, stream>>>(job.lists, blocks);
  if (blocks > 0) write_kept_kernel<<<blocks, kRayBlock, 0, stream>>>(job);
}

}  // namespace mien::field::cuda
