#include "splat/reference.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "splat/reference_sh.h"

namespace mien::splat {
namespace {

template <typename T>
using Mat3 = std::array<T, 9>;

template <typename T>
Mat3<T> multiply(const Mat3<T>& a, const Mat3<T>& b) {
  Mat3<T> c = {};
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j)
      for (int k = 0; k < 3; ++k) c[3 * i + j] += a[3 * i + k] * b[3 * k + j];
  return c;
}

template <typename T>
Mat3<T> transpose(const Mat3<T>& a) {
  return {a[0], a[3], a[6], a[1], a[4], a[7], a[2], a[5], a[8]};
}

template <typename T>
std::array<T, 3> carry(const Mat3<T>& a, const std::array<T, 3>& v) {
  std::array<T, 3> out = {};
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j) out[i] += a[3 * i + j] * v[j];
  return out;
}

// Everything about one Gaussian on its way to the screen; kept whole so that the gradient can walk back.
template <typename T>
struct Projected {
  bool visible = false;
  std::array<T, 3> camera_point = {};  // metres, camera axes
  std::array<T, 4> unit_quat = {};
  T quat_norm = 1;
  Mat3<T> rotation = {};     // of the Gaussian
  Mat3<T> deformation = {};  // D
  Mat3<T> axes = {};         // K = D R diag(s), covariance = K K^T
  T tx = 0, ty = 0;          // clamped camera x, y used in the Jacobian
  bool clamped_x = false, clamped_y = false;
  std::array<T, 6> jacobian = {};     // J [2,3]
  std::array<T, 6> projection = {};   // M = J W [2,3]
  std::array<T, 6> screen_axes = {};  // P = M K [2,3]
  T u = 0, v = 0;                     // pixels
  T conic_a = 0, conic_b = 0, conic_c = 0;
  int x0 = 0, x1 = 0, y0 = 0, y1 = 0;  // pixels where alpha can reach the floor: [x0, x1) x [y0, y1)
  std::array<T, 3> offset = {};        // D^T (mean - camera centre)
  T offset_norm = 1;
  ShBasis<T> basis;
  std::array<T, 3> colour = {};
  std::array<bool, 3> colour_clamped = {};
};

template <typename T>
Mat3<T> rotation_matrix(const std::array<T, 4>& q) {
  const T w = q[0], x = q[1], y = q[2], z = q[3];
  return {1 - 2 * (y * y + z * z), 2 * (x * y - w * z),     2 * (x * z + w * y),
          2 * (x * y + w * z),     1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
          2 * (x * z - w * y),     2 * (y * z + w * x),     1 - 2 * (x * x + y * y)};
}

template <typename T>
void shade(const ReferenceScene<T>& scene, const ReferenceCamera<T>& camera, std::size_t n, Projected<T>& p) {
  const auto back = transpose(camera.rotation);
  const auto centre = carry(back, camera.translation);  // minus the camera centre
  const std::array<T, 3> d = {scene.means[3 * n] + centre[0], scene.means[3 * n + 1] + centre[1],
                              scene.means[3 * n + 2] + centre[2]};
  p.offset = carry(transpose(p.deformation), d);
  p.offset_norm = std::sqrt(p.offset[0] * p.offset[0] + p.offset[1] * p.offset[1] + p.offset[2] * p.offset[2]);
  p.basis =
      sh_basis(scene.sh_degree, p.offset[0] / p.offset_norm, p.offset[1] / p.offset_norm, p.offset[2] / p.offset_norm);
  for (int c = 0; c < 3; ++c) {
    T value = T(0.5);
    for (std::size_t k = 0; k < 16; ++k) value += p.basis.values[k] * scene.sh[48 * n + 3 * k + c];
    p.colour_clamped[c] = value < 0;
    p.colour[c] = std::max(value, T(0));
  }
}

