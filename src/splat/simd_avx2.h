// Vectors of 8 floats: AVX2 and FMA. One of three interchangeable sets; see kernels.inl.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace mien::splat::avx2 {

using F = __m256;
struct M {
  __m256 v;
};
constexpr int kLanes = 8;

inline F set1(float v) {
  return _mm256_set1_ps(v);
}
inline F load(const float* p) {
  return _mm256_loadu_ps(p);
}
inline void store(float* p, F v) {
  _mm256_storeu_ps(p, v);
}
inline F fma(F a, F b, F c) {
  return _mm256_fmadd_ps(a, b, c);
}
inline F fnma(F a, F b, F c) {
  return _mm256_fnmadd_ps(a, b, c);
}  // c - a b
inline F min(F a, F b) {
  return _mm256_min_ps(a, b);
}
inline F max(F a, F b) {
  return _mm256_max_ps(a, b);
}
inline F sqrt(F a) {
  return _mm256_sqrt_ps(a);
}
inline F floor(F a) {
  return _mm256_floor_ps(a);
}
inline F abs(F a) {
  return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a);
}
inline F reciprocal(F a) {
  return _mm256_div_ps(_mm256_set1_ps(1), a);
}
inline M ge(F a, F b) {
  return {_mm256_cmp_ps(a, b, _CMP_GE_OQ)};
}
inline M gt(F a, F b) {
  return {_mm256_cmp_ps(a, b, _CMP_GT_OQ)};
}
inline M le(F a, F b) {
  return {_mm256_cmp_ps(a, b, _CMP_LE_OQ)};
}
inline M both(M a, M b) {
  return {_mm256_and_ps(a.v, b.v)};
}
inline M either(M a, M b) {
  return {_mm256_or_ps(a.v, b.v)};
}
inline M without(M a, M b) {
  return {_mm256_andnot_ps(b.v, a.v)};
}  // a and not b
inline M ge(M m, F a, F b) {
  return both(m, ge(a, b));
}  // m and a >= b
inline M gt(M m, F a, F b) {
  return both(m, gt(a, b));
}
inline std::uint32_t bits(M m) {
  return static_cast<std::uint32_t>(_mm256_movemask_ps(m.v));
}
inline bool any(M m) {
  return _mm256_movemask_ps(m.v) != 0;
}
inline F select(M m, F a, F b) {
  return _mm256_blendv_ps(b, a, m.v);
}
inline F keep(M m, F a) {
  return _mm256_and_ps(m.v, a);
}
inline F negative_where(M m, F a) {
  return _mm256_or_ps(a, keep(m, set1(-0.0f)));
}  // -|a| where m
inline F lane_numbers() {
  return _mm256_setr_ps(0, 1, 2, 3, 4, 5, 6, 7);
}

// 2^a; below 2^-126 the result is about 2^-126.
inline F exp2(F a) {
  const F bounded = max(a, set1(-126.0f));
  const F whole = _mm256_round_ps(bounded, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const F x = _mm256_sub_ps(bounded, whole);
  F y = set1(0.0013276472f);  // minimax on [-0.5, 0.5], relative error 7.5e-8
  y = fma(y, x, set1(0.0096755413f));
  y = fma(y, x, set1(0.0555071327f));
  y = fma(y, x, set1(0.2402211972f));
  y = fma(y, x, set1(0.6931469671f));
  y = fma(y, x, set1(1.0f));
  const __m256i shift = _mm256_slli_epi32(_mm256_cvtps_epi32(whole), 23);
  return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(y), shift));
}
// Splits a normal a > 0 into mantissa in [sqrt(1/2), sqrt(2)) and exponent.
inline F split_exponent(F a, F& exponent) {
  const __m256i raw = _mm256_castps_si256(a);
  exponent = _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_srli_epi32(raw, 23), _mm256_set1_epi32(127)));
  const __m256i mantissa = _mm256_and_si256(raw, _mm256_set1_epi32(0x007fffff));
  F m = _mm256_castsi256_ps(_mm256_or_si256(mantissa, _mm256_set1_epi32(0x3f800000)));
  const M high = gt(m, set1(1.41421356f));
  m = select(high, _mm256_mul_ps(m, set1(0.5f)), m);
  exponent = _mm256_add_ps(exponent, keep(high, set1(1)));
  return m;
}

