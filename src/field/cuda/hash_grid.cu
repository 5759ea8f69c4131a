// The hash grid: a block has 64 points, its eight warps take every eighth level for all of them, and rows of features
// pass through shared memory, so that rows are read and written whole.
#include "field/cuda/kernels.h"
#include "field/hash_corners.h"

namespace mien::field::cuda {
namespace {

constexpr int kThreads = 256, kWarps = kThreads / 32;
constexpr unsigned kAll = 0xffffffffu;

struct Corners {
  std::uint32_t entry[8];
  std::uint32_t key[2];  // the cell
  float place[3];
  __device__ Corners(const GridLevel& level, const float* point) {
    std::uint32_t cell[3];
#pragma unroll
    for (int a = 0; a < 3; ++a) cell[a] = cell_of(level.resolution, point[a], &place[a]);
    key[0] = cell[0] | cell[1] << 16;
    key[1] = cell[2];
#pragma unroll
    for (int k = 0; k < 8; ++k)
      entry[k] = corner_entry(level.resolution, level.hashed, level.entries, cell[0] + (k & 1), cell[1] + (k >> 1 & 1),
                              cell[2] + (k >> 2));
  }
  __device__ float weight(int k) const {
    return (k & 1 ? place[0] : 1 - place[0]) * (k & 2 ? place[1] : 1 - place[1]) * (k & 4 ? place[2] : 1 - place[2]);
  }
};

template <int F>
__device__ inline void read(const float* from, float (&v)[F]) {
  if constexpr (F == 1) {
    v[0] = __ldg(from);
  } else if constexpr (F == 2) {
    const float2 a = __ldg(reinterpret_cast<const float2*>(from));
    v[0] = a.x, v[1] = a.y;
  } else {
#pragma unroll
    for (int f = 0; f < F; f += 4) {
      const float4 a = __ldg(reinterpret_cast<const float4*>(from + f));
      v[f] = a.x, v[f + 1] = a.y, v[f + 2] = a.z, v[f + 3] = a.w;
    }
  }
}

// Rows of the block's points, in shared memory.
struct Rows {
  float* shared;
  int row, width;  // width: with padding
  std::int64_t first, stride;
  int points;
  __device__ Rows(float* memory, const GridJob& q, std::int64_t begin, int count)
      : shared(memory),
        row(q.grid.levels * q.grid.features),
        width(row + 1),
        first(begin),
        stride(q.stride),
        points(count) {}
  __device__ void load(const float* from) const {
    for (int k = threadIdx.x; k < points * row; k += kThreads)
      shared[k / row * width + k % row] = from[(first + k / row) * stride + k % row];
  }
  __device__ void store(float* to) const {
    for (int k = threadIdx.x; k < points * row; k += kThreads)
      to[(first + k / row) * stride + k % row] = shared[k / row * width + k % row];
  }
};

// Calls body(level number, point number, whether there is such a point) for the thread's share; whole warps at a level.
template <typename Body>
__device__ inline void for_points(const GridJob& q, int block_points, int points, const Body& body) {
  for (int l = threadIdx.x / 32; l < q.grid.levels; l += kWarps)
    for (int p = threadIdx.x % 32; p < block_points; p += 32) body(l, p, p < points);
}

template <int F>
__global__ void __launch_bounds__(kThreads) encode_kernel(const __grid_constant__ GridJob q, int block_points) {
  extern __shared__ float memory[];
  const std::int64_t n = items(q.count), first = static_cast<std::int64_t>(blockIdx.x) * block_points;
  if (first >= n) return;
  const Rows rows(memory, q, first, static_cast<int>(min(static_cast<std::int64_t>(block_points), n - first)));
  for_points(q, block_points, rows.points, [&](int l, int p, bool there) {
    if (!there) return;
    const GridLevel& level = q.grid.level[l];
    const Corners c(level, q.points + 3 * (first + p));
    const float* values = q.table + level.first * F;
    float v[8][F], sum[F] = {};
#pragma unroll
    for (int k = 0; k < 8; ++k) read<F>(values + static_cast<std::int64_t>(c.entry[k]) * F, v[k]);
#pragma unroll
    for (int k = 0; k < 8; ++k)
#pragma unroll
      for (int f = 0; f < F; ++f) sum[f] = fmaf(c.weight(k), v[k][f], sum[f]);
#pragma unroll
    for (int f = 0; f < F; ++f) rows.shared[p * rows.width + l * F + f] = sum[f];
  });
  __syncthreads();
  rows.store(q.out);
}

// The step of whole numbers: any of 2^22 contributions of at most the largest leaves room in 63 bits.
__device__ inline float steps_per_unit(const std::uint32_t* largest) {
  const int exponent = static_cast<int>(*largest >> 23) - 127;  // the largest is below 2^(exponent + 1)
  return ldexpf(1.0f, max(-126, min(126, 39 - exponent)));
}

template <int F>
__device__ inline void add(const GridJob& q, std::int64_t entry, const float (&v)[F], float scale) {
  if (q.sums != nullptr) {
#pragma unroll
    for (int f = 0; f < F; ++f)
      atomicAdd(reinterpret_cast<unsigned long long*>(q.sums) + entry * F + f,
                static_cast<unsigned long long>(__float2ll_rn(v[f] * scale)));
    return;
  }
  float* to = q.d_table + entry * F;
#if __CUDA_ARCH__ >= 900
  if constexpr (F > 1) {
#pragma unroll
    for (int f = 0; f < F; f += 2) atomicAdd(reinterpret_cast<float2*>(to + f), make_float2(v[f], v[f + 1]));
  } else {
    atomicAdd(to, v[0]);
  }
#else
#pragma unroll
  for (int f = 0; f < F; ++f) atomicAdd(to + f, v[f]);
#endif
}

template <int F>
__global__ void __launch_bounds__(kThreads) table_kernel(const __grid_constant__ GridJob q, int block_points) {
  extern __shared__ float memory[];
  const std::int64_t n = items(q.count), first = static_cast<std::int64_t>(blockIdx.x) * block_points;
  if (first >= n) return;
  const Rows rows(memory, q, first, static_cast<int>(min(static_cast<std::int64_t>(block_points), n - first)));
  rows.load(q.d_out);
  __syncthreads();
  const float scale = q.sums != nullptr ? steps_per_unit(q.largest) : 0;
  const int lane = threadIdx.x % 32;
  for_points(q, block_points, rows.points, [&](int l, int p, bool there) {
    const GridLevel& level = q.grid.level[l];
    const float middle[3] = {0.5f, 0.5f, 0.5f};
    const Corners c(level, there ? q.points + 3 * (first + p) : middle);
    float d[F];
    bool any = false;
#pragma unroll
    for (int f = 0; f < F; ++f) {
      d[f] = there ? rows.shared[p * rows.width + l * F + f] : 0.0f;
      any = any || d[f] != 0;
    }
    if (__ballot_sync(kAll, any) == 0) return;
    // Neighbours on a ray often share a cell: a run of them adds up its sums first.
    const std::uint32_t key = __shfl_up_sync(kAll, c.key[0], 1), more = __shfl_up_sync(kAll, c.key[1], 1);
    const bool begins = lane == 0 || key != c.key[0] || more != c.key[1];
    const unsigned runs = __ballot_sync(kAll, begins);
    const bool together = __popc(runs) <= 24;
    // Where the lane's run ends, and what is left of it from here.
    const unsigned later = lane == 31 ? 0 : runs >> (lane + 1);
    const int left = later != 0 ? __ffs(later) - 1 : 31 - lane;
#pragma unroll
    for (int k = 0; k < 8; ++k) {
      float v[F];
#pragma unroll
      for (int f = 0; f < F; ++f) v[f] = c.weight(k) * d[f];
      bool writes = any;
      if (together) {
#pragma unroll
        for (int step = 1; step < 32; step *= 2)
#pragma unroll
          for (int f = 0; f < F; ++f) {
            const float other = __shfl_down_sync(kAll, v[f], step);
            if (step <= left) v[f] += other;
          }
        writes = begins;
      }
      if (writes) add<F>(q, level.first + c.entry[k], v, scale);
    }
  });
}

template <int F>
__global__ void __launch_bounds__(kThreads) points_kernel(const __grid_constant__ GridJob q, int block_points) {
  extern __shared__ float memory[];
  const std::int64_t n = items(q.count), first = static_cast<std::int64_t>(blockIdx.x) * block_points;
  if (first >= n) return;
  const Rows rows(memory, q, first, static_cast<int>(min(static_cast<std::int64_t>(block_points), n - first)));
  float* slopes = memory + block_points * rows.width;  // [warps][3][points]
  rows.load(q.d_out);
  for (int k = threadIdx.x; k < kWarps * 3 * block_points; k += kThreads) slopes[k] = 0;
  __syncthreads();
  float* mine = slopes + threadIdx.x / 32 * 3 * block_points;
  for_points(q, block_points, rows.points, [&](int l, int p, bool there) {
    if (!there) return;
    const GridLevel& level = q.grid.level[l];
    const Corners c(level, q.points + 3 * (first + p));
    const float* values = q.table + level.first * F;
    float felt[8];
#pragma unroll
    for (int k = 0; k < 8; ++k) {
      float v[F];
      read<F>(values + static_cast<std::int64_t>(c.entry[k]) * F, v);
      felt[k] = 0;
#pragma unroll
      for (int f = 0; f < F; ++f) felt[k] = fmaf(v[f], rows.shared[p * rows.width + l * F + f], felt[k]);
    }
#pragma unroll
    for (int a = 0; a < 3; ++a) {
      const int b = (a + 1) % 3, e = (a + 2) % 3;
      float slope = 0;
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        const int at = (k & 1) << b | (k >> 1) << e;
        slope += (k & 1 ? c.place[b] : 1 - c.place[b]) * (k >> 1 ? c.place[e] : 1 - c.place[e]) *
                 (felt[at | 1 << a] - felt[at]);
      }
      mine[a * block_points + p] += static_cast<float>(level.resolution) * slope;
    }
  });
  __syncthreads();
  for (int k = threadIdx.x; k < 3 * rows.points; k += kThreads) {
    const int p = k / 3, a = k % 3;
    const float x = q.points[3 * (first + p) + a];
    float sum = 0;
    for (int w = 0; w < kWarps; ++w) sum += slopes[(w * 3 + a) * block_points + p];
    q.d_points[3 * first + k] = x >= 0 && x <= 1 ? sum : 0.0f;
  }
}

__global__ void __launch_bounds__(kThreads)
    add_sums_kernel(long long* sums, const std::uint32_t* largest, std::int64_t parameters, float* d_table) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= parameters) return;
  if (*largest >= 0x7f800000u) {  // what is not a number must be noticed
    if (i == 0 || sums[i] != 0) d_table[i] = __uint_as_float(0x7fffffffu);
    sums[i] = 0;
    return;
  }
  if (sums[i] == 0) return;
  d_table[i] += static_cast<float>(static_cast<double>(sums[i]) / steps_per_unit(largest));
  sums[i] = 0;
}

