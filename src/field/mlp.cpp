#include "mien/field/mlp.h"

#include <algorithm>
#include <vector>

#include "field/mlp_kernels.h"
#include "mien/base/parallel.h"

namespace mien {
namespace {

using field::kRows;
using field::padded;

constexpr int kMostLayers = 4;
constexpr std::int64_t kMostParts = 32;  // of the samples, whose gradients are summed one after the other

struct Layer {
  int inputs, outputs;            // without shared ones
  int wide_inputs, wide_outputs;  // padded
  std::int64_t weights, row;      // where its weights begin, and from row to row of them
  std::int64_t bias;              // -1: none
};

// A network's weights, laid out for the products.
template <typename T>
struct Network {
  const MlpShape& shape;
  int layers = 0;
  Layer layer[kMostLayers] = {};
  std::vector<T> forward[kMostLayers];  // [wide inputs, wide outputs]
  std::vector<T> back[kMostLayers];     // [outputs, wide inputs]
  std::vector<T> bias[kMostLayers];     // [wide outputs]; of the first layer [groups, wide outputs]

  Network(const MlpShape& s, const T* weights, const MlpBatch<T>& batch, bool both) : shape(s) {
    std::int64_t at = 0;
    layers = s.hidden + 1;
    for (int l = 0; l < layers; ++l) {
      const int inputs = l == 0 ? s.inputs : s.width, outputs = l == s.hidden ? s.outputs : s.width;
      const std::int64_t row = inputs + (l == 0 ? s.shared : 0);
      Layer& a = layer[l] = {inputs, outputs, padded(inputs), padded(outputs), at, row, -1};
      at += row * outputs;
      if (s.bias) {
        a.bias = at;
        at += outputs;
      }
      forward[l].assign(static_cast<std::size_t>(a.wide_inputs) * a.wide_outputs, T(0));
      if (both) back[l].assign(static_cast<std::size_t>(a.outputs) * a.wide_inputs, T(0));
      for (int o = 0; o < outputs; ++o)
        for (int i = 0; i < inputs; ++i) {
          const T w = weights[a.weights + o * row + i];
          forward[l][static_cast<std::size_t>(i) * a.wide_outputs + o] = w;
          if (both) back[l][static_cast<std::size_t>(o) * a.wide_inputs + i] = w;
        }
      const int rows = l == 0 ? batch.groups : 1;
      if (!s.bias && (l > 0 || s.shared == 0)) continue;
      bias[l].assign(static_cast<std::size_t>(rows) * a.wide_outputs, T(0));
      for (int g = 0; g < rows; ++g)
        for (int o = 0; o < outputs; ++o) {
          T sum = s.bias ? weights[a.bias + o] : T(0);
          if (l == 0)
            for (int i = 0; i < s.shared; ++i)
              sum +=
                  weights[a.weights + o * row + inputs + i] * batch.shared[static_cast<std::int64_t>(g) * s.shared + i];
          bias[l][static_cast<std::size_t>(g) * a.wide_outputs + o] = sum;
        }
    }
  }
};

// The values of one block of samples: the input and every layer's output, all padded.
template <typename T>
struct Values {
  std::vector<T> x[kMostLayers + 1];

  explicit Values(const Network<T>& net) {
    x[0].assign(static_cast<std::size_t>(kRows) * net.layer[0].wide_inputs, T(0));
    for (int l = 0; l < net.layers; ++l)
      x[l + 1].assign(static_cast<std::size_t>(kRows) * net.layer[l].wide_outputs, T(0));
  }

  void work_out(const Network<T>& net, const MlpBatch<T>& batch, std::int64_t first, int rows, bool last) {
    const std::int64_t stride = batch.x_stride > 0 ? batch.x_stride : net.shape.inputs;
    for (int r = 0; r < rows; ++r)
      std::copy_n(batch.x + (first + r) * stride, net.shape.inputs,
                  x[0].data() + static_cast<std::ptrdiff_t>(r) * net.layer[0].wide_inputs);
    for (int l = 0; l < net.layers - (last ? 0 : 1); ++l) {
      const Layer& a = net.layer[l];
      field::multiply(field::Product<T>{rows, a.wide_outputs, a.inputs, x[l].data(), a.wide_inputs, 1,
                                        net.forward[l].data(), a.wide_outputs, x[l + 1].data(), a.wide_outputs, false});
      const bool relu = l + 1 < net.layers, biased = !net.bias[l].empty();
      if (relu || biased)
        field::add_bias(field::Bias<T>{rows, a.wide_outputs, x[l + 1].data(), biased ? net.bias[l].data() : nullptr,
                                       l == 0 && batch.group != nullptr ? batch.group + first : nullptr, relu});
    }
  }
};

// What a part of the samples adds to the gradients, padded as Network's `back`, outputs by wide inputs.
template <typename T>
struct Sums {
  std::vector<T> weights[kMostLayers], bias[kMostLayers];

