// Embedded deformation of an avatar's Gaussians by its head's surface, and their colour of the moment: the CPU's
// SurfaceFrames::update_vertices(), deform_gaussians() and add_colour_modes().
#include "gaussian_avatar/cuda/pose.h"

namespace mien::avatar_cuda {
namespace {

constexpr int kThreads = 128;

__device__ inline float3 read3(const float* base, int i) {
  return make_float3(base[3 * i], base[3 * i + 1], base[3 * i + 2]);
}
__device__ inline float3 minus(float3 a, float3 b) {
  return make_float3(a.x - b.x, a.y - b.y, a.z - b.z);
}
__device__ inline float3 cross(float3 a, float3 b) {
  return make_float3(a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x);
}

// A thread a vertex: the average, by canonical area, of the deformation gradients of the triangles round it. Each
// triangle is worked out by each of its corners again: cheaper than a second pass through memory.
__global__ void __launch_bounds__(kThreads)
    vertex_frames_kernel(const __grid_constant__ Rest rest, const float* __restrict__ posed, float4* frames) {
  const int v = blockIdx.x * kThreads + threadIdx.x;
  if (v >= rest.vertices) return;
  float sum[9] = {}, total = 0;
  for (int k = rest.ring_begin[v]; k < rest.ring_begin[v + 1]; ++k) {
    const int f = rest.ring[k];
    const float area = rest.areas[f];
    if (area <= 0) continue;
    const float3 a = read3(posed, rest.faces[3 * f]);
    const float3 b = minus(read3(posed, rest.faces[3 * f + 1]), a), c = minus(read3(posed, rest.faces[3 * f + 2]), a);
    float3 n = cross(b, c);
    const float inverse = 1 / fmaxf(sqrtf(n.x * n.x + n.y * n.y + n.z * n.z), 1e-20f);
    const float rows[9] = {b.x, c.x, n.x * inverse, b.y, c.y, n.y * inverse, b.z, c.z, n.z * inverse};
    const float* rest_frame = rest.inverse_frames + 9 * f;
    total += area;
    for (int i = 0; i < 3; ++i)
      for (int j = 0; j < 3; ++j)
        sum[3 * i + j] += area * (rows[3 * i] * rest_frame[j] + rows[3 * i + 1] * rest_frame[3 + j] +
                                  rows[3 * i + 2] * rest_frame[6 + j]);
  }
  const float3 c = read3(rest.canonical, v);
  for (int i = 0; i < 3; ++i) {
    float4 row = make_float4(i == 0, i == 1, i == 2, 0);
    if (total > 0) row = make_float4(sum[3 * i] / total, sum[3 * i + 1] / total, sum[3 * i + 2] / total, 0);
    row.w = posed[3 * v + i] - (row.x * c.x + row.y * c.y + row.z * c.z);
    frames[3 * v + i] = row;
  }
}

// A thread a Gaussian; what a block writes is gathered in shared memory, so that neighbouring threads write
// neighbouring bytes.
__global__ void __launch_bounds__(kThreads)
    pose_gaussians_kernel(const __grid_constant__ Rest rest, const float4* __restrict__ frames, float* means,
                          float* deformation) {
  __shared__ float shared[kThreads * 9];
  const int first = blockIdx.x * kThreads, i = first + threadIdx.x;
  if (i < rest.gaussians) {
    const int4 anchor = rest.anchors[i];
    const float4 weight = rest.weights[i];
    const int vertex[4] = {anchor.x, anchor.y, anchor.z, anchor.w};
    const float weights[4] = {weight.x, weight.y, weight.z, weight.w};
    float4 rows[3] = {};
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      if (weights[k] == 0) continue;
#pragma unroll
      for (int r = 0; r < 3; ++r) {
        const float4 row = frames[3 * vertex[k] + r];
        rows[r].x = fmaf(weights[k], row.x, rows[r].x);
        rows[r].y = fmaf(weights[k], row.y, rows[r].y);
        rows[r].z = fmaf(weights[k], row.z, rows[r].z);
        rows[r].w = fmaf(weights[k], row.w, rows[r].w);
      }
    }
    const float3 m = read3(rest.means, i);
    for (int r = 0; r < 3; ++r) {
      means[3 * i + r] = fmaf(rows[r].x, m.x, fmaf(rows[r].y, m.y, fmaf(rows[r].z, m.z, rows[r].w)));
      shared[9 * threadIdx.x + 3 * r] = rows[r].x;
      shared[9 * threadIdx.x + 3 * r + 1] = rows[r].y;
      shared[9 * threadIdx.x + 3 * r + 2] = rows[r].z;
    }
  }
  __syncthreads();
  const int values = 9 * min(kThreads, rest.gaussians - first);
  for (int k = threadIdx.x; k < values; k += kThreads) deformation[9 * first + k] = shared[k];
}

// A thread a Gaussian that has modes.
__global__ void __launch_bounds__(kThreads)
    set_mode_colours_kernel(const __grid_constant__ Modes modes, const float* __restrict__ activations, float* sh) {
  const int k = blockIdx.x * kThreads + threadIdx.x;
  if (k >= modes.gaussians) return;
  const float* colour = modes.colour + 3 * static_cast<std::int64_t>(k) * modes.modes;
  float3 sum = make_float3(0, 0, 0);
  for (int m = 0; m < modes.modes; ++m) {
    sum.x = fmaf(activations[m], colour[3 * m], sum.x);
    sum.y = fmaf(activations[m], colour[3 * m + 1], sum.y);
    sum.z = fmaf(activations[m], colour[3 * m + 2], sum.z);
  }
  float* out = sh + 48 * static_cast<std::int64_t>(modes.gaussian[k]);
  out[0] = modes.base[3 * k] + sum.x;
  out[1] = modes.base[3 * k + 1] + sum.y;
  out[2] = modes.base[3 * k + 2] + sum.z;
}

// A thread a value.
__global__ void __launch_bounds__(kThreads) finish_picture_kernel(const __grid_constant__ Finish f) {
  const int i = blockIdx.x * kThreads + threadIdx.x;
  if (i >= 3 * f.width * f.height) return;
  const int pixel = i / 3, c = i % 3;
  const float t = (static_cast<float>(pixel / f.width) + 0.5f) / static_cast<float>(f.height);
  const float background = (1 - t) * f.top[c] + t * f.bottom[c];
  const float value = fminf(fmaxf(f.rgb[i] + (1 - f.alpha[pixel]) * background, 0.0f), 1.0f);
  f.picture[i] = static_cast<std::uint8_t>(value * 255.0f + 0.5f);
}

}  // namespace

void finish_picture(const Finish& finish, cudaStream_t stream) {
  const int values = 3 * finish.width * finish.height;
  if (values == 0) return;
  finish_picture_kernel<<<(values + kThreads - 1) / kThreads, kThreads, 0, stream>>>(finish);
}

void set_mode_colours(const Modes& modes, const float* activations, float* sh, cudaStream_t stream) {
  if (modes.gaussians == 0) return;
  set_mode_colours_kernel<<<(modes.gaussians + kThreads - 1) / kThreads, kThreads, 0, stream>>>(modes, activations, sh);
}

void vertex_frames(const Rest& rest, const float* posed, float4* frames, cudaStream_t stream) {
  if (rest.vertices == 0) return;
  vertex_frames_kernel<<<(rest.vertices + kThreads - 1) / kThreads, kThreads, 0, stream>>>(rest, posed, frames);
}

void pose_gaussians(const Rest& rest, const float4* frames, float* means, float* deformation, cudaStream_t stream) {
  if (rest.gaussians == 0) return;
  pose_gaussians_kernel<<<(rest.gaussians + kThreads - 1) / kThreads, kThreads, 0, stream>>>(rest, frames, means,
                                                                                             deformation);
}

}  // namespace mien::avatar_cuda
