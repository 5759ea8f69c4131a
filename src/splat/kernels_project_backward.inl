// Part of the kernels: gradients from the screen back to the parameters, kLanes Gaussians at a time. The forward
// quantities are computed again: cheaper than keeping them.

constexpr std::uint32_t kAllLanes = (1u << kLanes) - 1;

// Adds vector k's lane l to base[(first + l) width + k], for the lanes in `lanes`; the others may hold
// anything. `count`: rows that exist.
template <int width>
inline void scatter_add(float* base, int first, int count, std::uint32_t lanes, const F* values) {
  if (first + kLanes <= count && lanes == kAllLanes) {
    add_rows<width>(base + static_cast<std::int64_t>(first) * width, values);
    return;
  }
  alignas(64) float rows[width][kLanes];
  for (int k = 0; k < width; ++k) store(rows[k], values[k]);
  for (; lanes != 0; lanes &= lanes - 1) {
    const int l = __builtin_ctz(lanes);
    float* row = base + static_cast<std::int64_t>(first + l) * width;
    for (int k = 0; k < width; ++k) row[k] += rows[k][l];
  }
}

// Sums of all threads' partial gradients; returns the lanes in which any is not zero.
inline std::uint32_t collect(const ProjectBackwardJob& job, int first, F sums[kPartial]) {
  for (int k = 0; k < kPartial; k += kLanes) {
    for (int l = 0; l < kLanes; ++l) {
      F row = set1(0);
      for (int p = 0; p < job.partial_count && first + l < job.end; ++p)
        row = row + load(job.partials[p] + static_cast<std::int64_t>(first + l) * kPartial + k);
      sums[k + l] = row;
    }
    transpose(sums + k);
  }
  std::uint32_t lanes = 0;
  for (int k = 0; k < 9; ++k) lanes |= bits(gt(abs(sums[k]), set1(0)));
  return lanes;
}

// Colours -> SH coefficients; returns the gradient of the mean through the viewing direction.
inline V3 shade_backward(const ProjectBackwardJob& job, int first, std::uint32_t lanes, const Geometry& g,
                         const F d_colour[3]) {
  const Cloud& cloud = job.cloud;
  const int bases = (cloud.sh_degree + 1) * (cloud.sh_degree + 1);
  const Direction direction = direction_of(cloud, *job.view, g);
  F basis[16], sh[48], weights[16];
  MIEN_PREFETCH_SH(cloud.sh, first, cloud.count, 0);
  MIEN_PREFETCH_SH(job.d_sh, first, cloud.count, 1);
  sh_values(cloud.sh_degree, direction.unit, basis);
  gather_sh(cloud.sh, first, cloud.count, 3 * bases, sh);
  for (int k = 0; k < bases; ++k)
    weights[k] = fma(sh[3 * k], d_colour[0], fma(sh[3 * k + 1], d_colour[1], sh[3 * k + 2] * d_colour[2]));
  F d_sh[48];
  for (int k = 0; k < 16; ++k)
    for (int c = 0; c < 3; ++c) d_sh[3 * k + c] = k < bases ? basis[k] * d_colour[c] : set1(0);
  for (int k = 0; k < 3 * bases; k += kLanes) {
    transpose(d_sh + k);
    for (std::uint32_t left = lanes; left != 0; left &= left - 1) {
      const int l = __builtin_ctz(left);
      float* row = job.d_sh + static_cast<std::int64_t>(first + l) * 48 + k;
      store(row, load(row) + d_sh[k + l]);
    }
  }
  const V3 s = sh_gradient(cloud.sh_degree, direction.unit, weights);
  const F along = dot(s, direction.unit);
  const V3 d = {fnma(along, direction.unit.x, s.x) * direction.inverse_norm,
                fnma(along, direction.unit.y, s.y) * direction.inverse_norm,
                fnma(along, direction.unit.z, s.z) * direction.inverse_norm};
  if (cloud.deformation == nullptr) return d;
  const F* m = g.deformation.m;
  return {fma(m[0], d.x, fma(m[1], d.y, m[2] * d.z)), fma(m[3], d.x, fma(m[4], d.y, m[5] * d.z)),
          fma(m[6], d.x, fma(m[7], d.y, m[8] * d.z))};
}