template <typename T>
Projected<T> project(const ReferenceScene<T>& scene, const ReferenceCamera<T>& camera, std::size_t n) {
  Projected<T> p;
  p.camera_point = carry(camera.rotation, {scene.means[3 * n], scene.means[3 * n + 1], scene.means[3 * n + 2]});
  for (int i = 0; i < 3; ++i) p.camera_point[i] += camera.translation[i];
  const auto [x, y, z] = p.camera_point;
  const T opacity = scene.opacities[n];
  if (!(z >= camera.near_plane) || !(opacity >= T(kAlphaFloor))) return p;

  const T* q = &scene.quats[4 * n];
  p.quat_norm = std::sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3]);
  for (int i = 0; i < 4; ++i) p.unit_quat[i] = q[i] / p.quat_norm;
  p.rotation = rotation_matrix(p.unit_quat);
  p.deformation = {1, 0, 0, 0, 1, 0, 0, 0, 1};
  if (!scene.deformation.empty()) std::copy_n(&scene.deformation[9 * n], 9, p.deformation.begin());
  Mat3<T> scaled = p.rotation;
  for (int i = 0; i < 9; ++i) scaled[i] *= scene.scales[3 * n + i % 3];
  p.axes = multiply(p.deformation, scaled);

  // The affine approximation is bad far outside the picture: the ray slope is held within 15 % of a picture beyond it.
  const T slack_x = T(0.3) * T(0.5) * camera.width / camera.fx, slack_y = T(0.3) * T(0.5) * camera.height / camera.fy;
  const T right = (camera.width - camera.cx) / camera.fx + slack_x, left = -camera.cx / camera.fx - slack_x;
  const T bottom = (camera.height - camera.cy) / camera.fy + slack_y, top = -camera.cy / camera.fy - slack_y;
  p.tx = z * std::clamp(x / z, left, right);
  p.ty = z * std::clamp(y / z, top, bottom);
  p.clamped_x = x / z < left || x / z > right;
  p.clamped_y = y / z < top || y / z > bottom;
  p.jacobian = {camera.fx / z, 0, -camera.fx * p.tx / (z * z), 0, camera.fy / z, -camera.fy * p.ty / (z * z)};
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 3; ++j)
      for (int k = 0; k < 3; ++k) p.projection[3 * i + j] += p.jacobian[3 * i + k] * camera.rotation[3 * k + j];
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 3; ++j)
      for (int k = 0; k < 3; ++k) p.screen_axes[3 * i + j] += p.projection[3 * i + k] * p.axes[3 * k + j];
  T cov[3] = {camera.eps2d, 0, camera.eps2d};
  for (int k = 0; k < 3; ++k) {
    cov[0] += p.screen_axes[k] * p.screen_axes[k];
    cov[1] += p.screen_axes[k] * p.screen_axes[3 + k];
    cov[2] += p.screen_axes[3 + k] * p.screen_axes[3 + k];
  }
  const T det = cov[0] * cov[2] - cov[1] * cov[1];
  if (!(det > 0)) return p;
  p.conic_a = cov[2] / det;
  p.conic_b = -cov[1] / det;
  p.conic_c = cov[0] / det;
  p.u = camera.fx * x / z + camera.cx;
  p.v = camera.fy * y / z + camera.cy;
  const T reach = std::sqrt(2 * std::log(opacity / T(kAlphaFloor)));  // in standard deviations
  const T rx = reach * std::sqrt(cov[0]) + 1, ry = reach * std::sqrt(cov[2]) + 1;
  auto pixel = [](T value, int size) { return static_cast<int>(std::clamp(value, T(0), T(size))); };
  p.x0 = pixel(std::floor(p.u - rx), camera.width);
  p.x1 = pixel(std::ceil(p.u + rx), camera.width);
  p.y0 = pixel(std::floor(p.v - ry), camera.height);
  p.y1 = pixel(std::ceil(p.v + ry), camera.height);
  p.visible = p.x1 > p.x0 && p.y1 > p.y0;
  if (p.visible) shade(scene, camera, n, p);
  return p;
}

template <typename T>
struct Prepared {
  std::vector<Projected<T>> gaussians;
  std::vector<std::size_t> order;  // visible ones, near to far, ties by index
};

template <typename T>
Prepared<T> prepare(const ReferenceScene<T>& scene, const ReferenceCamera<T>& camera) {
  Prepared<T> out;
  for (std::size_t n = 0; n < scene.count(); ++n) {
    out.gaussians.push_back(project(scene, camera, n));
    if (out.gaussians.back().visible) out.order.push_back(n);
  }
  std::stable_sort(out.order.begin(), out.order.end(), [&](std::size_t a, std::size_t b) {
    return out.gaussians[a].camera_point[2] < out.gaussians[b].camera_point[2];
  });
  return out;
}

