#include "gaussian_avatar/cuda/head.h"

namespace mien::avatar_cuda {
namespace {

constexpr int kThreads = 128;
constexpr float kCentimetres = 100;

__device__ inline float3 times(const float* m, float3 p) {
  return make_float3(m[0] * p.x + m[1] * p.y + m[2] * p.z, m[3] * p.x + m[4] * p.y + m[5] * p.z,
                     m[6] * p.x + m[7] * p.y + m[8] * p.z);
}

__device__ inline float3 turned(const float* matrix, const float* centre, float3 p) {
  const float3 q = times(matrix, make_float3(p.x - centre[0], p.y - centre[1], p.z - centre[2]));
  return make_float3(q.x + centre[0], q.y + centre[1], q.z + centre[2]);
}

// A share of a rotation: see Poser.
__device__ inline float3 partly_turned(const Turn& turn, float4 q, float share, float3 p) {
  if (share <= 0) return p;
  if (share >= 1) return turned(turn.matrix, turn.centre, p);
  const float s = q.w < 0 ? -share : share;
  float w = 1 - share + s * q.w, x = s * q.x, y = s * q.y, z = s * q.z;
  const float scale = 1 / sqrtf(w * w + x * x + y * y + z * z);
  w *= scale;
  x *= scale;
  y *= scale;
  z *= scale;
  const float m[9] = {1 - 2 * (y * y + z * z), 2 * (x * y - w * z),     2 * (x * z + w * y),
                      2 * (x * y + w * z),     1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
                      2 * (x * z - w * y),     2 * (y * z + w * x),     1 - 2 * (x * x + y * y)};
  return turned(m, turn.centre, p);
}

// A thread a vertex, and one for the whole.
__global__ void __launch_bounds__(kThreads)
    move_head_kernel(const __grid_constant__ Head head, const __grid_constant__ HeadMoment moment, float* posed,
                     float* moved) {
  const int v = blockIdx.x * kThreads + threadIdx.x;
  if (v == head.vertices && moved != nullptr)
    for (int c = 0; c < 3; ++c) moved[3 * v + c] = moment.carried[c];
  if (v >= head.vertices) return;
  const float* rest = head.canonical + 3 * v;
  float3 d = make_float3(0, 0, 0);
  for (int k = 0; k < moment.active_count; ++k) {
    const Active active = moment.active[k];
    const float* mode = head.expression + 3 * (static_cast<std::int64_t>(active.expression) * head.vertices + v);
    d.x = fmaf(active.weight, mode[0], d.x);
    d.y = fmaf(active.weight, mode[1], d.y);
    d.z = fmaf(active.weight, mode[2], d.z);
  }
  if (moment.offsets != nullptr) {
    d.x += moment.offsets[3 * v];
    d.y += moment.offsets[3 * v + 1];
    d.z += moment.offsets[3 * v + 2];
  }
  if (moved != nullptr) {
    moved[3 * v] = kCentimetres * d.x;
    moved[3 * v + 1] = kCentimetres * d.y;
    moved[3 * v + 2] = kCentimetres * d.z;
  }
  float3 p = make_float3(rest[0] + d.x, rest[1] + d.y, rest[2] + d.z);
  const int eye = head.eye[v];
  if (eye != 0) p = turned(moment.eyes[eye - 1].matrix, moment.eyes[eye - 1].centre, p);
  const float2 share = head.shares[v];
  p = partly_turned(moment.head, moment.head_quaternion, share.y, p);
  p = partly_turned(moment.neck, moment.neck_quaternion, share.x, p);
  p = times(moment.root, p);
  posed[3 * v] = p.x + moment.translation[0];
  posed[3 * v + 1] = p.y + moment.translation[1];
  posed[3 * v + 2] = p.z + moment.translation[2];
}

}  // namespace

void move_head(const Head& head, const HeadMoment& moment, float* posed, float* moved, cudaStream_t stream) {
  if (head.vertices == 0) return;
  move_head_kernel<<<head.vertices / kThreads + 1, kThreads, 0, stream>>>(head, moment, posed, moved);
}

}  // namespace mien::avatar_cuda
