#include <cstdint>

#include "gaussian_avatar/cuda/dense.h"

namespace mien::avatar_cuda {
namespace {

constexpr int kThreads = 128;

// --- y = x B: a block 128 points by 32 columns, a thread 8 by 4 of them.
constexpr int kRows = 128, kColumns = 32, kDepth = 16;
constexpr int kRowsPadded = kRows + 4;  // fewer bank conflicts, still whole float4s

struct Product {
  const float* x;  // [points, depth]
  int points, depth, columns;
  DenseLayer layer;
  const float* bias;  // forward
  bool leak;
  const float* values;  // back: [points, columns] whose activation's slope counts
  float* y;             // [points, columns]
};

// Forward, B is W transposed without its gap; back, W.
template <bool back>
__device__ inline float weight_at(const Product& q, int depth, int column) {
  if (depth >= q.depth || column >= q.columns) return 0;
  const DenseLayer& l = q.layer;
  if (back) return l.weight[static_cast<std::int64_t>(depth) * l.inputs + column];
  const int at = depth < l.gap_at ? depth : depth + l.gap;
  return l.weight[static_cast<std::int64_t>(column) * (l.inputs + l.gap) + at];
}

template <bool back>
__global__ void __launch_bounds__(kThreads) product_kernel(const __grid_constant__ Product q) {
  __shared__ __align__(16) float xs[kDepth][kRowsPadded], ws[kDepth][kColumns];
  const int first = blockIdx.x * kRows, first_column = blockIdx.y * kColumns;
  const int rows = 8 * (threadIdx.x / 8), columns = 4 * (threadIdx.x % 8);
  float sum[8][4] = {};
  bool any = false;
  for (int begin = 0; begin < q.depth; begin += kDepth) {
    __syncthreads();
    for (int k = threadIdx.x; k < kRows * kDepth; k += kThreads) {
      const int row = k / kDepth, d = k % kDepth;
      const bool there = first + row < q.points && begin + d < q.depth;
      const float value = there ? q.x[static_cast<std::int64_t>(first + row) * q.depth + begin + d] : 0.0f;
      any = any || value != 0;
      xs[d][row] = value;
    }
    for (int k = threadIdx.x; k < kColumns * kDepth; k += kThreads) {  // neighbours read neighbouring weights
      const int column = back ? k % kColumns : k / kDepth, d = back ? k / kColumns : k % kDepth;
      ws[d][column] = weight_at<back>(q, begin + d, first_column + column);
    }
    __syncthreads();
#pragma unroll
    for (int d = 0; d < kDepth; ++d) {
      const float4 a = *reinterpret_cast<const float4*>(&xs[d][rows]);
      const float4 b = *reinterpret_cast<const float4*>(&xs[d][rows + 4]);
      const float4 w = *reinterpret_cast<const float4*>(&ws[d][columns]);
      const float x[8] = {a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w}, v[4] = {w.x, w.y, w.z, w.w};
#pragma unroll
      for (int r = 0; r < 8; ++r)
#pragma unroll
        for (int c = 0; c < 4; ++c) sum[r][c] = fmaf(x[r], v[c], sum[r][c]);
    }
  }
  // Where nothing comes back nothing goes on, whatever the weights are: not even "not a number".
  const bool nothing = back && __syncthreads_or(any) == 0;
#pragma unroll
  for (int r = 0; r < 8; ++r) {
    const std::int64_t row = first + rows + r;
    if (row >= q.points) continue;
    float out[4];
#pragma unroll
    for (int c = 0; c < 4; ++c) {
      const int column = first_column + columns + c;
      float value = sum[r][c];
      if (back) {
        if (nothing) value = 0;
        if (q.values != nullptr && column < q.columns && q.values[row * q.columns + column] < 0) value *= kLeak;
      } else {
        if (column < q.columns) value += q.bias[column];
        if (q.leak && value < 0) value *= kLeak;  // what is not a number stays so: training must notice
      }
      out[c] = value;
    }
    float* y = q.y + row * q.columns + first_column + columns;
    if (q.columns % 4 == 0) {
      if (first_column + columns < q.columns)
        *reinterpret_cast<float4*>(y) = make_float4(out[0], out[1], out[2], out[3]);
    } else {
#pragma unroll
      for (int c = 0; c < 4; ++c)
        if (first_column + columns + c < q.columns) y[c] = out[c];
    }
  }
}

// --- dy^T x: a block 32 outputs by 64 inputs of a part of the points, a thread 4 by 4 of them.
constexpr int kTileOutputs = 32, kTileInputs = 64, kChunk = 32;
constexpr int kMostParts = 256;

struct WeightProduct {
  const float *x, *dy;
  int points, part, inputs, outputs;
  float* partial;
};

__global__ void __launch_bounds__(kThreads) weights_kernel(const __grid_constant__ WeightProduct q) {
  __shared__ __align__(16) float xs[kChunk][kTileInputs], ds[kChunk][kTileOutputs];
  const int first_input = blockIdx.x * kTileInputs, first_output = blockIdx.y * kTileOutputs;
  const int outputs = 4 * (threadIdx.x / 16), inputs = 4 * (threadIdx.x % 16);
  const int end = min(q.points, static_cast<int>(blockIdx.z + 1) * q.part);
  float sum[4][4] = {};
  for (int begin = blockIdx.z * q.part; begin < end; begin += kChunk) {
    bool any = false;
    for (int k = threadIdx.x; k < kChunk * kTileOutputs; k += kThreads) {
      const int row = begin + k / kTileOutputs, o = first_output + k % kTileOutputs;
      const bool there = row < end && o < q.outputs;
      const float value = there ? q.dy[static_cast<std::int64_t>(row) * q.outputs + o] : 0.0f;
      any = any || value != 0;
      ds[k / kTileOutputs][k % kTileOutputs] = value;
    }
    if (__syncthreads_or(any) == 0) continue;  // nothing comes back to these points
    for (int k = threadIdx.x; k < kChunk * kTileInputs; k += kThreads) {
      const int row = begin + k / kTileInputs, i = first_input + k % kTileInputs;
      const bool there = row < end && i < q.inputs;
      float value = there ? q.x[static_cast<std::int64_t>(row) * q.inputs + i] : 0.0f;
      if (i == q.inputs) value = 1;  // the bias's
      xs[k / kTileInputs][k % kTileInputs] = value;
    }
    __syncthreads();
#pragma unroll 8
    for (int row = 0; row < kChunk; ++row) {
      const float4 d = *reinterpret_cast<const float4*>(&ds[row][outputs]);
      const float4 x = *reinterpret_cast<const float4*>(&xs[row][inputs]);
      const float a[4] = {d.x, d.y, d.z, d.w}, b[4] = {x.x, x.y, x.z, x.w};
#pragma unroll
      for (int o = 0; o < 4; ++o)
#pragma unroll
        for (int i = 0; i < 4; ++i) sum[o][i] = fmaf(a[o], b[i], sum[o][i]);
    }
    __syncthreads();
  }
  const int row = q.inputs + 1;
  float* partial = q.partial + static_cast<std::int64_t>(blockIdx.z) * q.outputs * row;
  for (int o = 0; o < 4; ++o)
    for (int i = 0; i < 4; ++i) {
      const int output = first_output + outputs + o, input = first_input + inputs + i;
      if (output < q.outputs && input < row) partial[static_cast<std::int64_t>(output) * row + input] = sum[o][i];
    }
}

// --- A block 32 parameters, eight threads each.
constexpr int kSlices = 8, kSumThreads = 32 * kSlices;

__global__ void __launch_bounds__(kSumThreads) sum_kernel(const __grid_constant__ WeightSums q) {
  __shared__ float shared[kSlices][32];
  const int lane = threadIdx.x % 32, slice = threadIdx.x / 32;
  const int j = blockIdx.x * 32 + lane;
  int l = 0;
  while (l + 1 < q.layers && j >= q.layer[l].end) ++l;
  const WeightSums::Layer& layer = q.layer[l];
  const bool there = j < layer.end;
  const int begin = l == 0 ? 0 : q.layer[l - 1].end, width = layer.inputs + layer.gap;
  const int at = j - begin, weights = layer.outputs * width;
  const int output = at < weights ? at / width : at - weights, column = at < weights ? at % width : width;
  // Inputs that are the same for all points: what the bias gets, times the input.
  const bool felt = column >= layer.gap_at && column < layer.gap_at + layer.gap;
  const int source = felt || column == width ? layer.inputs : column < layer.gap_at ? column : column - layer.gap;
  float sum = 0;
  if (there) {
    const std::int64_t row = layer.inputs + 1, stride = row * layer.outputs;
    const float* partial = layer.partial + output * row + source;
    for (int part = slice; part < q.parts; part += kSlices) sum += partial[part * stride];
  }
  shared[slice][lane] = sum;
  __syncthreads();
  if (slice != 0 || !there) return;
  for (int s = 1; s < kSlices; ++s) sum += shared[s][lane];
  q.gradients[j] = felt ? sum * q.felt[column - layer.gap_at] : sum;
}

int blocks_for(int count, int block) {
  return (count + block - 1) / block;
}

}  // namespace

void dense(const DenseLayer& layer, const float* x, int points, const float* bias, bool leak, float* y,
           cudaStream_t stream) {
  if (points == 0) return;
  const Product q = {x, points, layer.inputs, layer.outputs, layer, bias, leak, nullptr, y};
  const dim3 blocks(blocks_for(points, kRows), blocks_for(layer.outputs, kColumns));
  product_kernel<false><<<blocks, kThreads, 0, stream>>>(q);
}

void dense_back(const DenseLayer& layer, const float* dy, const float* x, int points, float* dx, cudaStream_t stream) {
  if (points == 0) return;
  const Product q = {dy, points, layer.outputs, layer.inputs, layer, nullptr, false, x, dx};
  const dim3 blocks(blocks_for(points, kRows), blocks_for(layer.inputs, kColumns));
  product_kernel<true><<<blocks, kThreads, 0, stream>>>(q);
}

int dense_parts(int points) {
  const int chunks = blocks_for(points, 8 * kChunk);
  return chunks < kMostParts ? chunks : kMostParts;
}

void dense_weights(const DenseLayer& layer, const float* x, const float* dy, int points, float* partial,
                   cudaStream_t stream) {
  if (points == 0) return;
  const int parts = dense_parts(points), part = blocks_for(blocks_for(points, parts), kChunk) * kChunk;
  const WeightProduct q = {x, dy, points, part, layer.inputs, layer.outputs, partial};
  const dim3 blocks(blocks_for(layer.inputs + 1, kTileInputs), blocks_for(layer.outputs, kTileOutputs), parts);
  weights_kernel<<<blocks, kThreads, 0, stream>>>(q);
}

void sum_weights(const WeightSums& sums, cudaStream_t stream) {
  const int count = sums.layer[sums.layers - 1].end;
  sum_kernel<<<blocks_for(count, 32), kSumThreads, 0, stream>>>(sums);
}

}  // namespace mien::avatar_cuda
