#include "gaussian_avatar/cuda/networks.h"

namespace mien::avatar_cuda {
namespace {

constexpr int kThreads = 128;
constexpr int kWidest = 256;

inline int blocks_for(std::int64_t count) {
  return static_cast<int>((count + kThreads - 1) / kThreads);
}

// A thread a value.
__global__ void __launch_bounds__(kThreads)
    take_colours_kernel(const __grid_constant__ NetworkPoints p, const __grid_constant__ NetworkGaussians g, float* x,
                        int row) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= static_cast<std::int64_t>(p.count) * kColourRow) return;
  const std::int64_t k = i / kColourRow;
  const int c = static_cast<int>(i % kColourRow);
  const std::int64_t at = static_cast<std::int64_t>(p.gaussian[k]) * kColourRow + c;
  const float value = g.sh[at];
  x[k * row + c] = value;
  if (c < kColourOutputs) g.shown_sh[at] = value;
}

// From here on: a thread a Gaussian.
__global__ void __launch_bounds__(kThreads)
    take_turns_kernel(const __grid_constant__ NetworkPoints p, const float* __restrict__ quats, float* x, int row) {
  const int k = blockIdx.x * kThreads + threadIdx.x;
  if (k >= p.count) return;
  const float4 q = reinterpret_cast<const float4*>(quats)[p.gaussian[k]];
  const float length = sqrtf(q.x * q.x + q.y * q.y + q.z * q.z + q.w * q.w);
  const float scale = (q.x < 0 ? -1.0f : 1.0f) / fmaxf(length, 1e-12f);  // w is .x; q and -q are one rotation
  float* out = x + static_cast<std::int64_t>(k) * row;
  out[0] = scale * q.x;
  out[1] = scale * q.y;
  out[2] = scale * q.z;
  out[3] = scale * q.w;
}

__global__ void __launch_bounds__(kThreads)
    take_displacements_kernel(const __grid_constant__ NetworkPoints p, const __grid_constant__ Displacements job) {
  const int k = blockIdx.x * kThreads + threadIdx.x;
  if (k >= p.count) return;
  const int4 anchor = p.anchors[k];
  const float4 weight = p.weights[k];
  const int vertex[4] = {anchor.x, anchor.y, anchor.z, anchor.w};
  const float weights[4] = {weight.x, weight.y, weight.z, weight.w};
  const std::int64_t at = k;
  for (int c = 0; c < 3; ++c) {
    float sum = 0;
    for (int a = 0; a < 4; ++a)
      if (weights[a] != 0) sum = fmaf(weights[a], job.moved[3 * vertex[a] + c], sum);
    sum -= job.moved[3 * job.vertices + c];
    if (job.feature != nullptr) job.feature[(at + 1) * job.feature_row - 3 + c] = sum;
    job.rotation[(at + 1) * job.rotation_row - 3 + c] = sum;
  }
}

// A block a network, a thread an output.
__global__ void __launch_bounds__(kWidest) feel_kernel(const __grid_constant__ Felt job) {
  const Felt::Network& n = job.network[blockIdx.x];
  const int o = threadIdx.x;
  if (o >= n.outputs) return;
  const float* weight = n.weight + static_cast<std::int64_t>(o) * n.inputs + n.gap_at;
  float sum = n.bias[o];
  for (int e = 0; e < job.gap; ++e) sum = fmaf(weight[e], job.felt[e], sum);
  n.shifted[o] = sum;
}

__global__ void __launch_bounds__(kThreads)
    conclude_kernel(const __grid_constant__ NetworkPoints p, const __grid_constant__ NetworkGaussians g,
                    const __grid_constant__ Conclusions out) {
  const int k = blockIdx.x * kThreads + threadIdx.x;
  if (k >= p.count) return;
  const std::int64_t i = p.gaussian[k];
  if (out.feature != nullptr) {
    const float* y = out.feature + static_cast<std::int64_t>(k) * out.feature_row;
    float* sh = g.shown_sh + i * kColourRow;
    for (int c = 0; c < kColourOutputs; ++c) sh[c] += y[c];
    if (out.feature_row > kColourOutputs) g.shown_opacities[i] = 1 / (1 + expf(-(g.logits[i] + y[kColourOutputs])));
  }
  const float* r = out.rotation + static_cast<std::int64_t>(k) * out.rotation_row;
  const float4 q = reinterpret_cast<const float4*>(g.quats)[i];
  const float w = q.x, x = q.y, y = q.z, z = q.w;
  reinterpret_cast<float4*>(g.shown_quats)[i] =
      make_float4(w - 0.5f * (x * r[0] + y * r[1] + z * r[2]), x + 0.5f * (w * r[0] + y * r[2] - z * r[1]),
                  y + 0.5f * (w * r[1] + z * r[0] - x * r[2]), z + 0.5f * (w * r[2] + x * r[1] - y * r[0]));
  if (out.rotation_row > 3)
    for (int c = 0; c < 3; ++c) g.shown_means[3 * i + c] = fmaf(kShiftUnit, r[3 + c], g.means[3 * i + c]);
}

