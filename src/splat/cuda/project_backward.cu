// Gradients from the screen back to the parameters. A thread a Gaussian adds up its rows of sums and walks back through
// the projection, whose quantities are computed again; the coefficients' gradients are written by the block together,
// so that neighbouring threads write neighbouring bytes.
#include "splat/cuda/boxes.cuh"
#include "splat/cuda/geometry.cuh"

namespace mien::splat::cuda {
namespace {

constexpr int kThreads = 64;
constexpr int kPitch = 17;  // floats between the bases of two Gaussians: odd, against bank conflicts

struct Shared {
  float basis[kThreads * kPitch];
  float d_colour[kThreads * 3];
  bool drawn[kThreads];
};

// The Gaussian's sums over all its pixels; returns whether it was drawn at all.
__device__ bool collect(const Frame& frame, int i, float sums[9]) {
  const Workspace& w = frame.w;
  const int area = i < frame.cloud.count && w.status->rows <= w.capacity ? area_of(w.boxes[i]) : 0;
  if (area == 0) return false;
  const std::uint32_t first = w.rows[i];
  if (area <= kSmallTiles) return add_rows(w, first, first + row_count(w, i), 1, sums);
  const float* totals = w.totals + static_cast<std::int64_t>(i) * kRowFloats;
  for (int k = 0; k < 9; ++k) sums[k] = totals[k];
  return totals[9] != 0;
}

// The gradient of the mean through the viewing direction, and what the block needs for the coefficients.
__device__ void shade_backward(const Cloud& cloud, const View& view, int i, const Geometry& g, const float d_colour[3],
                               float* basis_out, float out[3]) {
  const Direction direction = direction_of(cloud, view, g);
  float basis[16], weights[16] = {};
  sh_values(cloud.sh_degree, direction.unit, basis);
  for (int k = 0; k < 16; ++k) basis_out[k] = basis[k];
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
      weights[place / 3] = fmaf(values[l], d_colour[place % 3], weights[place / 3]);
    }
  }
  float s[3], d[3];
  const float* unit = direction.unit;
  sh_gradient(cloud.sh_degree, unit, weights, s);
  const float along = dot3(s[0], s[1], s[2], unit[0], unit[1], unit[2]);
  for (int k = 0; k < 3; ++k) d[k] = fmaf(-along, unit[k], s[k]) * direction.inverse_norm;
  const float* m = g.deformation;
  for (int k = 0; k < 3; ++k)
    out[k] = cloud.deformation == nullptr ? d[k] : dot3(m[3 * k], m[3 * k + 1], m[3 * k + 2], d[0], d[1], d[2]);
}

// v: gradient of the rotation matrix. out: of w, x, y, z before normalisation.
__device__ void quaternion_backward(const Geometry& g, const float v[9], float out[4]) {
  const float w = g.q[0], x = g.q[1], y = g.q[2], z = g.q[3];
  const float yz = v[7] - v[5], zx = v[2] - v[6], xy = v[3] - v[1];
  const float sum_xy = v[3] + v[1], sum_xz = v[6] + v[2], sum_yz = v[7] + v[5];
  const float d[4] = {2 * (x * yz + y * zx + z * xy), 2 * (y * sum_xy + z * sum_xz + w * yz - 2 * x * (v[4] + v[8])),
                      2 * (x * sum_xy + z * sum_yz + w * zx - 2 * y * (v[0] + v[8])),
                      2 * (x * sum_xz + y * sum_yz + w * xy - 2 * z * (v[0] + v[4]))};
  const float along = d[0] * w + d[1] * x + d[2] * y + d[3] * z;
  for (int k = 0; k < 4; ++k) out[k] = (d[k] - along * g.q[k]) * g.inverse_norm;
}

struct Derivatives {
  float means[3], quats[4], scales[3], opacity, mean2d_norm;
};

