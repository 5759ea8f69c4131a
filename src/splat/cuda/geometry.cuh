// One Gaussian on its way to the screen: the same quantities for the way there and back. The formulas are those of the
// CPU's kernels_project.inl.
#pragma once

#include "splat/cuda/frame.h"

namespace mien::splat::cuda {

struct Geometry {
  float mean[3], point[3], inverse_z;  // world, camera
  float tx, ty;                        // slopes x/z, y/z held within the view's bounds
  bool free_x, free_y;                 // not held
  float q[4], inverse_norm;            // unit quaternion, and what made it unit
  float rotation[9], deformation[9], axes[9], scales[3];
  float projection[6], screen_axes[6];
  float cov_xx, cov_xy, cov_yy, determinant;
  float u, v;
};

__device__ inline float dot3(float a0, float a1, float a2, float b0, float b1, float b2) {
  return fmaf(a0, b0, fmaf(a1, b1, a2 * b2));
}

__device__ inline float camera_depth(const View& view, const float* mean) {
  const float* r = view.rotation;
  return fmaf(mean[0], r[6], fmaf(mean[1], r[7], fmaf(mean[2], r[8], view.translation[2])));
}

__device__ inline void place(const Cloud& cloud, const View& view, int i, Geometry& g) {
  const float* r = view.rotation;
  for (int k = 0; k < 3; ++k) g.mean[k] = cloud.means[3 * i + k];
  for (int k = 0; k < 2; ++k)
    g.point[k] =
        fmaf(g.mean[0], r[3 * k], fmaf(g.mean[1], r[3 * k + 1], fmaf(g.mean[2], r[3 * k + 2], view.translation[k])));
  g.point[2] = camera_depth(view, g.mean);
  g.inverse_z = 1 / g.point[2];
  const float slope_x = g.point[0] * g.inverse_z, slope_y = g.point[1] * g.inverse_z;
  g.u = fmaf(slope_x, view.fx, view.cx);
  g.v = fmaf(slope_y, view.fy, view.cy);
  g.tx = fminf(fmaxf(slope_x, view.left), view.right);
  g.ty = fminf(fmaxf(slope_y, view.top), view.bottom);
  g.free_x = slope_x >= view.left && slope_x <= view.right;
  g.free_y = slope_y >= view.top && slope_y <= view.bottom;

  const float4 quat = reinterpret_cast<const float4*>(cloud.quats)[i];
  g.inverse_norm = rsqrtf(fmaf(quat.x, quat.x, fmaf(quat.y, quat.y, fmaf(quat.z, quat.z, quat.w * quat.w))));
  g.q[0] = quat.x * g.inverse_norm;
  g.q[1] = quat.y * g.inverse_norm;
  g.q[2] = quat.z * g.inverse_norm;
  g.q[3] = quat.w * g.inverse_norm;
  const float w = g.q[0], x = g.q[1], y = g.q[2], z = g.q[3];
  g.rotation[0] = 1 - 2 * (y * y + z * z);
  g.rotation[1] = 2 * (x * y - w * z);
  g.rotation[2] = 2 * (x * z + w * y);
  g.rotation[3] = 2 * (x * y + w * z);
  g.rotation[4] = 1 - 2 * (x * x + z * z);
  g.rotation[5] = 2 * (y * z - w * x);
  g.rotation[6] = 2 * (x * z - w * y);
  g.rotation[7] = 2 * (y * z + w * x);
  g.rotation[8] = 1 - 2 * (x * x + y * y);
  for (int k = 0; k < 3; ++k) g.scales[k] = cloud.scales[3 * i + k];
  float scaled[9];
  for (int k = 0; k < 9; ++k) scaled[k] = g.axes[k] = g.rotation[k] * g.scales[k % 3];
  if (cloud.deformation != nullptr) {
    for (int k = 0; k < 9; ++k) g.deformation[k] = cloud.deformation[9 * i + k];
    for (int a = 0; a < 3; ++a)
      for (int b = 0; b < 3; ++b)
        g.axes[3 * a + b] = dot3(g.deformation[3 * a], g.deformation[3 * a + 1], g.deformation[3 * a + 2], scaled[b],
                                 scaled[3 + b], scaled[6 + b]);
  }
  // J W: the rows of the world-to-camera rotation, foreshortened.
  const float jx = g.inverse_z * view.fx, jy = g.inverse_z * view.fy;
  for (int k = 0; k < 3; ++k) {
    g.projection[k] = jx * fmaf(-g.tx, r[6 + k], r[k]);
    g.projection[3 + k] = jy * fmaf(-g.ty, r[6 + k], r[3 + k]);
  }
  for (int a = 0; a < 2; ++a)
    for (int b = 0; b < 3; ++b)
      g.screen_axes[3 * a + b] = dot3(g.projection[3 * a], g.projection[3 * a + 1], g.projection[3 * a + 2], g.axes[b],
                                      g.axes[3 + b], g.axes[6 + b]);
  const float* p = g.screen_axes;
  g.cov_xx = dot3(p[0], p[1], p[2], p[0], p[1], p[2]) + view.eps2d;
  g.cov_xy = dot3(p[0], p[1], p[2], p[3], p[4], p[5]);
  g.cov_yy = dot3(p[3], p[4], p[5], p[3], p[4], p[5]) + view.eps2d;
  g.determinant = fmaf(g.cov_xx, g.cov_yy, -g.cov_xy * g.cov_xy);
}

struct Direction {
  float unit[3], inverse_norm;
};

// The viewing direction in the Gaussian's canonical pose: normalize(D^T (mean - camera)).
__device__ inline Direction direction_of(const Cloud& cloud, const View& view, const Geometry& g) {
  float d[3] = {g.mean[0] - view.centre[0], g.mean[1] - view.centre[1], g.mean[2] - view.centre[2]};
  if (cloud.deformation != nullptr) {
    const float* m = g.deformation;
    const float x = d[0], y = d[1], z = d[2];
    for (int k = 0; k < 3; ++k) d[k] = dot3(m[k], m[3 + k], m[6 + k], x, y, z);
  }
  const float inverse = rsqrtf(dot3(d[0], d[1], d[2], d[0], d[1], d[2]));
  return {{d[0] * inverse, d[1] * inverse, d[2] * inverse}, inverse};
}

// Spherical harmonics on the unit sphere; zero beyond the degree.
__device__ inline void sh_values(int degree, const float* d, float b[16]) {
  for (int k = 1; k < 16; ++k) b[k] = 0;
  const float x = d[0], y = d[1], z = d[2];
  b[0] = 0.28209479177387814f;
  if (degree < 1) return;
  b[1] = y * -0.4886025119029199f;
  b[2] = z * 0.4886025119029199f;
  b[3] = x * -0.4886025119029199f;
  if (degree < 2) return;
  const float zz = z * z, xy = x * y, difference = fmaf(x, x, -(y * y));
  b[4] = xy * 1.0925484305920792f;
  b[5] = y * z * -1.0925484305920792f;
  b[6] = fmaf(zz, 0.9461746957575601f, -0.31539156525252005f);
  b[7] = x * z * -1.0925484305920792f;
  b[8] = difference * 0.5462742152960396f;
  if (degree < 3) return;
  const float ring = fmaf(zz, -2.285228997322329f, 0.4570457994644658f);
  b[9] = y * fmaf(x * x, 3.0f, -(y * y)) * -0.5900435899266435f;
  b[10] = xy * z * 2.890611442640554f;
  b[11] = y * ring;
  b[12] = z * fmaf(zz, 1.865881662950577f, -1.1195289977703462f);
  b[13] = x * ring;
  b[14] = z * difference * 1.445305721320277f;
  b[15] = x * fmaf(y * y, -3.0f, x * x) * -0.5900435899266435f;
}

// Gradient of sum_k s[k] b[k] with respect to the direction; its part along the direction is of no meaning.
__device__ inline void sh_gradient(int degree, const float* d, const float s[16], float g[3]) {
  const float x = d[0], y = d[1], z = d[2];
  g[0] = g[1] = g[2] = 0;
  if (degree < 1) return;
  g[0] = s[3] * -0.4886025119029199f;
  g[1] = s[1] * -0.4886025119029199f;
  g[2] = s[2] * 0.4886025119029199f;
  if (degree < 2) return;
  const float a4 = s[4] * 1.0925484305920792f, a5 = s[5] * -1.0925484305920792f, a7 = s[7] * -1.0925484305920792f;
  const float a8 = s[8] * 1.0925484305920792f;
  g[0] += dot3(a4, a7, a8, y, z, x);
  g[1] += dot3(a4, -a8, a5, x, y, z);
  g[2] += dot3(a5, a7, s[6] * 1.8923493915151202f, y, x, z);
  if (degree < 3) return;
  const float xx = x * x, yy = y * y, zz = z * z, xy = x * y, xz = x * z, yz = y * z;
  const float ring = fmaf(zz, -2.285228997322329f, 0.4570457994644658f), difference = xx - yy;
  const float a9 = s[9] * -1.7701307697799304f, a15 = s[15] * -1.7701307697799304f;  // three times the constant
  const float a10 = s[10] * 2.890611442640554f, a14 = s[14] * 1.445305721320277f;
  g[0] += fmaf(a9, xy * 2, fmaf(a10, yz, fmaf(s[13], ring, fmaf(a14, xz * 2, a15 * difference))));
  g[1] += fmaf(a9, difference, fmaf(a10, xz, fmaf(s[11], ring, fmaf(a14, yz * -2, a15 * xy * -2))));
  const float tilt = fmaf(s[11], y, s[13] * x) * -4.570457994644658f;
  g[2] +=
      fmaf(a10, xy, fmaf(tilt, z, fmaf(s[12], fmaf(zz, 5.597644988851731f, -1.1195289977703462f), a14 * difference)));
}

}  // namespace mien::splat::cuda
