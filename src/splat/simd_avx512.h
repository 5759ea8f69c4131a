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
inline M ge(M m, F a, F b) {
  return _mm512_mask_cmp_ps_mask(m, a, b, _CMP_GE_OQ);
}  // m and a >= b
inline M gt(M m, F a, F b) {
  return _mm512_mask_cmp_ps_mask(m, a, b, _CMP_GT_OQ);
}
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
inline F negative_where(M m, F a) {
  return _mm512_mask_or_ps(a, m, a, set1(-0.0f));
}  // -|a| where m
inline F lane_numbers() {
  return _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}

// 2^a; below the floats' range the result is 0. A table of 2^(k/16) and a parabola: fewer multiplications than a longer
// polynomial, and a shorter chain.
inline F exp2(F a) {
  const F table = _mm512_setr_ps(1.0f, 1.0442737824f, 1.0905077327f, 1.1387886348f, 1.189207115f, 1.2418578121f,
                                 1.2968395547f, 1.3542555469f, 1.4142135624f, 1.4768261459f, 1.5422108254f,
                                 1.6104903319f, 1.6817928305f, 1.7562521604f, 1.8340080864f, 1.9152065614f);
  const F magic = set1(786432.0f);  // 1.5 * 2^19: adding it rounds to sixteenths, which then lie in the lowest bits
  const F shifted = _mm512_add_ps(a, magic);
  const F whole = _mm512_sub_ps(shifted, magic);
  const F x = _mm512_sub_ps(a, whole);
  const F base = _mm512_permutexvar_ps(_mm512_castps_si512(shifted), table);
  const F y = fma(fma(set1(0.2402194625f), x, set1(0.6931878314f)), x,
                  set1(1.0000000069f));  // minimax on [-1/32, 1/32], relative error 4e-7
  return _mm512_mul_ps(_mm512_scalef_ps(base, whole), y);
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

// How 16 rows of `width` floats, lying one after another in `width` vectors, spread over columns.
template <int width>
struct RowTable {
  alignas(64) std::int32_t place[width][16];  // [column][row]: position in its vector (low four bits)
  alignas(64) std::int32_t row[width][16];    // [vector][position]: the row there
  std::uint16_t from[width][width];           // [column][vector]: rows whose element lies in that vector
  std::uint16_t to[width][width];             // [vector][column]: positions of that column
};
template <int width>
constexpr RowTable<width> make_row_table() {
  RowTable<width> t = {};
  for (int i = 0; i < 16 * width; ++i) {
    const int row = i / width, column = i % width, vector = i / 16, position = i % 16;
    t.place[column][row] = i;
    t.row[vector][position] = row;
    t.from[column][vector] = static_cast<std::uint16_t>(t.from[column][vector] | 1 << row);
    t.to[vector][column] = static_cast<std::uint16_t>(t.to[vector][column] | 1 << position);
  }
  return t;
}
template <int width>
inline constexpr RowTable<width> kRowTable = make_row_table<width>();

// columns[k] lane l = p[l width + k].
template <int width>
inline void load_rows(const float* p, F* columns) {
  constexpr const RowTable<width>& t = kRowTable<width>;
  F parts[width];
  for (int j = 0; j < width; ++j) parts[j] = load(p + 16 * j);
  for (int k = 0; k < width; ++k) {
    const __m512i place = _mm512_load_si512(t.place[k]);
    F column = _mm512_setzero_ps();
    for (int j = 0; j < width; ++j)
      if (t.from[k][j] != 0) column = _mm512_mask_permutexvar_ps(column, t.from[k][j], place, parts[j]);
    columns[k] = column;
  }
}
// p[l width + k] += columns[k] lane l.
template <int width>
inline void add_rows(float* p, const F* columns) {
  constexpr const RowTable<width>& t = kRowTable<width>;
  for (int j = 0; j < width; ++j) {
    const __m512i row = _mm512_load_si512(t.row[j]);
    F part = _mm512_setzero_ps();
    for (int k = 0; k < width; ++k) part = _mm512_mask_permutexvar_ps(part, t.to[j][k], row, columns[k]);
    store(p + 16 * j, _mm512_add_ps(load(p + 16 * j), part));
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

inline void deinterleave4(const float* in, float* red, float* green, float* blue) {
  const __m128 a = _mm_loadu_ps(in), b = _mm_loadu_ps(in + 4), c = _mm_loadu_ps(in + 8);
  _mm_storeu_ps(red, _mm_shuffle_ps(a, _mm_shuffle_ps(b, c, 0x5a), 0x8c));
  _mm_storeu_ps(green, _mm_shuffle_ps(_mm_shuffle_ps(a, b, 0x05), _mm_shuffle_ps(b, c, 0xaf), 0x88));
  _mm_storeu_ps(blue, _mm_shuffle_ps(_mm_shuffle_ps(a, b, 0x5a), c, 0xc8));
}

}  // namespace mien::splat::avx512