// Opacity at a pixel before the ceiling, and the Gaussian's falloff there.
template <typename T>
struct Sample {
  T dx, dy, falloff, alpha;
};
template <typename T>
Sample<T> sample(const Projected<T>& p, T opacity, int px, int py) {
  Sample<T> s;
  s.dx = p.u - (T(px) + T(0.5));
  s.dy = p.v - (T(py) + T(0.5));
  const T sigma = T(0.5) * (p.conic_a * s.dx * s.dx + p.conic_c * s.dy * s.dy) + p.conic_b * s.dx * s.dy;
  s.falloff = std::exp(-sigma);
  s.alpha = sigma < 0 ? T(0) : opacity * s.falloff;
  return s;
}

// The result of compositing, with what the reverse walk needs: rank of the first Gaussian that was not drawn any more.
template <typename T>
struct Composite {
  std::vector<T> rgb, transmittance;
  std::vector<std::size_t> end;
};

template <typename T>
Composite<T> composite(const ReferenceScene<T>& scene, const ReferenceCamera<T>& camera, const Prepared<T>& prepared) {
  const std::size_t pixels = static_cast<std::size_t>(camera.width) * camera.height;
  Composite<T> out{std::vector<T>(3 * pixels, 0), std::vector<T>(pixels, 1),
                   std::vector<std::size_t>(pixels, prepared.order.size())};
  for (std::size_t rank = 0; rank < prepared.order.size(); ++rank) {
    const std::size_t n = prepared.order[rank];
    const Projected<T>& p = prepared.gaussians[n];
    for (int y = p.y0; y < p.y1; ++y) {
      for (int x = p.x0; x < p.x1; ++x) {
        const std::size_t i = static_cast<std::size_t>(y) * camera.width + x;
        if (out.end[i] <= rank) continue;
        const T alpha = std::min(sample(p, scene.opacities[n], x, y).alpha, T(kAlphaCeiling));
        if (alpha < T(kAlphaFloor)) continue;
        const T next = out.transmittance[i] * (1 - alpha);
        if (next <= T(kTransmittanceStop)) {
          out.end[i] = rank;
          continue;
        }
        for (int c = 0; c < 3; ++c) out.rgb[3 * i + c] += p.colour[c] * alpha * out.transmittance[i];
        out.transmittance[i] = next;
      }
    }
  }
  for (std::size_t i = 0; i < pixels; ++i)
    for (int c = 0; c < 3; ++c) out.rgb[3 * i + c] += out.transmittance[i] * camera.background[c];
  return out;
}

template <typename T>
struct ScreenGradient {
  T u = 0, v = 0, a = 0, b = 0, c = 0;
  std::array<T, 3> colour = {};
};

// Back to front: `behind` is the colour composited behind the current Gaussian, weighted by the incoming gradient.
template <typename T>
std::vector<ScreenGradient<T>> composite_backward(const ReferenceScene<T>& scene, const ReferenceCamera<T>& camera,
                                                  const Prepared<T>& prepared, const std::vector<T>& d_rgb,
                                                  const std::vector<T>& d_alpha, ReferenceGradients<T>& gradients) {
  const Composite<T> image = composite(scene, camera, prepared);
  std::vector<ScreenGradient<T>> out(scene.count());
  std::vector<T> transmittance = image.transmittance;
  std::vector<T> behind(transmittance.size());
  for (std::size_t i = 0; i < behind.size(); ++i) {
    for (int c = 0; c < 3; ++c) behind[i] += camera.background[c] * d_rgb[3 * i + c];
    if (!d_alpha.empty()) behind[i] -= d_alpha[i];
  }
  for (std::size_t rank = prepared.order.size(); rank-- > 0;) {
    const std::size_t n = prepared.order[rank];
    const Projected<T>& p = prepared.gaussians[n];
    ScreenGradient<T>& g = out[n];
    for (int y = p.y0; y < p.y1; ++y) {
      for (int x = p.x0; x < p.x1; ++x) {
        const std::size_t i = static_cast<std::size_t>(y) * camera.width + x;
        if (image.end[i] <= rank) continue;
        const Sample<T> s = sample(p, scene.opacities[n], x, y);
        const T alpha = std::min(s.alpha, T(kAlphaCeiling));
        if (alpha < T(kAlphaFloor)) continue;
        transmittance[i] /= 1 - alpha;  // now what reaches this Gaussian
        T own = 0;
        for (int c = 0; c < 3; ++c) {
          own += p.colour[c] * d_rgb[3 * i + c];
          g.colour[c] += alpha * transmittance[i] * d_rgb[3 * i + c];
        }
        const T d_alpha_here = transmittance[i] * (own - behind[i]);
        behind[i] = alpha * own + (1 - alpha) * behind[i];
        if (s.alpha > T(kAlphaCeiling)) continue;
        gradients.opacities[n] += s.falloff * d_alpha_here;
        const T d_sigma = -s.alpha * d_alpha_here;
        g.a += T(0.5) * s.dx * s.dx * d_sigma;
        g.b += s.dx * s.dy * d_sigma;
        g.c += T(0.5) * s.dy * s.dy * d_sigma;
        g.u += (p.conic_a * s.dx + p.conic_b * s.dy) * d_sigma;
        g.v += (p.conic_b * s.dx + p.conic_c * s.dy) * d_sigma;
      }
    }
  }
  return out;
}