  explicit Sums(const Network<T>& net, int groups) {
    for (int l = 0; l < net.layers; ++l) {
      weights[l].assign(static_cast<std::size_t>(net.layer[l].outputs) * net.layer[l].wide_inputs, T(0));
      if (!net.bias[l].empty())
        bias[l].assign(static_cast<std::size_t>(l == 0 ? groups : 1) * net.layer[l].wide_outputs, T(0));
    }
  }
  void add(const Sums& other) {
    for (int l = 0; l < kMostLayers; ++l) {
      for (std::size_t i = 0; i < weights[l].size(); ++i) weights[l][i] += other.weights[l][i];
      for (std::size_t i = 0; i < bias[l].size(); ++i) bias[l][i] += other.bias[l][i];
    }
  }
};

// From the sums to the gradients, those of the shared inputs and their weights among them.
template <typename T>
void spread(const Network<T>& net, const T* weights, const MlpBatch<T>& batch, const Sums<T>& sums,
            const MlpGradients<T>& g) {
  const MlpShape& s = net.shape;
  for (int l = 0; l < net.layers && g.weights != nullptr; ++l) {
    const Layer& a = net.layer[l];
    for (int o = 0; o < a.outputs; ++o)
      for (int i = 0; i < a.inputs; ++i)
        g.weights[a.weights + o * a.row + i] += sums.weights[l][static_cast<std::size_t>(o) * a.wide_inputs + i];
    for (int group = 0; group < (l == 0 ? batch.groups : 1) && !sums.bias[l].empty(); ++group)
      for (int o = 0; o < a.outputs; ++o) {
        const T d = sums.bias[l][static_cast<std::size_t>(group) * a.wide_outputs + o];
        if (s.bias) g.weights[a.bias + o] += d;
        if (l > 0 || d == 0) continue;
        const T* shared = batch.shared + static_cast<std::int64_t>(group) * s.shared;
        for (int i = 0; i < s.shared; ++i) g.weights[a.weights + o * a.row + a.inputs + i] += d * shared[i];
      }
  }
  if (g.shared == nullptr || s.shared == 0) return;
  const Layer& a = net.layer[0];
  for (int group = 0; group < batch.groups; ++group)
    for (int o = 0; o < a.outputs; ++o) {
      const T d = sums.bias[0][static_cast<std::size_t>(group) * a.wide_outputs + o];
      for (int i = 0; i < s.shared; ++i)
        g.shared[static_cast<std::int64_t>(group) * s.shared + i] += d * weights[a.weights + o * a.row + a.inputs + i];
    }
}

template <typename T>
void back_block(const Network<T>& net, const MlpBatch<T>& batch, std::int64_t first, int rows, const Values<T>& values,
                std::vector<T> (&d)[2], Sums<T>& sums, const MlpGradients<T>& g) {
  for (int l = net.layers - 1; l >= 0; --l) {
    const Layer& a = net.layer[l];
    T* slope = d[l % 2].data();
    const bool last = l == net.layers - 1, biased = !sums.bias[l].empty();
    if (!last || biased)
      field::bias_back(field::BiasBack<T>{rows, a.wide_outputs, slope, last ? nullptr : values.x[l + 1].data(),
                                          biased ? sums.bias[l].data() : nullptr,
                                          l == 0 && batch.group != nullptr ? batch.group + first : nullptr});
    if (g.weights != nullptr)
      field::multiply(field::Product<T>{a.outputs, a.wide_inputs, rows, slope, 1, a.wide_outputs, values.x[l].data(),
                                        a.wide_inputs, sums.weights[l].data(), a.wide_inputs, true});
    if (l == 0 && g.x == nullptr) return;
    field::multiply(field::Product<T>{rows, a.wide_inputs, a.outputs, slope, a.wide_outputs, 1, net.back[l].data(),
                                      a.wide_inputs, d[(l + 1) % 2].data(), a.wide_inputs, false});
  }
  const std::int64_t stride = g.x_stride > 0 ? g.x_stride : net.shape.inputs;
  for (int r = 0; r < rows; ++r)
    std::copy_n(d[1].data() + static_cast<std::ptrdiff_t>(r) * net.layer[0].wide_inputs, net.shape.inputs,
                g.x + (first + r) * stride);
}

int rows_of(std::int64_t count, std::int64_t block) {
  return static_cast<int>(std::min<std::int64_t>(kRows, count - block * kRows));
}

}  // namespace

template <typename T>
void mlp_forward(const MlpShape& shape, const T* weights, const MlpBatch<T>& batch, T* y, std::int64_t y_stride) {
  shape.check();
  const Network<T> net(shape, weights, batch, false);
  const std::int64_t stride = y_stride > 0 ? y_stride : shape.outputs, blocks = (batch.count + kRows - 1) / kRows;
#pragma omp parallel if (blocks > 4)
  {
    Values<T> values(net);
#pragma omp for schedule(dynamic, 4)
    for (std::int64_t b = 0; b < blocks; ++b) {
      const int rows = rows_of(batch.count, b);
      values.work_out(net, batch, b * kRows, rows, true);
      for (int r = 0; r < rows; ++r)
        std::copy_n(
            values.x[net.layers].data() + static_cast<std::ptrdiff_t>(r) * net.layer[net.layers - 1].wide_outputs,
            shape.outputs, y + (b * kRows + r) * stride);
    }
  }
}

template <typename T>
void mlp_backward(const MlpShape& shape, const T* weights, const MlpBatch<T>& batch, const T* d_y,
                  const MlpGradients<T>& gradients, std::int64_t d_y_stride) {
  shape.check();
  const Network<T> net(shape, weights, batch, true);
  const std::int64_t stride = d_y_stride > 0 ? d_y_stride : shape.outputs, blocks = (batch.count + kRows - 1) / kRows;
  const std::int64_t parts = std::min(kMostParts, blocks);
  const int wide = net.layer[net.layers - 1].wide_outputs;
  int widest = wide;
  for (int l = 0; l < net.layers; ++l) widest = std::max({widest, net.layer[l].wide_inputs, net.layer[l].wide_outputs});
  Sums<T> sums(net, batch.groups);
#pragma omp parallel if (parts > 4)
  {
    Values<T> values(net);
    std::vector<T> d[2];
    for (std::vector<T>& v : d) v.assign(static_cast<std::size_t>(kRows) * widest, T(0));
#pragma omp for schedule(static, 1) ordered
    for (std::int64_t p = 0; p < parts; ++p) {
      Sums<T> mine(net, batch.groups);
      for (std::int64_t b = p * blocks / parts; b < (p + 1) * blocks / parts; ++b) {
        const int rows = rows_of(batch.count, b);
        values.work_out(net, batch, b * kRows, rows, false);
        T* slope = d[(net.layers - 1) % 2].data();
        std::fill_n(slope, static_cast<std::ptrdiff_t>(rows) * wide, T(0));
        for (int r = 0; r < rows; ++r)
          std::copy_n(d_y + (b * kRows + r) * stride, shape.outputs, slope + static_cast<std::ptrdiff_t>(r) * wide);
        back_block(net, batch, b * kRows, rows, values, d, mine, gradients);
      }
#pragma omp ordered
      sums.add(mine);
    }
  }
  spread(net, weights, batch, sums, gradients);
}

template void mlp_forward(const MlpShape&, const float*, const MlpBatch<float>&, float*, std::int64_t);
template void mlp_forward(const MlpShape&, const double*, const MlpBatch<double>&, double*, std::int64_t);
template void mlp_backward(const MlpShape&, const float*, const MlpBatch<float>&, const float*,
                           const MlpGradients<float>&, std::int64_t);
template void mlp_backward(const MlpShape&, const double*, const MlpBatch<double>&, const double*,
                           const MlpGradients<double>&, std::int64_t);

}  // namespace mien
