// The inner loops of a small network on the CPU, for blocks of kRows samples: matrix products in tiles of 6 by 16 held
// in registers, in the vectors of the processor at hand.
#pragma once

#include <cstdint>

namespace mien::field {

constexpr int kRows = 96;     // samples a block: whole tiles
constexpr int kColumns = 16;  // of a tile; layers are padded to multiples of it

constexpr int padded(int n) {
  return (n + kColumns - 1) / kColumns * kColumns;
}

// c [rows, columns] (+)= a b, where a(i, k) = a[i * row + k * step] and b(k, j) = b[k * b_row + j]. Columns are a
// multiple of kColumns; rows and depth are any.
template <typename T>
struct Product {
  int rows, columns, depth;
  const T* a;
  std::int64_t row, step;
  const T* b;
  std::int64_t b_row;
  T* c;
  std::int64_t c_row;
  bool add;
};
void multiply(const Product<float>& p);
void multiply(const Product<double>& p);

// y [rows, width] += bias of the row's group, then ReLU if asked for. bias [G, width]; group nullptr: all 0.
template <typename T>
struct Bias {
  int rows, width;
  T* y;
  const T* bias;
  const std::int32_t* group;
  bool relu;
};
void add_bias(const Bias<float>& b);
void add_bias(const Bias<double>& b);

// The way back: d [rows, width] becomes 0 where y is (not if y is nullptr), and its rows are added to those of their
// groups in d_bias (unless that is nullptr).
template <typename T>
struct BiasBack {
  int rows, width;
  T* d;
  const T* y;
  T* d_bias;
  const std::int32_t* group;
};
void bias_back(const BiasBack<float>& b);
void bias_back(const BiasBack<double>& b);

}  // namespace mien::field