template <typename Kernel>
void launch(const Kernel& kernel, const GridJob& job, bool slopes, cudaStream_t stream) {
  if (job.count.bound == 0) return;
  const int row = job.grid.levels * job.grid.features + 1;
  const int points = row <= 97 ? 64 : 32;  // within 48 KiB
  const std::size_t bytes =
      (static_cast<std::size_t>(points) * row + (slopes ? kWarps * 3 * points : 0)) * sizeof(float);
  kernel<<<blocks_for(job.count.bound, points), kThreads, bytes, stream>>>(job, points);
}

}  // namespace

void encode(const GridJob& job, cudaStream_t stream) {
  const int f = job.grid.features;
  launch(f == 1   ? encode_kernel<1>
         : f == 2 ? encode_kernel<2>
         : f == 4 ? encode_kernel<4>
                  : encode_kernel<8>,
         job, false, stream);
}

void table_gradients(const GridJob& job, cudaStream_t stream) {
  const int f = job.grid.features;
  launch(f == 1   ? table_kernel<1>
         : f == 2 ? table_kernel<2>
         : f == 4 ? table_kernel<4>
                  : table_kernel<8>,
         job, false, stream);
}

void point_gradients(const GridJob& job, cudaStream_t stream) {
  const int f = job.grid.features;
  launch(f == 1   ? points_kernel<1>
         : f == 2 ? points_kernel<2>
         : f == 4 ? points_kernel<4>
                  : points_kernel<8>,
         job, true, stream);
}

void add_sums(long long* sums, const std::uint32_t* largest, std::int64_t parameters, float* d_table,
              cudaStream_t stream) {
  add_sums_kernel<<<blocks_for(parameters, kThreads), kThreads, 0, stream>>>(sums, largest, parameters, d_table);
}

}  // namespace mien::field::cuda
