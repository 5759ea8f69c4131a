// Part of the kernels: Gaussians to the screen, kLanes at a time, and the way back. Included by kernels_*.cpp inside
// the namespace of an instruction set.

struct V3 {
  F x, y, z;
};
struct Quaternion {
  F w, x, y, z, inverse_norm;
};
struct Matrix {
  F m[9];
};

inline F dot(const V3& a, const V3& b) {
  return fma(a.x, b.x, fma(a.y, b.y, a.z * b.z));
}

// `width` floats of each of kLanes consecutive Gaussians from `first` on, one vector a component; past the end the last
// Gaussian is repeated.
template <int width>
inline void gather(const float* base, int first, int count, F* out) {
  if (first + kLanes <= count) {
    load_rows<width>(base + static_cast<std::int64_t>(first) * width, out);
    return;
  }
  alignas(64) float lanes[width][kLanes];
  for (int l = 0; l < kLanes; ++l) {
    const float* row = base + static_cast<std::int64_t>(first + l < count ? first + l : count - 1) * width;
    for (int k = 0; k < width; ++k) lanes[k][l] = row[k];
  }
  for (int k = 0; k < width; ++k) out[k] = load(lanes[k]);
}

// Asks for the spherical harmonics of the group after next; a macro, because GCC drops calls that only prefetch.
#define MIEN_PREFETCH_SH(sh, first, count, write) \
  if ((first) + 3 * kLanes <= (count))            \
    for (int line = 0; line < 3 * kLanes; ++line) \
  __builtin_prefetch((sh) + (static_cast<std::int64_t>(first) + 2 * kLanes) * 48 + 16 * line, write)

// Spherical harmonics of kLanes Gaussians: out[3 k + c], by transposing squares.
inline void gather_sh(const float* sh, int first, int count, int used, F out[48]) {
  for (int k = 0; k < used; k += kLanes) {
    F square[kLanes];
    for (int l = 0; l < kLanes; ++l)
      square[l] = load(sh + static_cast<std::int64_t>(first + l < count ? first + l : count - 1) * 48 + k);
    transpose(square);
    for (int l = 0; l < kLanes; ++l) out[k + l] = square[l];
  }
}

// Basis on the unit sphere (x^2 + y^2 + z^2 = 1 is used to shorten the terms); beyond the degree nothing is written.
inline void sh_values(int degree, const V3& d, F b[16]) {
  b[0] = set1(0.28209479177387814f);
  if (degree < 1) return;
  b[1] = d.y * -0.4886025119029199f;
  b[2] = d.z * 0.4886025119029199f;
  b[3] = d.x * -0.4886025119029199f;
  if (degree < 2) return;
  const F zz = d.z * d.z, xy = d.x * d.y, difference = fma(d.x, d.x, -(d.y * d.y));
  b[4] = xy * 1.0925484305920792f;
  b[5] = d.y * d.z * -1.0925484305920792f;
  b[6] = fma(zz, set1(0.9461746957575601f), set1(-0.31539156525252005f));
  b[7] = d.x * d.z * -1.0925484305920792f;
  b[8] = difference * 0.5462742152960396f;
  if (degree < 3) return;
  const F ring = fma(zz, set1(-2.285228997322329f), set1(0.4570457994644658f));
  b[9] = d.y * fma(d.x * d.x, set1(3.0f), -(d.y * d.y)) * -0.5900435899266435f;
  b[10] = xy * d.z * 2.890611442640554f;
  b[11] = d.y * ring;
  b[12] = d.z * fma(zz, set1(1.865881662950577f), set1(-1.1195289977703462f));
  b[13] = d.x * ring;
  b[14] = d.z * difference * 1.445305721320277f;
  b[15] = d.x * fma(d.y * d.y, set1(-3.0f), d.x * d.x) * -0.5900435899266435f;
}

