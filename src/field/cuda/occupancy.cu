// The occupancy grid's points and updates; and the largest magnitude of an array, which others scale by.
#include "field/cuda/kernels.h"

namespace mien::field::cuda {
namespace {

constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads)
    sample_kernel(OccupancyView view, std::int64_t count, std::uint32_t seed, std::uint32_t* cell, float* points) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i < count) cell[i] = sample_cell(view, count, i, seed, points + 3 * i);
}

__global__ void __launch_bounds__(kThreads) decay_kernel(const __grid_constant__ OccupancyJob q, std::uint32_t cells) {
  const std::uint32_t i = blockIdx.x * kThreads + threadIdx.x;
  if (i < cells) q.density[i] *= q.decay;
}

__global__ void __launch_bounds__(kThreads)
    raise_kernel(const __grid_constant__ OccupancyJob q, std::uint32_t cells, std::int64_t count,
                 const std::uint32_t* cell, const float* density) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= count || cell[i] >= cells) return;
  const float found = density[i];  // bits of numbers >= 0 are in the numbers' order
  if (found > 0) atomicMax(reinterpret_cast<int*>(q.density + cell[i]), __float_as_int(found));
}

__device__ inline double sum_block(double v) {
  __shared__ double shared[kThreads];
  shared[threadIdx.x] = v;
  __syncthreads();
  for (int half = kThreads / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) shared[threadIdx.x] += shared[threadIdx.x + half];
    __syncthreads();
  }
  return shared[0];
}

__global__ void __launch_bounds__(kThreads) mean_kernel(const __grid_constant__ OccupancyJob q, std::uint32_t cells) {
  double sum = 0;
  for (std::uint32_t i = blockIdx.x * kThreads + threadIdx.x; i < cells; i += kMeanBlocks * kThreads)
    sum += q.density[i];
  sum = sum_block(sum);
  if (threadIdx.x == 0) q.partial[blockIdx.x] = sum;
}

__global__ void __launch_bounds__(kThreads) bits_kernel(const __grid_constant__ OccupancyJob q, std::uint32_t cells) {
  static_assert(kThreads == kMeanBlocks, "one partial sum a thread");
  const double sum = sum_block(q.partial[threadIdx.x]);
  const float least = fminf(q.threshold, static_cast<float>(0.999 * sum / cells));
  const std::uint32_t i = blockIdx.x * kThreads + threadIdx.x;
  const unsigned word = __ballot_sync(0xffffffffu, i < cells && q.density[i] > least);
  if (threadIdx.x % 32 == 0 && i < cells) q.bits[i / 32] = word;
}

__global__ void __launch_bounds__(kThreads) largest_kernel(const float* values, int row, std::int64_t stride,
                                                           const __grid_constant__ Count count, std::uint32_t* bits) {
  const std::int64_t n = items(count) * row;
  std::uint32_t most = 0;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < n;
       i += static_cast<std::int64_t>(gridDim.x) * kThreads)
    most = max(most, __float_as_uint(values[i / row * stride + i % row]) & 0x7fffffffu);
  most = __reduce_max_sync(0xffffffffu, most);
  if (threadIdx.x % 32 == 0 && most != 0) atomicMax(bits, most);
}

__global__ void __launch_bounds__(kThreads) blocks_kernel(const __grid_constant__ OccupancyJob q) {
  const int r = q.resolution, b = occupancy_blocks(r), i = blockIdx.x * kThreads + threadIdx.x;
  const int x = i % b * kOccupancyBlock, y = i / b % b * kOccupancyBlock, z = i / b / b * kOccupancyBlock;
  bool any = false;
  for (int k = 0; i < b * b * b && k < kOccupancyBlock * kOccupancyBlock * kOccupancyBlock; ++k) {
    const int cx = x + k % kOccupancyBlock, cy = y + k / kOccupancyBlock % kOccupancyBlock,
              cz = z + k / kOccupancyBlock / kOccupancyBlock;
    if (cx >= r || cy >= r || cz >= r) continue;
    const int cell = cx + r * (cy + r * cz);
    any = any || (q.bits[cell / 32] >> (cell % 32) & 1u) != 0;
  }
  const unsigned word = __ballot_sync(0xffffffffu, any);
  if (threadIdx.x % 32 == 0 && i < b * b * b) q.blocks[i / 32] = word;
}

}  // namespace

void find_largest(const float* values, int row, std::int64_t stride, const Count& count, std::uint32_t* bits,
                  cudaStream_t stream) {
  if (count.bound == 0) return;
  const int wanted = blocks_for(count.bound * row, 8 * kThreads), blocks = wanted > 1024 ? 1024 : wanted;
  largest_kernel<<<blocks, kThreads, 0, stream>>>(values, row, stride, count, bits);
}

void sample_cells(const OccupancyView& view, std::int64_t count, std::uint32_t seed, std::uint32_t* cell, float* points,
                  cudaStream_t stream) {
  if (count > 0) sample_kernel<<<blocks_for(count, kThreads), kThreads, 0, stream>>>(view, count, seed, cell, points);
}

void update_occupancy(const OccupancyJob& job, std::int64_t count, const std::uint32_t* cell, const float* density,
                      cudaStream_t stream) {
  const auto r = static_cast<std::uint32_t>(job.resolution);
  const std::uint32_t cells = r * r * r;
  const int blocks = blocks_for(cells, kThreads);
  decay_kernel<<<blocks, kThreads, 0, stream>>>(job, cells);
  if (count > 0) raise_kernel<<<blocks_for(count, kThreads), kThreads, 0, stream>>>(job, cells, count, cell, density);
  mean_kernel<<<kMeanBlocks, kThreads, 0, stream>>>(job, cells);
  bits_kernel<<<blocks, kThreads, 0, stream>>>(job, cells);
  const int b = occupancy_blocks(job.resolution);
  blocks_kernel<<<blocks_for(static_cast<std::int64_t>(b) * b * b, kThreads), kThreads, 0, stream>>>(job);
}

}  // namespace mien::field::cuda