// d: gradient of the rotation matrix. out: of w, x, y, z before normalisation.
inline void quaternion_backward(const Quaternion& q, const Matrix& d, F out[4]) {
  const F* v = d.m;
  const F yz = v[7] - v[5], zx = v[2] - v[6], xy = v[3] - v[1];
  const F sum_xy = v[3] + v[1], sum_xz = v[6] + v[2], sum_yz = v[7] + v[5];
  F g[4];
  g[0] = fma(q.x, yz, fma(q.y, zx, q.z * xy)) * 2.0f;
  g[1] = fma(q.y, sum_xy, fma(q.z, sum_xz, fma(q.w, yz, q.x * -2.0f * (v[4] + v[8])))) * 2.0f;
  g[2] = fma(q.x, sum_xy, fma(q.z, sum_yz, fma(q.w, zx, q.y * -2.0f * (v[0] + v[8])))) * 2.0f;
  g[3] = fma(q.x, sum_xz, fma(q.y, sum_yz, fma(q.w, xy, q.z * -2.0f * (v[0] + v[4])))) * 2.0f;
  const F along = fma(g[0], q.w, fma(g[1], q.x, fma(g[2], q.y, g[3] * q.z)));
  out[0] = fnma(along, q.w, g[0]) * q.inverse_norm;
  out[1] = fnma(along, q.x, g[1]) * q.inverse_norm;
  out[2] = fnma(along, q.y, g[2]) * q.inverse_norm;
  out[3] = fnma(along, q.z, g[3]) * q.inverse_norm;
}