// Gradient of sum_k s[k] b[k] with respect to the direction; its part along the direction is of no meaning.
inline V3 sh_gradient(int degree, const V3& d, const F s[16]) {
  V3 g = {set1(0), set1(0), set1(0)};
  if (degree < 1) return g;
  g = {s[3] * -0.4886025119029199f, s[1] * -0.4886025119029199f, s[2] * 0.4886025119029199f};
  if (degree < 2) return g;
  const F a4 = s[4] * 1.0925484305920792f, a5 = s[5] * -1.0925484305920792f, a7 = s[7] * -1.0925484305920792f;
  const F a8 = s[8] * 1.0925484305920792f;
  g.x = g.x + fma(a4, d.y, fma(a7, d.z, a8 * d.x));
  g.y = g.y + fma(a4, d.x, fnma(a8, d.y, a5 * d.z));
  g.z = g.z + fma(a5, d.y, fma(a7, d.x, s[6] * d.z * 1.8923493915151202f));
  if (degree < 3) return g;
  const F xx = d.x * d.x, yy = d.y * d.y, zz = d.z * d.z, xy = d.x * d.y, xz = d.x * d.z, yz = d.y * d.z;
  const F ring = fma(zz, set1(-2.285228997322329f), set1(0.4570457994644658f));
  const F difference = xx - yy;
  const F a9 = s[9] * -1.7701307697799304f, a15 = s[15] * -1.7701307697799304f;  // three times the constant
  const F a10 = s[10] * 2.890611442640554f, a14 = s[14] * 1.445305721320277f;
  g.x = g.x + fma(a9, xy * 2.0f, fma(a10, yz, fma(s[13], ring, fma(a14, xz * 2.0f, a15 * difference))));
  g.y = g.y + fma(a9, difference, fma(a10, xz, fma(s[11], ring, fnma(a14, yz * 2.0f, a15 * xy * -2.0f))));
  const F tilt = fma(s[11], d.y, s[13] * d.x) * -4.570457994644658f;
  g.z = g.z + fma(a10, xy,
                  fma(tilt, d.z,
                      fma(s[12], fma(zz, set1(5.597644988851731f), set1(-1.1195289977703462f)), a14 * difference)));
  return g;
}

// log2(a), a > 0 and normal; about 4e-8 absolute near 1.
inline F log2(F a) {
  F exponent;
  const F x = split_exponent(a, exponent) - 1.0f;
  F p = set1(0.12926430f);
  p = fma(p, x, set1(-0.20893381f));
  p = fma(p, x, set1(0.21521225f));
  p = fma(p, x, set1(-0.23867568f));
  p = fma(p, x, set1(0.28793910f));
  p = fma(p, x, set1(-0.36071626f));
  p = fma(p, x, set1(0.48091028f));
  p = fma(p, x, set1(-0.72134720f));
  p = fma(p, x, set1(1.44269500f));
  return fma(p, x, exponent);
}

// The geometry of kLanes Gaussians on the way to the screen; the gradient walks the same quantities backwards.
struct Geometry {
  V3 mean, point;  // world, camera
  F inverse_z;
  F tx, ty;          // slopes x/z, y/z held within the view's bounds
  M free_x, free_y;  // not held
  Quaternion q;
  Matrix rotation, deformation, axes;
  F scales[3];
  F projection[6], screen_axes[6];
  F cov_xx, cov_xy, cov_yy, determinant;
  F u, v;
};

inline Matrix rotation_of(const Quaternion& q) {
  const F x2 = q.x * 2.0f, y2 = q.y * 2.0f, z2 = q.z * 2.0f;
  const F xx = q.x * x2, yy = q.y * y2, zz = q.z * z2, xy = q.x * y2, xz = q.x * z2, yz = q.y * z2;
  const F wx = q.w * x2, wy = q.w * y2, wz = q.w * z2;
  return {{1.0f - (yy + zz), xy - wz, xz + wy, xy + wz, 1.0f - (xx + zz), yz - wx, xz - wy, yz + wx, 1.0f - (xx + yy)}};
}

