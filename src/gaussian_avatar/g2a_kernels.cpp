#include "gaussian_avatar/g2a_kernels.h"

#include "base/clones.h"

namespace mien::g2a {
namespace {

// Eight floats that the compiler keeps in one register where there are such.
typedef float Lanes __attribute__((vector_size(32), aligned(4), may_alias));

inline __attribute__((always_inline)) const Lanes& lanes(const float* p) {
  return *reinterpret_cast<const Lanes*>(p);
}
inline __attribute__((always_inline)) Lanes& lanes(float* p) {
  return *reinterpret_cast<Lanes*>(p);
}

}  // namespace

// Four points by sixteen outputs at a time: eight sums in registers.
MIEN_CLONES void dense(const float* x, int points, int inputs, int x_row, const float* columns, int outputs, bool leak,
                       float* y) {
  const Lanes zero = {};
  for (int p = 0; p < points; p += 4) {
    const float* x0 = x + static_cast<std::ptrdiff_t>(p) * x_row;
    const float *x1 = x0 + x_row, *x2 = x1 + x_row, *x3 = x2 + x_row;
    for (int o = 0; o < outputs; o += 16) {
      float* y0 = y + static_cast<std::ptrdiff_t>(p) * outputs + o;
      float *y1 = y0 + outputs, *y2 = y1 + outputs, *y3 = y2 + outputs;
      Lanes a0 = lanes(y0), b0 = lanes(y0 + 8), a1 = lanes(y1), b1 = lanes(y1 + 8);
      Lanes a2 = lanes(y2), b2 = lanes(y2 + 8), a3 = lanes(y3), b3 = lanes(y3 + 8);
      const float* column = columns + o;
      for (int i = 0; i < inputs; ++i, column += outputs) {
        const Lanes a = lanes(column), b = lanes(column + 8);
        a0 += a * x0[i];
        b0 += b * x0[i];
        a1 += a * x1[i];
        b1 += b * x1[i];
        a2 += a * x2[i];
        b2 += b * x2[i];
        a3 += a * x3[i];
        b3 += b * x3[i];
      }
      if (leak) {  // not a number stays one: training must notice
        a0 = a0 < zero ? a0 * kLeak : a0;
        b0 = b0 < zero ? b0 * kLeak : b0;
        a1 = a1 < zero ? a1 * kLeak : a1;
        b1 = b1 < zero ? b1 * kLeak : b1;
        a2 = a2 < zero ? a2 * kLeak : a2;
        b2 = b2 < zero ? b2 * kLeak : b2;
        a3 = a3 < zero ? a3 * kLeak : a3;
        b3 = b3 < zero ? b3 * kLeak : b3;
      }
      lanes(y0) = a0;
      lanes(y0 + 8) = b0;
      lanes(y1) = a1;
      lanes(y1 + 8) = b1;
      lanes(y2) = a2;
      lanes(y2 + 8) = b2;
      lanes(y3) = a3;
      lanes(y3 + 8) = b3;
    }
  }
}

MIEN_CLONES void outer(const float* x, const float* dy, int points, int inputs, int outputs, float* gradient) {
  for (int i = 0; i < inputs; i += 4) {
    for (int o = 0; o < outputs; o += 16) {
      float* g0 = gradient + static_cast<std::ptrdiff_t>(i) * outputs + o;
      float *g1 = g0 + outputs, *g2 = g1 + outputs, *g3 = g2 + outputs;
      Lanes a0 = lanes(g0), b0 = lanes(g0 + 8), a1 = lanes(g1), b1 = lanes(g1 + 8);
      Lanes a2 = lanes(g2), b2 = lanes(g2 + 8), a3 = lanes(g3), b3 = lanes(g3 + 8);
      for (int p = 0; p < points; ++p) {
        const float* at = x + static_cast<std::ptrdiff_t>(p) * inputs + i;
        const float* d = dy + static_cast<std::ptrdiff_t>(p) * outputs + o;
        const Lanes a = lanes(d), b = lanes(d + 8);
        a0 += a * at[0];
        b0 += b * at[0];
        a1 += a * at[1];
        b1 += b * at[1];
        a2 += a * at[2];
        b2 += b * at[2];
        a3 += a * at[3];
        b3 += b * at[3];
      }
      lanes(g0) = a0;
      lanes(g0 + 8) = b0;
      lanes(g1) = a1;
      lanes(g1 + 8) = b1;
      lanes(g2) = a2;
      lanes(g2 + 8) = b2;
      lanes(g3) = a3;
      lanes(g3 + 8) = b3;
    }
  }
}

}  // namespace mien::g2a
