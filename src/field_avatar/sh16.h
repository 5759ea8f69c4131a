// Real spherical harmonics up to degree 3 (16 values) of a unit direction; the same code for both processors.
#pragma once

#include "mien/geometry/triangle_tree.h"

namespace mien {

template <typename T>
MIEN_HD void direction_features(const float* direction, T* out) {
  const T x = static_cast<T>(direction[0]), y = static_cast<T>(direction[1]), z = static_cast<T>(direction[2]);
  const T xx = x * x, yy = y * y, zz = z * z, xy = x * y, yz = y * z, xz = x * z;
  out[0] = T(0.28209479177387814);
  out[1] = T(-0.48860251190291987) * y;
  out[2] = T(0.48860251190291987) * z;
  out[3] = T(-0.48860251190291987) * x;
  out[4] = T(1.0925484305920792) * xy;
  out[5] = T(-1.0925484305920792) * yz;
  out[6] = T(0.94617469575756008) * zz - T(0.31539156525252005);
  out[7] = T(-1.0925484305920792) * xz;
  out[8] = T(0.54627421529603959) * (xx - yy);
  out[9] = T(0.59004358992664352) * y * (yy - T(3) * xx);
  out[10] = T(2.8906114426405538) * xy * z;
  out[11] = T(0.45704579946446572) * y * (T(1) - T(5) * zz);
  out[12] = T(0.3731763325901154) * z * (T(5) * zz - T(3));
  out[13] = T(0.45704579946446572) * x * (T(1) - T(5) * zz);
  out[14] = T(1.4453057213202769) * z * (xx - yy);
  out[15] = T(0.59004358992664352) * x * (T(3) * yy - xx);
}

}  // namespace mien