// Colour -> SH coefficients and viewing direction -> mean.
template <typename T>
void shade_backward(const ReferenceScene<T>& scene, std::size_t n, const Projected<T>& p, const ScreenGradient<T>& g,
                    ReferenceGradients<T>& out) {
  std::array<T, 3> d_direction = {};
  for (int c = 0; c < 3; ++c) {
    if (p.colour_clamped[c]) continue;
    for (std::size_t k = 0; k < 16; ++k) {
      out.sh[48 * n + 3 * k + c] += p.basis.values[k] * g.colour[c];
      for (int a = 0; a < 3; ++a)
        d_direction[a] += p.basis.derivative[k][a] * scene.sh[48 * n + 3 * k + c] * g.colour[c];
    }
  }
  T along = 0;
  for (int a = 0; a < 3; ++a) along += d_direction[a] * p.offset[a] / p.offset_norm;
  std::array<T, 3> d_offset;
  for (int a = 0; a < 3; ++a) d_offset[a] = (d_direction[a] - along * p.offset[a] / p.offset_norm) / p.offset_norm;
  const auto d_mean = carry(p.deformation, d_offset);
  for (int a = 0; a < 3; ++a) out.means[3 * n + a] += d_mean[a];
}

template <typename T>
void quaternion_backward(const Projected<T>& p, const Mat3<T>& v, T* out) {
  const auto [w, x, y, z] = p.unit_quat;
  const std::array<T, 4> d = {2 * (x * (v[7] - v[5]) + y * (v[2] - v[6]) + z * (v[3] - v[1])),
                              2 * (-2 * x * (v[4] + v[8]) + y * (v[3] + v[1]) + z * (v[6] + v[2]) + w * (v[7] - v[5])),
                              2 * (x * (v[3] + v[1]) - 2 * y * (v[0] + v[8]) + z * (v[7] + v[5]) + w * (v[2] - v[6])),
                              2 * (x * (v[6] + v[2]) + y * (v[7] + v[5]) - 2 * z * (v[0] + v[4]) + w * (v[3] - v[1]))};
  T along = 0;
  for (int i = 0; i < 4; ++i) along += d[i] * p.unit_quat[i];
  for (int i = 0; i < 4; ++i) out[i] += (d[i] - along * p.unit_quat[i]) / p.quat_norm;
}