// An 8 x 8 transpose.
inline void transpose(F v[8]) {
  F t[8];
  for (int i = 0; i < 4; ++i) {
    t[2 * i] = _mm256_unpacklo_ps(v[2 * i], v[2 * i + 1]);
    t[2 * i + 1] = _mm256_unpackhi_ps(v[2 * i], v[2 * i + 1]);
  }
  F s[8];
  for (int i = 0; i < 2; ++i) {
    s[4 * i] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0x44);
    s[4 * i + 1] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0xee);
    s[4 * i + 2] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0x44);
    s[4 * i + 3] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0xee);
  }
  for (int i = 0; i < 4; ++i) {
    v[i] = _mm256_permute2f128_ps(s[i], s[4 + i], 0x20);
    v[4 + i] = _mm256_permute2f128_ps(s[i], s[4 + i], 0x31);
  }
}

// columns[k] lane l = p[l width + k].
template <int width>
inline void load_rows(const float* p, F* columns) {
  alignas(32) float lanes[width][kLanes];
  for (int l = 0; l < kLanes; ++l)
    for (int k = 0; k < width; ++k) lanes[k][l] = p[l * width + k];
  for (int k = 0; k < width; ++k) columns[k] = load(lanes[k]);
}
// p[l width + k] += columns[k] lane l.
template <int width>
inline void add_rows(float* p, const F* columns) {
  alignas(32) float lanes[width][kLanes];
  for (int k = 0; k < width; ++k) store(lanes[k], columns[k]);
  for (int l = 0; l < kLanes; ++l)
    for (int k = 0; k < width; ++k) p[l * width + k] += lanes[k][l];
}

// out[i] += sum of the lanes of v[i], i < 9.
inline void add_sums9(const F v[9], float* out) {
  const F a = _mm256_hadd_ps(v[0], v[1]), b = _mm256_hadd_ps(v[2], v[3]);
  const F c = _mm256_hadd_ps(v[4], v[5]), d = _mm256_hadd_ps(v[6], v[7]);
  const F e = _mm256_hadd_ps(a, b), f = _mm256_hadd_ps(c, d);
  const F sums = _mm256_add_ps(_mm256_permute2f128_ps(e, f, 0x20), _mm256_permute2f128_ps(e, f, 0x31));
  _mm256_storeu_ps(out, _mm256_add_ps(_mm256_loadu_ps(out), sums));
  const __m128 h = _mm_add_ps(_mm256_castps256_ps128(v[8]), _mm256_extractf128_ps(v[8], 1));
  const __m128 q = _mm_add_ps(h, _mm_movehl_ps(h, h));
  out[8] += _mm_cvtss_f32(_mm_add_ss(q, _mm_movehdup_ps(q)));
}

// Four pixels r, g, b -> twelve interleaved floats.
inline void interleave4(const float* red, const float* green, const float* blue, float* out) {
  const __m128 r = _mm_loadu_ps(red), g = _mm_loadu_ps(green), b = _mm_loadu_ps(blue);
  const __m128 low = _mm_unpacklo_ps(r, g), high = _mm_unpackhi_ps(r, g);
  _mm_storeu_ps(out, _mm_shuffle_ps(low, _mm_shuffle_ps(b, low, 0xa0), 0x84));
  _mm_storeu_ps(out + 4, _mm_shuffle_ps(_mm_shuffle_ps(low, b, 0x5f), high, 0x48));
  _mm_storeu_ps(out + 8, _mm_shuffle_ps(_mm_shuffle_ps(b, high, 0xaa), _mm_shuffle_ps(high, b, 0xff), 0x88));
}

inline void deinterleave4(const float* in, float* red, float* green, float* blue) {
  const __m128 a = _mm_loadu_ps(in), b = _mm_loadu_ps(in + 4), c = _mm_loadu_ps(in + 8);
  _mm_storeu_ps(red, _mm_shuffle_ps(a, _mm_shuffle_ps(b, c, 0x5a), 0x8c));
  _mm_storeu_ps(green, _mm_shuffle_ps(_mm_shuffle_ps(a, b, 0x05), _mm_shuffle_ps(b, c, 0xaf), 0x88));
  _mm_storeu_ps(blue, _mm_shuffle_ps(_mm_shuffle_ps(a, b, 0x5a), c, 0xc8));
}

}  // namespace mien::splat::avx2