inline void place(const Cloud& cloud, const View& view, int first, Geometry& g) {
  F mean[3], quat[4];
  gather<3>(cloud.means, first, cloud.count, mean);
  gather<4>(cloud.quats, first, cloud.count, quat);
  gather<3>(cloud.scales, first, cloud.count, g.scales);
  g.mean = {mean[0], mean[1], mean[2]};
  const float* r = view.rotation;
  F point[3];
  for (int i = 0; i < 3; ++i)
    point[i] = fma(mean[0], set1(r[3 * i]),
                   fma(mean[1], set1(r[3 * i + 1]), fma(mean[2], set1(r[3 * i + 2]), set1(view.translation[i]))));
  g.point = {point[0], point[1], point[2]};
  g.inverse_z = set1(1) / g.point.z;
  const F slope_x = g.point.x * g.inverse_z, slope_y = g.point.y * g.inverse_z;
  g.u = fma(slope_x, set1(view.fx), set1(view.cx));
  g.v = fma(slope_y, set1(view.fy), set1(view.cy));
  g.tx = min(max(slope_x, set1(view.left)), set1(view.right));
  g.ty = min(max(slope_y, set1(view.top)), set1(view.bottom));
  g.free_x = both(ge(slope_x, set1(view.left)), le(slope_x, set1(view.right)));
  g.free_y = both(ge(slope_y, set1(view.top)), le(slope_y, set1(view.bottom)));

  const F norm2 = fma(quat[0], quat[0], fma(quat[1], quat[1], fma(quat[2], quat[2], quat[3] * quat[3])));
  g.q.inverse_norm = set1(1) / sqrt(norm2);
  g.q.w = quat[0] * g.q.inverse_norm;
  g.q.x = quat[1] * g.q.inverse_norm;
  g.q.y = quat[2] * g.q.inverse_norm;
  g.q.z = quat[3] * g.q.inverse_norm;
  g.rotation = rotation_of(g.q);
  for (int i = 0; i < 9; ++i) g.axes.m[i] = g.rotation.m[i] * g.scales[i % 3];
  if (cloud.deformation != nullptr) {
    gather<9>(cloud.deformation, first, cloud.count, g.deformation.m);
    const Matrix scaled = g.axes;
    for (int i = 0; i < 3; ++i)
      for (int j = 0; j < 3; ++j)
        g.axes.m[3 * i + j] =
            fma(g.deformation.m[3 * i], scaled.m[j],
                fma(g.deformation.m[3 * i + 1], scaled.m[3 + j], g.deformation.m[3 * i + 2] * scaled.m[6 + j]));
  }
  // J W: the rows of the world-to-camera rotation, foreshortened.
  const F jx = g.inverse_z * view.fx, jy = g.inverse_z * view.fy;
  for (int k = 0; k < 3; ++k) {
    g.projection[k] = jx * fnma(g.tx, set1(r[6 + k]), set1(r[k]));
    g.projection[3 + k] = jy * fnma(g.ty, set1(r[6 + k]), set1(r[3 + k]));
  }
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 3; ++j)
      g.screen_axes[3 * i + j] =
          fma(g.projection[3 * i], g.axes.m[j],
              fma(g.projection[3 * i + 1], g.axes.m[3 + j], g.projection[3 * i + 2] * g.axes.m[6 + j]));
  const F* p = g.screen_axes;
  g.cov_xx = fma(p[0], p[0], fma(p[1], p[1], fma(p[2], p[2], set1(view.eps2d))));
  g.cov_xy = fma(p[0], p[3], fma(p[1], p[4], p[2] * p[5]));
  g.cov_yy = fma(p[3], p[3], fma(p[4], p[4], fma(p[5], p[5], set1(view.eps2d))));
  g.determinant = g.cov_xx * g.cov_yy - g.cov_xy * g.cov_xy;
}

struct Direction {
  V3 unit;
  F inverse_norm;
};

// The viewing direction in the Gaussian's canonical pose: normalize(D^T (mean - camera)).
inline Direction direction_of(const Cloud& cloud, const View& view, const Geometry& g) {
  V3 d = {g.mean.x - view.centre[0], g.mean.y - view.centre[1], g.mean.z - view.centre[2]};
  if (cloud.deformation != nullptr) {
    const F* m = g.deformation.m;
    d = {fma(m[0], d.x, fma(m[3], d.y, m[6] * d.z)), fma(m[1], d.x, fma(m[4], d.y, m[7] * d.z)),
         fma(m[2], d.x, fma(m[5], d.y, m[8] * d.z))};
  }
  const F inverse = set1(1) / sqrt(dot(d, d));
  return {{d.x * inverse, d.y * inverse, d.z * inverse}, inverse};
}