template <typename T>
void project_backward(const ReferenceScene<T>& scene, const ReferenceCamera<T>& camera, std::size_t n,
                      const Projected<T>& p, const ScreenGradient<T>& g, ReferenceGradients<T>& out) {
  shade_backward(scene, n, p, g, out);
  // d(inverse) = -X G X, with X the conic and G its gradient as a symmetric matrix.
  const T x[4] = {p.conic_a, p.conic_b, p.conic_b, p.conic_c}, h[4] = {g.a, g.b / 2, g.b / 2, g.c};
  T d_cov[4] = {};
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 2; ++j)
      for (int k = 0; k < 2; ++k)
        for (int l = 0; l < 2; ++l) d_cov[2 * i + j] -= x[2 * i + k] * h[2 * k + l] * x[2 * l + j];
  T d_screen[6] = {}, d_projection[6] = {}, d_jacobian[6] = {};
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 3; ++j)
      for (int k = 0; k < 2; ++k) d_screen[3 * i + j] += 2 * d_cov[2 * i + k] * p.screen_axes[3 * k + j];
  Mat3<T> d_axes = {};
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 3; ++j)
      for (int k = 0; k < 3; ++k) {
        d_axes[3 * k + j] += p.projection[3 * i + k] * d_screen[3 * i + j];
        d_projection[3 * i + k] += d_screen[3 * i + j] * p.axes[3 * k + j];
      }
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 3; ++j)
      for (int k = 0; k < 3; ++k) d_jacobian[3 * i + j] += d_projection[3 * i + k] * camera.rotation[3 * j + k];

  const auto d_scaled = multiply(transpose(p.deformation), d_axes);
  Mat3<T> d_rotation;
  for (int i = 0; i < 9; ++i) {
    d_rotation[i] = d_scaled[i] * scene.scales[3 * n + i % 3];
    out.scales[3 * n + i % 3] += d_scaled[i] * p.rotation[i];
  }
  quaternion_backward(p, d_rotation, &out.quats[4 * n]);

  const auto [cx, cy, cz] = p.camera_point;
  const T rz = 1 / cz, rz2 = rz * rz;
  const T fx = camera.fx, fy = camera.fy;
  std::array<T, 3> d_point = {fx * rz * g.u, fy * rz * g.v, -(fx * cx * g.u + fy * cy * g.v) * rz2};
  d_point[2] -= rz2 * (fx * d_jacobian[0] + fy * d_jacobian[4]);
  // J02 = -fx tx / z^2, where tx = x, or a constant times z when clamped.
  d_point[0] -= p.clamped_x ? T(0) : fx * rz2 * d_jacobian[2];
  d_point[1] -= p.clamped_y ? T(0) : fy * rz2 * d_jacobian[5];
  d_point[2] += (p.clamped_x ? 1 : 2) * fx * p.tx * rz2 * rz * d_jacobian[2];
  d_point[2] += (p.clamped_y ? 1 : 2) * fy * p.ty * rz2 * rz * d_jacobian[5];
  const auto d_mean = carry(transpose(camera.rotation), d_point);
  for (int a = 0; a < 3; ++a) out.means[3 * n + a] += d_mean[a];
  out.mean2d[2 * n] = g.u;
  out.mean2d[2 * n + 1] = g.v;
}

}  // namespace

template <typename T>
ReferenceImage<T> reference_forward(const ReferenceScene<T>& scene, const ReferenceCamera<T>& camera) {
  Composite<T> image = composite(scene, camera, prepare(scene, camera));
  for (T& t : image.transmittance) t = 1 - t;
  return {std::move(image.rgb), std::move(image.transmittance)};
}

template <typename T>
ReferenceGradients<T> reference_backward(const ReferenceScene<T>& scene, const ReferenceCamera<T>& camera,
                                         const std::vector<T>& d_rgb, const std::vector<T>& d_alpha) {
  const std::size_t n = scene.count();
  ReferenceGradients<T> out{std::vector<T>(3 * n), std::vector<T>(4 * n),  std::vector<T>(3 * n),
                            std::vector<T>(n),     std::vector<T>(48 * n), std::vector<T>(2 * n)};
  const Prepared<T> prepared = prepare(scene, camera);
  const auto screen = composite_backward(scene, camera, prepared, d_rgb, d_alpha, out);
  for (const std::size_t i : prepared.order) project_backward(scene, camera, i, prepared.gaussians[i], screen[i], out);
  return out;
}

template ReferenceImage<double> reference_forward(const ReferenceScene<double>&, const ReferenceCamera<double>&);
template ReferenceGradients<double> reference_backward(const ReferenceScene<double>&, const ReferenceCamera<double>&,
                                                       const std::vector<double>&, const std::vector<double>&);
template ReferenceImage<float> reference_forward(const ReferenceScene<float>&, const ReferenceCamera<float>&);
template ReferenceGradients<float> reference_backward(const ReferenceScene<float>&, const ReferenceCamera<float>&,
                                                      const std::vector<float>&, const std::vector<float>&);

}  // namespace mien::splat
