// The three loops that small networks over many points consist of. Rows are padded to whole vectors (padded()), and
// points to groups of four.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mien::g2a {

constexpr int kPad = 16;       // floats
constexpr int kBlock = 64;     // points that go through a network together
constexpr float kLeak = 0.1f;  // slope of the activation below 0
inline int padded(int count) {
  return (count + kPad - 1) / kPad * kPad;
}

// y[p,o] += sum_i x[p,i] columns[i,o], and then leaky ReLU with `leak`. inputs: any; outputs and rows of x: padded.
void dense(const float* x, int points, int inputs, int x_row, const float* columns, int outputs, bool leak, float* y);

// gradient[i,o] += sum_p x[p,i] dy[p,o]. inputs and outputs padded.
void outer(const float* x, const float* dy, int points, int inputs, int outputs, float* gradient);

}  // namespace mien::g2a
