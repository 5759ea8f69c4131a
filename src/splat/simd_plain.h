// Vectors of 4 floats in the compiler's own terms: any processor. One of three interchangeable sets; see kernels.inl.
#pragma once

#include <cstdint>
#include <cstring>

namespace mien::splat::plain {

typedef float F __attribute__((vector_size(16)));
typedef std::int32_t M __attribute__((vector_size(16)));
constexpr int kLanes = 4;

inline F set1(float v) {
  return F{v, v, v, v};
}
inline F load(const float* p) {
  F v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
inline void store(float* p, F v) {
  std::memcpy(p, &v, sizeof v);
}
inline F fma(F a, F b, F c) {
  return a * b + c;
}
inline F fnma(F a, F b, F c) {
  return c - a * b;
}
inline F select(M m, F a, F b) {
  return reinterpret_cast<F>((m & reinterpret_cast<M>(a)) | (~m & reinterpret_cast<M>(b)));
}
inline F keep(M m, F a) {
  return reinterpret_cast<F>(m & reinterpret_cast<M>(a));
}
inline F min(F a, F b) {
  return select(a < b, a, b);
}
inline F max(F a, F b) {
  return select(a > b, a, b);
}
inline F sqrt(F a) {
  F out = {};
  for (int i = 0; i < 4; ++i) out[i] = __builtin_sqrtf(a[i]);
  return out;
}
inline F floor(F a) {
  F out = {};
  for (int i = 0; i < 4; ++i) out[i] = __builtin_floorf(a[i]);
  return out;
}
inline F abs(F a) {
  const M clear = {0x7fffffff, 0x7fffffff, 0x7fffffff, 0x7fffffff};
  return reinterpret_cast<F>(reinterpret_cast<M>(a) & clear);
}
inline F reciprocal(F a) {
  return set1(1) / a;
}
inline M ge(F a, F b) {
  return a >= b;
}
inline M gt(F a, F b) {
  return a > b;
}
inline M le(F a, F b) {
  return a <= b;
}
inline M both(M a, M b) {
  return a & b;
}
inline M either(M a, M b) {
  return a | b;
}
inline M without(M a, M b) {
  return a & ~b;
}
inline M ge(M m, F a, F b) {
  return m & (a >= b);
}  // m and a >= b
inline M gt(M m, F a, F b) {
  return m & (a > b);
}
inline std::uint32_t bits(M m) {
  std::uint32_t out = 0;
  for (int i = 0; i < 4; ++i) out |= static_cast<std::uint32_t>(m[i] != 0) << i;
  return out;
}
inline bool any(M m) {
  return (m[0] | m[1] | m[2] | m[3]) != 0;
}
inline F negative_where(M m, F a) {  // -|a| where m
  return reinterpret_cast<F>(reinterpret_cast<M>(a) | reinterpret_cast<M>(keep(m, set1(-0.0f))));
}
inline F lane_numbers() {
  return F{0, 1, 2, 3};
}

// 2^a; below 2^-126 the result is about 2^-126.
inline F exp2(F a) {
  const F bounded = max(a, set1(-126.0f));
  const F magic = set1(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer
  const F whole = (bounded + magic) - magic;
  const F x = bounded - whole;
  F y = set1(0.0013276472f);  // minimax on [-0.5, 0.5], relative error 7.5e-8
  y = fma(y, x, set1(0.0096755413f));
  y = fma(y, x, set1(0.0555071327f));
  y = fma(y, x, set1(0.2402211972f));
  y = fma(y, x, set1(0.6931469671f));
  y = fma(y, x, set1(1.0f));
  const M shift = __builtin_convertvector(whole, M) << 23;
  return reinterpret_cast<F>(reinterpret_cast<M>(y) + shift);
}
// Splits a normal a > 0 into mantissa in [sqrt(1/2), sqrt(2)) and exponent.
inline F split_exponent(F a, F& exponent) {
  const M raw = reinterpret_cast<M>(a);
  exponent = __builtin_convertvector((raw >> 23) - 127, F);
  F m = reinterpret_cast<F>((raw & 0x007fffff) | 0x3f800000);
  const M high = gt(m, set1(1.41421356f));
  m = select(high, m * 0.5f, m);
  exponent = exponent + keep(high, set1(1));
  return m;
}

// A 4 x 4 transpose.
inline void transpose(F v[4]) {
  for (int i = 0; i < 4; ++i)
    for (int j = i + 1; j < 4; ++j) {
      const float t = v[i][j];
      v[i][j] = v[j][i];
      v[j][i] = t;
    }
}

// columns[k] lane l = p[l width + k].
template <int width>
inline void load_rows(const float* p, F* columns) {
  alignas(16) float lanes[width][kLanes];
  for (int l = 0; l < kLanes; ++l)
    for (int k = 0; k < width; ++k) lanes[k][l] = p[l * width + k];
  for (int k = 0; k < width; ++k) columns[k] = load(lanes[k]);
}
// p[l width + k] += columns[k] lane l.
template <int width>
inline void add_rows(float* p, const F* columns) {
  alignas(16) float lanes[width][kLanes];
  for (int k = 0; k < width; ++k) store(lanes[k], columns[k]);
  for (int l = 0; l < kLanes; ++l)
    for (int k = 0; k < width; ++k) p[l * width + k] += lanes[k][l];
}

// out[i] += sum of the lanes of v[i], i < 9.
inline void add_sums9(const F v[9], float* out) {
  for (int i = 0; i < 9; ++i) out[i] += (v[i][0] + v[i][1]) + (v[i][2] + v[i][3]);
}

// Four pixels r, g, b -> twelve interleaved floats.
inline void interleave4(const float* r, const float* g, const float* b, float* out) {
  for (int i = 0; i < 4; ++i) {
    out[3 * i] = r[i];
    out[3 * i + 1] = g[i];
    out[3 * i + 2] = b[i];
  }
}

inline void deinterleave4(const float* in, float* r, float* g, float* b) {
  for (int i = 0; i < 4; ++i) {
    r[i] = in[3 * i];
    g[i] = in[3 * i + 1];
    b[i] = in[3 * i + 2];
  }
}

}  // namespace mien::splat::plain
