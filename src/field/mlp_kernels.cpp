#include "field/mlp_kernels.h"

#include "base/clones.h"

namespace mien::field {
namespace {

// Compiled for each generation of processors by the functions below.
#define MIEN_INLINE [[gnu::always_inline]] inline

template <typename T, int M>
MIEN_INLINE void tile(const Product<T>& p, int i, int j) {
  using V [[gnu::vector_size(kColumns * sizeof(T)), gnu::aligned(sizeof(T)), gnu::may_alias]] = T;
  V sum[M] = {};
  const T* a = p.a + i * p.row;
  const T* b = p.b + j;
  for (int k = 0; k < p.depth; ++k, a += p.step, b += p.b_row) {
    const V line = *reinterpret_cast<const V*>(b);
    for (int m = 0; m < M; ++m) sum[m] += a[m * p.row] * line;
  }
  for (int m = 0; m < M; ++m) {
    V* c = reinterpret_cast<V*>(p.c + (i + m) * p.c_row + j);
    *c = p.add ? *c + sum[m] : sum[m];
  }
}

template <typename T>
MIEN_INLINE void multiply_any(const Product<T>& p) {
  for (int j = 0; j < p.columns; j += kColumns) {
    int i = 0;
    for (; i + 6 <= p.rows; i += 6) tile<T, 6>(p, i, j);
    for (; i + 2 <= p.rows; i += 2) tile<T, 2>(p, i, j);
    for (; i < p.rows; ++i) tile<T, 1>(p, i, j);
  }
}

template <typename T>
MIEN_INLINE void add_bias_any(const Bias<T>& b) {
  for (int r = 0; r < b.rows; ++r) {
    T* y = b.y + static_cast<std::int64_t>(r) * b.width;
    if (b.bias != nullptr) {
      const T* bias = b.bias + static_cast<std::int64_t>(b.group != nullptr ? b.group[r] : 0) * b.width;
      for (int j = 0; j < b.width; ++j) y[j] += bias[j];
    }
    if (b.relu)
      for (int j = 0; j < b.width; ++j) y[j] = y[j] < 0 ? T(0) : y[j];  // what is not a number stays so
  }
}

template <typename T>
MIEN_INLINE void bias_back_any(const BiasBack<T>& b) {
  for (int r = 0; r < b.rows; ++r) {
    const std::int64_t at = static_cast<std::int64_t>(r) * b.width;
    T* d = b.d + at;
    if (b.y != nullptr)
      for (int j = 0; j < b.width; ++j) d[j] = b.y[at + j] > 0 ? d[j] : T(0);
    if (b.d_bias != nullptr) {
      T* sum = b.d_bias + static_cast<std::int64_t>(b.group != nullptr ? b.group[r] : 0) * b.width;
      for (int j = 0; j < b.width; ++j) sum[j] += d[j];
    }
  }
}

}  // namespace

MIEN_CLONES void multiply(const Product<float>& p) {
  multiply_any(p);
}
MIEN_CLONES void multiply(const Product<double>& p) {
  multiply_any(p);
}
MIEN_CLONES void add_bias(const Bias<float>& b) {
  add_bias_any(b);
}
MIEN_CLONES void add_bias(const Bias<double>& b) {
  add_bias_any(b);
}
MIEN_CLONES void bias_back(const BiasBack<float>& b) {
  bias_back_any(b);
}
MIEN_CLONES void bias_back(const BiasBack<double>& b) {
  bias_back_any(b);
}

}  // namespace mien::field
