// Real spherical harmonics to degree 3 (Sloan 2008, with 3DGS's signs), in the homogeneous form that 3DGS uses, and
// their derivatives with respect to the direction. For the oracle; the fast kernels use the shorter unit-sphere form.
#pragma once

#include <array>

namespace mien::splat {

// values[k] and derivative[k][axis] for a direction (x, y, z); coefficients beyond `degree` are zero.
template <typename T>
struct ShBasis {
  std::array<T, 16> values = {};
  std::array<std::array<T, 3>, 16> derivative = {};
};

template <typename T>
ShBasis<T> sh_basis(int degree, T x, T y, T z) {
  ShBasis<T> b;
  auto set = [&b](int k, T value, T dx, T dy, T dz) {
    b.values[k] = value;
    b.derivative[k] = {dx, dy, dz};
  };
  set(0, T(0.28209479177387814), 0, 0, 0);
  if (degree < 1) return b;
  const T c1 = T(0.4886025119029199);
  set(1, -c1 * y, 0, -c1, 0);
  set(2, c1 * z, 0, 0, c1);
  set(3, -c1 * x, -c1, 0, 0);
  if (degree < 2) return b;
  const T c2 = T(1.0925484305920792), c20 = T(0.31539156525252005), c22 = T(0.5462742152960396);
  const T xx = x * x, yy = y * y, zz = z * z;
  set(4, c2 * x * y, c2 * y, c2 * x, 0);
  set(5, -c2 * y * z, 0, -c2 * z, -c2 * y);
  set(6, c20 * (2 * zz - xx - yy), -2 * c20 * x, -2 * c20 * y, 4 * c20 * z);
  set(7, -c2 * x * z, -c2 * z, 0, -c2 * x);
  set(8, c22 * (xx - yy), 2 * c22 * x, -2 * c22 * y, 0);
  if (degree < 3) return b;
  const T c33 = T(0.5900435899266435), c32 = T(2.890611442640554), c31 = T(0.4570457994644658);
  const T c30 = T(0.3731763325901154), c3z = T(1.445305721320277);
  set(9, -c33 * y * (3 * xx - yy), -6 * c33 * x * y, -3 * c33 * (xx - yy), 0);
  set(10, c32 * x * y * z, c32 * y * z, c32 * x * z, c32 * x * y);
  set(11, -c31 * y * (4 * zz - xx - yy), 2 * c31 * x * y, -c31 * (4 * zz - xx - 3 * yy), -8 * c31 * y * z);
  set(12, c30 * z * (2 * zz - 3 * xx - 3 * yy), -6 * c30 * x * z, -6 * c30 * y * z, c30 * (6 * zz - 3 * xx - 3 * yy));
  set(13, -c31 * x * (4 * zz - xx - yy), -c31 * (4 * zz - 3 * xx - yy), 2 * c31 * x * y, -8 * c31 * x * z);
  set(14, c3z * z * (xx - yy), 2 * c3z * x * z, -2 * c3z * y * z, c3z * (xx - yy));
  set(15, -c33 * x * (xx - 3 * yy), -3 * c33 * (xx - yy), 6 * c33 * x * y, 0);
  return b;
}

}  // namespace mien::splat
