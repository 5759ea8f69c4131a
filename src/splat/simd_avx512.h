// Vectors of 16 floats: AVX-512 (F, DQ, BW, VL). One of three interchangeable sets; see kernels.inl.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace mien::splat::avx512 {

using F = __m512;
using M = __mmask16;
constexpr int kLanes = 16;

inline F set1(float v) {
  return _mm512_set1_ps(v);
}
inline F load(const float* p) {
  return _mm512_loadu_ps(p);
}
inline void store(float* p, F v) {
  _mm512_storeu_ps(p, v);
}
inline F fma(F a, F b, F c) {
  return _mm512_fmadd_ps(a, b, c);
}
inline F fnma(F a, F b, F c) {
  return _mm512_fnmadd_ps(a, b, c);
}  // c - a b
inline F min(F a, F b) {
  return _mm512_min_ps(a, b);
}
inline F max(F a, F b) {
  return _mm512_max_ps(a, b);
}
inline F sqrt(F a) {
  return _mm512_sqrt_ps(a);
}
inline F floor(F a) {
  return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
}
inline F abs(F a) {
  return _mm512_abs_ps(a);
}
// 1 / a to about 1e-7 relative.
inline F reciprocal(F a) {
  const F r = _mm512_rcp14_ps(a);
  return _mm512_mul_ps(r, _mm512_fnmadd_ps(a, r, _mm512_set1_ps(2)));
}
inline M ge(F a, F b) {
  return _mm512_cmp_ps_mask(a, b, _CMP_GE_OQ);
}
inline M gt(F a, F b) {
  return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ);
}
inline M le(F a, F b) {
  return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ);
}
inline M both(M a, M b) {
  return _kand_mask16(a, b);
}
inline M either(M a, M b) {
  return _kor_mask16(a, b);
}
inline M without(M a, M b) {
  return _kandn_mask16(b, a);
}  // a and not b
inline std::uint32_t bits(M m) {
  return m;
}
inline bool any(M m) {
  return m != 0;
}
inline F select(M m, F a, F b) {
  return _mm512_mask_blend_ps(m, b, a);
}
inline F keep(M m, F a) {
  return _mm512_maskz_mov_ps(m, a);
}
inline F lane_numbers() {
  return _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}

// 2^a; below the floats' range the result is 0.
inline F exp2(F a) {
  const F whole = _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const F x = _mm512_sub_ps(a, whole);
  F y = set1(0.0013276472f);  // minimax on [-0.5, 0.5], relative error 7.5e-8
  y = fma(y, x, set1(0.0096755413f));
  y = fma(y, x, set1(0.0555071327f));
  y = fma(y, x, set1(0.2402211972f));
  y = fma(y, x, set1(0.6931469671f));
  y = fma(y, x, set1(1.0f));
  return _mm512_scalef_ps(y, whole);
}
// Splits a > 0 into mantissa in [sqrt(1/2), sqrt(2)) and exponent.
inline F split_exponent(F a, F& exponent) {
  exponent = _mm512_getexp_ps(a);
  F m = _mm512_getmant_ps(a, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_src);
  const M high = gt(m, set1(1.41421356f));
  m = _mm512_mask_mul_ps(m, high, m, set1(0.5f));
  exponent = _mm512_mask_add_ps(exponent, high, exponent, set1(1));
  return m;
}

// rows[l][0..15] -> v[k] lane l, in place on registers: a 16 x 16 transpose.
inline void transpose(F v[16]) {
  F t[16];
  for (int i = 0; i < 8; ++i) {
    t[2 * i] = _mm512_unpacklo_ps(v[2 * i], v[2 * i + 1]);
    t[2 * i + 1] = _mm512_unpackhi_ps(v[2 * i], v[2 * i + 1]);
  }
  for (int i = 0; i < 4; ++i) {
    v[4 * i] = _mm512_shuffle_ps(t[4 * i], t[4 * i + 2], 0x44);
    v[4 * i + 1] = _mm512_shuffle_ps(t[4 * i], t[4 * i + 2], 0xee);
    v[4 * i + 2] = _mm512_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0x44);
    v[4 * i + 3] = _mm512_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0xee);
  }
  for (int i = 0; i < 4; ++i) {
    t[i] = _mm512_shuffle_f32x4(v[i], v[4 + i], 0x88);
    t[4 + i] = _mm512_shuffle_f32x4(v[i], v[4 + i], 0xdd);
    t[8 + i] = _mm512_shuffle_f32x4(v[8 + i], v[12 + i], 0x88);
    t[12 + i] = _mm512_shuffle_f32x4(v[8 + i], v[12 + i], 0xdd);
  }
  for (int i = 0; i < 4; ++i) {
    v[i] = _mm512_shuffle_f32x4(t[i], t[8 + i], 0x88);
    v[8 + i] = _mm512_shuffle_f32x4(t[i], t[8 + i], 0xdd);
    v[4 + i] = _mm512_shuffle_f32x4(t[4 + i], t[12 + i], 0x88);
    v[12 + i] = _mm512_shuffle_f32x4(t[4 + i], t[12 + i], 0xdd);
  }
}

inline __m256 fold(F v) {
  return _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
}

// out[i] += sum of the lanes of v[i], i < 9.
inline void add_sums9(const F v[9], float* out) {
  const __m256 a = _mm256_hadd_ps(fold(v[0]), fold(v[1])), b = _mm256_hadd_ps(fold(v[2]), fold(v[3]));
  const __m256 c = _mm256_hadd_ps(fold(v[4]), fold(v[5])), d = _mm256_hadd_ps(fold(v[6]), fold(v[7]));
  const __m256 e = _mm256_hadd_ps(a, b), f = _mm256_hadd_ps(c, d);
  const __m256 sums = _mm256_add_ps(_mm256_permute2f128_ps(e, f, 0x20), _mm256_permute2f128_ps(e, f, 0x31));
  _mm256_storeu_ps(out, _mm256_add_ps(_mm256_loadu_ps(out), sums));
  out[8] += _mm512_reduce_add_ps(v[8]);
}

// Four pixels r, g, b -> twelve interleaved floats.
inline void interleave4(const float* red, const float* green, const float* blue, float* out) {
  const __m128 r = _mm_loadu_ps(red), g = _mm_loadu_ps(green), b = _mm_loadu_ps(blue);
  const __m128 low = _mm_unpacklo_ps(r, g), high = _mm_unpackhi_ps(r, g);
  _mm_storeu_ps(out, _mm_shuffle_ps(low, _mm_shuffle_ps(b, low, 0xa0), 0x84));
  _mm_storeu_ps(out + 4, _mm_shuffle_ps(_mm_shuffle_ps(low, b, 0x5f), high, 0x48));
  _mm_storeu_ps(out + 8, _mm_shuffle_ps(_mm_shuffle_ps(b, high, 0xaa), _mm_shuffle_ps(high, b, 0xff), 0x88));
}

}  // namespace mien::splat::avx512