void project_backward(const ProjectBackwardJob& job) {
  const Cloud& cloud = job.cloud;
  const View& view = *job.view;
  for (int first = job.begin; first < job.end; first += kLanes) {
    F sums[kPartial];
    const std::uint32_t lanes = collect(job, first, sums);
    if (lanes == 0) continue;
    Geometry g;
    place(cloud, view, first, g);
    alignas(64) float shown[3][kLanes] = {};
    for (int l = 0; l < kLanes && first + l < job.end; ++l) {
      shown[0][l] = job.records[first + l].red;
      shown[1][l] = job.records[first + l].green;
      shown[2][l] = job.records[first + l].blue;
    }
    F d_colour[3];
    for (int c = 0; c < 3; ++c) d_colour[c] = keep(gt(load(shown[c]), set1(0)), sums[6 + c]);
    const V3 through_colour = shade_backward(job, first, lanes, g, d_colour);

    F opacity;
    gather<1>(cloud.opacities, first, cloud.count, &opacity);
    const F d_opacity = sums[0] / opacity;
    const F inverse = set1(1) / g.determinant;
    const F a = g.cov_yy * inverse, b = g.cov_xy * -inverse, c = g.cov_xx * inverse;
    const F du = -fma(a, sums[1], b * sums[2]), dv = -fma(b, sums[1], c * sums[2]);
    // Covariance: -X G X, with X the conic and G its gradient (halves of the sums of e dx dx, e dx dy, e dy dy,
    // negative).
    const F ga = sums[3] * -0.5f, gb = sums[4] * -0.5f, gc = sums[5] * -0.5f;
    const F p00 = fma(a, ga, b * gb), p01 = fma(a, gb, b * gc), p10 = fma(b, ga, c * gb), p11 = fma(b, gb, c * gc);
    const F d00 = fma(p00, a, p01 * b) * -2.0f, d01 = fma(p00, b, p01 * c) * -2.0f, d11 = fma(p10, b, p11 * c) * -2.0f;
    F d_screen[6];
    for (int j = 0; j < 3; ++j) {
      d_screen[j] = fma(d00, g.screen_axes[j], d01 * g.screen_axes[3 + j]);
      d_screen[3 + j] = fma(d01, g.screen_axes[j], d11 * g.screen_axes[3 + j]);
    }
    Matrix d_axes;
    F d_projection[6];
    for (int k = 0; k < 3; ++k) {
      for (int j = 0; j < 3; ++j)
        d_axes.m[3 * k + j] = fma(g.projection[k], d_screen[j], g.projection[3 + k] * d_screen[3 + j]);
      for (int i = 0; i < 2; ++i)
        d_projection[3 * i + k] =
            fma(d_screen[3 * i], g.axes.m[3 * k],
                fma(d_screen[3 * i + 1], g.axes.m[3 * k + 1], d_screen[3 * i + 2] * g.axes.m[3 * k + 2]));
    }
    const float* w = view.rotation;
    auto against = [&](int i, int row) {
      return d_projection[3 * i] * w[3 * row] + d_projection[3 * i + 1] * w[3 * row + 1] +
             d_projection[3 * i + 2] * w[3 * row + 2];
    };
    const F j00 = against(0, 0), j02 = against(0, 2), j11 = against(1, 1), j12 = against(1, 2);

    Matrix d_scaled = d_axes;
    if (cloud.deformation != nullptr)
      for (int i = 0; i < 3; ++i)
        for (int j = 0; j < 3; ++j)
          d_scaled.m[3 * i + j] =
              fma(g.deformation.m[i], d_axes.m[j],
                  fma(g.deformation.m[3 + i], d_axes.m[3 + j], g.deformation.m[6 + i] * d_axes.m[6 + j]));
    F d_scales[3], d_quats[4];
    Matrix d_rotation;
    for (int j = 0; j < 3; ++j) {
      d_scales[j] = fma(d_scaled.m[j], g.rotation.m[j],
                        fma(d_scaled.m[3 + j], g.rotation.m[3 + j], d_scaled.m[6 + j] * g.rotation.m[6 + j]));
      for (int i = 0; i < 3; ++i) d_rotation.m[3 * i + j] = d_scaled.m[3 * i + j] * g.scales[j];
    }
    quaternion_backward(g.q, d_rotation, d_quats);

    // J00 = fx / z, J02 = -fx tx / z with tx = x / z where free, a constant where held; the same for y.
    const F rz = g.inverse_z, fx = set1(view.fx), fy = set1(view.fy), one = set1(1), two = set1(2);
    const F x_over_z = g.point.x * rz, y_over_z = g.point.y * rz;
    const F dx = fx * rz * (du - keep(g.free_x, rz * j02));
    const F dy = fy * rz * (dv - keep(g.free_y, rz * j12));
    const F along_x = fx * (fnma(x_over_z, du, rz * (select(g.free_x, two, one) * g.tx * j02 - j00)));
    const F along_y = fy * (fnma(y_over_z, dv, rz * (select(g.free_y, two, one) * g.ty * j12 - j11)));
    const F dz = rz * (along_x + along_y);
    const F d_means[3] = {fma(dx, set1(w[0]), fma(dy, set1(w[3]), fma(dz, set1(w[6]), through_colour.x))),
                          fma(dx, set1(w[1]), fma(dy, set1(w[4]), fma(dz, set1(w[7]), through_colour.y))),
                          fma(dx, set1(w[2]), fma(dy, set1(w[5]), fma(dz, set1(w[8]), through_colour.z)))};
    scatter_add<3>(job.d_means, first, job.end, lanes, d_means);
    scatter_add<4>(job.d_quats, first, job.end, lanes, d_quats);
    scatter_add<3>(job.d_scales, first, job.end, lanes, d_scales);
    scatter_add<1>(job.d_opacities, first, job.end, lanes, &d_opacity);
    if (job.d_mean2d_norm != nullptr) {
      const F norm = sqrt(fma(du, du, dv * dv));
      scatter_add<1>(job.d_mean2d_norm, first, job.end, lanes, &norm);
    }
  }
}
