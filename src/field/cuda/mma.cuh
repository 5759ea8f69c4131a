// Products on tensor cores, of fragments that a warp holds in registers: mma.m16n8k16 (PTX ISA, "Matrix fragments for
// mma.m16n8k16"), half precision in, float out. Lane 4 g + t holds of
//   A [16,16]: rows g and g + 8, columns 2t, 2t + 1, 2t + 8, 2t + 9;
//   C [16,8]:  rows g and g + 8, columns 2t, 2t + 1;
// so two C side by side are, rounded, the A of the next layer: activations need not leave the registers.
#pragma once

#include <cuda_fp16.h>

#include <cstdint>

namespace mien::field::cuda {

struct A {
  std::uint32_t v[4];  // row g; row g + 8; row g, 8 columns on; row g + 8, 8 columns on
};
struct C {
  float v[4];  // row g: columns 2t, 2t + 1; row g + 8
};

__device__ inline std::uint32_t pack(float low, float high) {
  const __half2 h = __floats2half2_rn(low, high);
  return *reinterpret_cast<const std::uint32_t*>(&h);
}

__device__ inline void multiply_add(C& c, const A& a, std::uint32_t b0, std::uint32_t b1) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(c.v[0]), "+f"(c.v[1]), "+f"(c.v[2]), "+f"(c.v[3])
               : "r"(a.v[0]), "r"(a.v[1]), "r"(a.v[2]), "r"(a.v[3]), "r"(b0), "r"(b1));
}

// Four 8x8 blocks; lane l gives the address of row l % 8 of block l / 8, 16-byte aligned.
__device__ inline void load_blocks(std::uint32_t (&v)[4], const __half* row) {
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(v[0]), "=r"(v[1]), "=r"(v[2]), "=r"(v[3])
               : "r"(address)
               : "memory");
}
__device__ inline void load_blocks_transposed(std::uint32_t (&v)[4], const __half* row) {
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(v[0]), "=r"(v[1]), "=r"(v[2]), "=r"(v[3])
               : "r"(address)
               : "memory");
}

// c += a W^T: c [M][16, 8 N], a [M][16, 16 K], W [8 N, 16 K] in shared memory, rows `stride` apart. K even or 1.
template <int M, int K, int N>
__device__ inline void multiply_transposed(C (&c)[M][N], const A (&a)[M][K], const __half* w, int stride) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int k = 0; k < K; k += 2)
#pragma unroll
    for (int n = 0; n < N; ++n) {
      std::uint32_t b[4];  // two steps of K
      load_blocks(b, w + (8 * n + lane % 8) * stride + 16 * k + 8 * (lane / 8));
#pragma unroll
      for (int m = 0; m < M; ++m) {
        multiply_add(c[m][n], a[m][k], b[0], b[1]);
        multiply_add(c[m][n], a[m][k + 1], b[2], b[3]);
      }
    }
}

// c += a W: c [16, 8 N], a [16, 16 K], W [16 K, 8 N]. N even.
template <int K, int N>
__device__ inline void multiply_straight(C (&c)[N], const A (&a)[K], const __half* w, int stride) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int n = 0; n < N; n += 2)
#pragma unroll
    for (int k = 0; k < K; ++k) {
      std::uint32_t b[4];
      load_blocks_transposed(b, w + (16 * k + lane % 16) * stride + 8 * n + 8 * (lane / 16));
      multiply_add(c[n], a[k], b[0], b[1]);
      multiply_add(c[n + 1], a[k], b[2], b[3]);
    }
}

// c += d^T x over 16 R samples: c [16, 8 N], d [16 R, 16] and x [16 R, 8 N] in shared memory. If `sums`, the first
// column of `ones` also gets the sums of d.
template <int R, int N>
__device__ inline void multiply_samples(C (&c)[N], C& ones, bool sums, const __half* d, int d_stride, const __half* x,
                                        int x_stride) {
  const int lane = threadIdx.x % 32;
  const std::uint32_t one = lane < 4 ? 0x3c003c00u : 0u;
#pragma unroll 2
  for (int r = 0; r < R; ++r) {
    A a;
    load_blocks_transposed(a.v, d + (16 * r + lane / 16 * 8 + lane % 8) * d_stride + lane / 8 % 2 * 8);
    const __half* rows = x + (16 * r + lane % 16) * x_stride + 8 * (lane / 16);
    if constexpr (N == 1) {  // the second half is not used, but must be there
      std::uint32_t b[4];
      load_blocks_transposed(b, rows - 8 * (lane / 16));
      multiply_add(c[0], a, b[0], b[1]);
    } else {
#pragma unroll
      for (int n = 0; n < N; n += 2) {
        std::uint32_t b[4];
        load_blocks_transposed(b, rows + 8 * n);
        multiply_add(c[n], a, b[0], b[1]);
        multiply_add(c[n + 1], a, b[2], b[3]);
      }
    }
    if (sums) multiply_add(ones, a, one, one);
  }
}

}  // namespace mien::field::cuda