int project(const ProjectJob& job) {
  const Cloud& cloud = job.cloud;
  const View& view = *job.view;
  const int bases = (cloud.sh_degree + 1) * (cloud.sh_degree + 1);
  const F zero = set1(0);
  int visible = 0;
  for (int first = job.begin; first < job.end; first += kLanes) {
    Geometry g;
    place(cloud, view, first, g);
    F opacity;
    gather<1>(cloud.opacities, first, cloud.count, &opacity);
    M seen =
        both(both(ge(g.point.z, set1(view.near_plane)), ge(opacity, set1(1.0f / 255.0f))), gt(g.determinant, zero));
    seen = both(seen, both(le(g.point.z, set1(3e38f)), gt(set1(static_cast<float>(job.end - first)), lane_numbers())));
    if (!any(seen)) continue;
    const F inverse = set1(1) / g.determinant;
    const F log_opacity = log2(max(opacity, set1(1e-30f)));
    const F reach = log_opacity + 7.994353437f;  // log2(255)
    // Half-extents of the ellipse where opacity falls to 1/255; a hair more against rounding.
    const F factor = max(reach, zero) * 1.3862945f;  // 2 ln 2
    const F extent_x = sqrt(factor * g.cov_xx) + 1e-3f, extent_y = sqrt(factor * g.cov_yy) + 1e-3f;
    // Pixel centres lie at +0.5: columns from ceil(u - extent - 0.5) to floor(u + extent - 0.5).
    const F big = set1(16777216.0f);
    const F x0 = max(-floor(extent_x - g.u + 0.5f), zero), y0 = max(-floor(extent_y - g.v + 0.5f), zero);
    const F x1 = min(max(floor(g.u + extent_x - 0.5f), -big), set1(static_cast<float>(view.width - 1)));
    const F y1 = min(max(floor(g.v + extent_y - 0.5f), -big), set1(static_cast<float>(view.height - 1)));
    seen = both(seen, both(ge(x1, x0), ge(y1, y0)));
    std::uint32_t lanes = bits(seen);
    if (lanes == 0) continue;

    MIEN_PREFETCH_SH(cloud.sh, first, cloud.count, 0);
    F basis[16], sh[48];
    gather_sh(cloud.sh, first, cloud.count, 3 * bases, sh);
    sh_values(cloud.sh_degree, direction_of(cloud, view, g).unit, basis);
    F colour[3] = {set1(0.5f), set1(0.5f), set1(0.5f)};
    for (int k = 0; k < bases; ++k)
      for (int c = 0; c < 3; ++c) colour[c] = fma(basis[k], sh[3 * k + c], colour[c]);

    constexpr float kLog2E = 1.44269504f;
    const F half = inverse * (-0.5f * kLog2E);
    F fields[16] = {g.u,
                    g.v,
                    g.cov_yy * half,
                    g.cov_xy * inverse * kLog2E,
                    g.cov_xx * half,
                    log_opacity,
                    max(colour[0], zero),
                    max(colour[1], zero),
                    max(colour[2], zero),
                    g.cov_xy / g.cov_yy,
                    g.cov_xy / g.cov_xx,
                    reach,
                    zero,
                    zero,
                    zero,
                    zero};
    float* out = reinterpret_cast<float*>(job.records + first);
    for (int k = 0; k < 16; k += kLanes) {
      transpose(fields + k);
      for (int l = 0; l < kLanes; ++l) store(out + 16 * l + k, fields[k + l]);
    }
    alignas(64) float edges[4][kLanes], depth[kLanes];
    store(edges[0], x0);
    store(edges[1], x1);
    store(edges[2], y0);
    store(edges[3], y1);
    store(depth, g.point.z);
    for (; lanes != 0; lanes &= lanes - 1) {
      const int l = __builtin_ctz(lanes);
      auto tile = [&](int e) { return static_cast<int>(edges[e][l]) / kTileSize; };
      job.ranges[first + l] = {static_cast<std::uint16_t>(tile(0)), static_cast<std::uint16_t>(tile(1) + 1),
                               static_cast<std::uint16_t>(tile(2)), static_cast<std::uint16_t>(tile(3) + 1)};
      std::uint32_t key;
      __builtin_memcpy(&key, &depth[l], sizeof key);
      job.visible[visible++] = {key, static_cast<std::uint32_t>(first + l)};
    }
  }
  return visible;
}