__global__ void __launch_bounds__(kThreads)
    conclude_back_kernel(const __grid_constant__ NetworkPoints p, const __grid_constant__ NetworkGaussians g,
                         const __grid_constant__ Conclusions out, const __grid_constant__ DrawnGradients d,
                         float* feature_slope, float* rotation_slope) {
  const int k = blockIdx.x * kThreads + threadIdx.x;
  if (k >= p.count) return;
  const std::int64_t i = p.gaussian[k];
  if (out.feature != nullptr) {
    float* slope = feature_slope + static_cast<std::int64_t>(k) * out.feature_row;
    for (int c = 0; c < kColourOutputs; ++c) slope[c] = d.sh[i * kColourRow + c];
    if (out.feature_row > kColourOutputs) {
      const float opacity = g.shown_opacities[i];
      slope[kColourOutputs] = d.opacities[i] * opacity * (1 - opacity);
    }
  }
  const float* r = out.rotation + static_cast<std::int64_t>(k) * out.rotation_row;
  float* slope = rotation_slope + static_cast<std::int64_t>(k) * out.rotation_row;
  const float4 q = reinterpret_cast<const float4*>(g.quats)[i];
  const float w = q.x, x = q.y, y = q.z, z = q.w;
  float4& by_quat = reinterpret_cast<float4*>(d.quats)[i];
  const float gw = by_quat.x, gx = by_quat.y, gy = by_quat.z, gz = by_quat.w;
  slope[0] = slope[1] = slope[2] = 0;
  if (gw != 0 || gx != 0 || gy != 0 || gz != 0) {  // a turn that is not a number must not spread
    slope[0] = 0.5f * (-x * gw + w * gx + z * gy - y * gz);
    slope[1] = 0.5f * (-y * gw - z * gx + w * gy + x * gz);
    slope[2] = 0.5f * (-z * gw + y * gx - x * gy + w * gz);
    by_quat =
        make_float4(gw + 0.5f * (r[0] * gx + r[1] * gy + r[2] * gz), gx + 0.5f * (-r[0] * gw - r[2] * gy + r[1] * gz),
                    gy + 0.5f * (-r[1] * gw + r[2] * gx - r[0] * gz), gz + 0.5f * (-r[2] * gw - r[1] * gx + r[0] * gy));
  }
  if (out.rotation_row > 3) {
    const float *turn = d.deformation + 9 * i, *m = d.means + 3 * i;
    const bool any = m[0] != 0 || m[1] != 0 || m[2] != 0;
    for (int c = 0; c < 3; ++c)
      slope[3 + c] = any ? kShiftUnit * (turn[c] * m[0] + turn[3 + c] * m[1] + turn[6 + c] * m[2]) : 0.0f;
  }
}

}  // namespace

void take_colours(const NetworkPoints& points, const NetworkGaussians& gaussians, float* x, int row,
                  cudaStream_t stream) {
  if (points.count == 0) return;
  take_colours_kernel<<<blocks_for(static_cast<std::int64_t>(points.count) * kColourRow), kThreads, 0, stream>>>(
      points, gaussians, x, row);
}

void take_turns(const NetworkPoints& points, const float* quats, float* x, int row, cudaStream_t stream) {
  if (points.count == 0) return;
  take_turns_kernel<<<blocks_for(points.count), kThreads, 0, stream>>>(points, quats, x, row);
}

void take_displacements(const NetworkPoints& points, const Displacements& job, cudaStream_t stream) {
  if (points.count == 0) return;
  take_displacements_kernel<<<blocks_for(points.count), kThreads, 0, stream>>>(points, job);
}

void feel(const Felt& job, cudaStream_t stream) {
  if (job.networks == 0) return;
  feel_kernel<<<job.networks, kWidest, 0, stream>>>(job);
}

void conclude(const NetworkPoints& points, const NetworkGaussians& gaussians, const Conclusions& out,
              cudaStream_t stream) {
  if (points.count == 0) return;
  conclude_kernel<<<blocks_for(points.count), kThreads, 0, stream>>>(points, gaussians, out);
}

void conclude_back(const NetworkPoints& points, const NetworkGaussians& gaussians, const Conclusions& out,
                   const DrawnGradients& gradients, float* feature_slope, float* rotation_slope, cudaStream_t stream) {
  if (points.count == 0) return;
  conclude_back_kernel<<<blocks_for(points.count), kThreads, 0, stream>>>(points, gaussians, out, gradients,
                                                                          feature_slope, rotation_slope);
}

}  // namespace mien::avatar_cuda