__device__ void walk_back(const Frame& frame, int i, const float sums[9], float* basis, float* d_colour,
                          Derivatives& out) {
  const Cloud& cloud = frame.cloud;
  const View& view = frame.view;
  Geometry g;
  place(cloud, view, i, g);
  const float4 shown = frame.w.records[3 * static_cast<std::int64_t>(i) + 2];
  const float dc[3] = {shown.x > 0 ? sums[6] : 0, shown.y > 0 ? sums[7] : 0, shown.z > 0 ? sums[8] : 0};
  for (int k = 0; k < 3; ++k) d_colour[k] = dc[k];
  float through_colour[3];
  shade_backward(cloud, view, i, g, dc, basis, through_colour);

  out.opacity = sums[0] / cloud.opacities[i];
  const float inverse = 1 / g.determinant;
  const float a = g.cov_yy * inverse, b = -g.cov_xy * inverse, c = g.cov_xx * inverse;
  const float du = -fmaf(a, sums[1], b * sums[2]), dv = -fmaf(b, sums[1], c * sums[2]);
  out.mean2d_norm = sqrtf(fmaf(du, du, dv * dv));
  // Covariance: -X G X, with X the conic and G its gradient (halves of the sums of e dx dx, e dx dy, e dy dy,
  // negative).
  const float ga = -0.5f * sums[3], gb = -0.5f * sums[4], gc = -0.5f * sums[5];
  const float p00 = a * ga + b * gb, p01 = a * gb + b * gc, p10 = b * ga + c * gb, p11 = b * gb + c * gc;
  const float d00 = -2 * (p00 * a + p01 * b), d01 = -2 * (p00 * b + p01 * c), d11 = -2 * (p10 * b + p11 * c);
  float d_screen[6], d_axes[9], d_projection[6];
  for (int k = 0; k < 3; ++k) {
    d_screen[k] = fmaf(d00, g.screen_axes[k], d01 * g.screen_axes[3 + k]);
    d_screen[3 + k] = fmaf(d01, g.screen_axes[k], d11 * g.screen_axes[3 + k]);
  }
  for (int k = 0; k < 3; ++k) {
    for (int j = 0; j < 3; ++j)
      d_axes[3 * k + j] = fmaf(g.projection[k], d_screen[j], g.projection[3 + k] * d_screen[3 + j]);
    for (int r = 0; r < 2; ++r)
      d_projection[3 * r + k] = dot3(d_screen[3 * r], d_screen[3 * r + 1], d_screen[3 * r + 2], g.axes[3 * k],
                                     g.axes[3 * k + 1], g.axes[3 * k + 2]);
  }
  const float* m = view.rotation;
  auto against = [&](int i0, int row) {
    return dot3(d_projection[3 * i0], d_projection[3 * i0 + 1], d_projection[3 * i0 + 2], m[3 * row], m[3 * row + 1],
                m[3 * row + 2]);
  };
  const float j00 = against(0, 0), j02 = against(0, 2), j11 = against(1, 1), j12 = against(1, 2);

  float d_rotation[9];
  for (int j = 0; j < 3; ++j) {
    float column[3];
    for (int k = 0; k < 3; ++k)
      column[k] = cloud.deformation == nullptr ? d_axes[3 * k + j]
                                               : dot3(g.deformation[k], g.deformation[3 + k], g.deformation[6 + k],
                                                      d_axes[j], d_axes[3 + j], d_axes[6 + j]);
    out.scales[j] = dot3(column[0], column[1], column[2], g.rotation[j], g.rotation[3 + j], g.rotation[6 + j]);
    for (int k = 0; k < 3; ++k) d_rotation[3 * k + j] = column[k] * g.scales[j];
  }
  quaternion_backward(g, d_rotation, out.quats);

  // J00 = fx / z, J02 = -fx tx / z with tx = x / z where free, a constant where held; the same for y.
  const float rz = g.inverse_z, fx = view.fx, fy = view.fy;
  const float dx = fx * rz * (du - (g.free_x ? rz * j02 : 0.0f)), dy = fy * rz * (dv - (g.free_y ? rz * j12 : 0.0f));
  const float along_x = fx * (rz * ((g.free_x ? 2 : 1) * g.tx * j02 - j00) - g.point[0] * rz * du);
  const float along_y = fy * (rz * ((g.free_y ? 2 : 1) * g.ty * j12 - j11) - g.point[1] * rz * dv);
  const float dz = rz * (along_x + along_y);
  for (int k = 0; k < 3; ++k) out.means[k] = dot3(dx, dy, dz, m[k], m[3 + k], m[6 + k]) + through_colour[k];
}

template <int width>
__device__ inline void put(float* base, int i, const float* values, bool add) {
  for (int k = 0; k < width; ++k) {
    float* out = base + static_cast<std::int64_t>(i) * width + k;
    *out = add ? *out + values[k] : values[k];
  }
}

__global__ void __launch_bounds__(kThreads)
    project_backward_kernel(const __grid_constant__ Frame frame, const __grid_constant__ Gradients out) {
  __shared__ Shared shared;
  const int first = blockIdx.x * kThreads, i = first + threadIdx.x, count = frame.cloud.count;
  float sums[9];
  const bool drawn = collect(frame, i, sums);
  shared.drawn[threadIdx.x] = drawn;
  float *basis = shared.basis + threadIdx.x * kPitch, *d_colour = shared.d_colour + threadIdx.x * 3;
  if (drawn || (i < count && !out.add)) {
    Derivatives d = {};
    if (drawn) walk_back(frame, i, sums, basis, d_colour, d);
    put<3>(out.means, i, d.means, out.add);
    put<4>(out.quats, i, d.quats, out.add);
    put<3>(out.scales, i, d.scales, out.add);
    put<1>(out.opacities, i, &d.opacity, out.add);
    if (out.mean2d_norm != nullptr) put<1>(out.mean2d_norm, i, &d.mean2d_norm, out.add);
  }
  __syncthreads();
  float4* rows = reinterpret_cast<float4*>(out.sh) + static_cast<std::int64_t>(first) * 12;
  const int here = min(kThreads, count - first);
  for (int k = threadIdx.x; k < here * 12; k += kThreads) {
    const int row = k / 12, part = k % 12;
    float4 v = make_float4(0, 0, 0, 0);
    if (shared.drawn[row]) {
      if (out.add) v = rows[k];
      auto value = [&](int place) {
        return shared.basis[row * kPitch + place / 3] * shared.d_colour[row * 3 + place % 3];
      };
      v.x += value(4 * part);
      v.y += value(4 * part + 1);
      v.z += value(4 * part + 2);
      v.w += value(4 * part + 3);
    } else if (out.add) {
      continue;
    }
    rows[k] = v;
  }
}

}  // namespace

void project_backward(const Frame& frame, const Gradients& gradients, cudaStream_t stream) {
  if (frame.cloud.count == 0) return;
  project_backward_kernel<<<(frame.cloud.count + kThreads - 1) / kThreads, kThreads, 0, stream>>>(frame, gradients);
}

}  // namespace mien::splat::cuda
