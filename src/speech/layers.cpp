#include "mien/speech/layers.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "mien/base/error.h"
#include "mien/base/safetensors.h"

namespace mien {
namespace {

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define MIEN_CLONES __attribute__((target_clones("avx512f", "arch=haswell", "default")))
#else
#define MIEN_CLONES
#endif

// y[o] += sum_i columns[i][o] x[i], four inputs at a time so that y is read and written a quarter as often.
MIEN_CLONES
void accumulate(const float* columns, const float* x, int inputs, float* y, int outputs) {
  int i = 0;
  for (; i + 4 <= inputs; i += 4) {
    const float* c0 = columns + static_cast<std::ptrdiff_t>(i) * outputs;
    const float* c1 = c0 + outputs;
    const float* c2 = c1 + outputs;
    const float* c3 = c2 + outputs;
    const float x0 = x[i];
    const float x1 = x[i + 1];
    const float x2 = x[i + 2];
    const float x3 = x[i + 3];
    for (int o = 0; o < outputs; ++o) y[o] += (c0[o] * x0 + c1[o] * x1) + (c2[o] * x2 + c3[o] * x3);
  }
  for (; i < inputs; ++i) {
    const float* c = columns + static_cast<std::ptrdiff_t>(i) * outputs;
    for (int o = 0; o < outputs; ++o) y[o] += c[o] * x[i];
  }
}

std::vector<float> finite_floats(const SafetensorsFile& file, const std::string& name,
                                 std::vector<std::int64_t> shape) {
  std::vector<float> values = file.floats(name, std::move(shape));
  for (const float v : values) {
    if (!std::isfinite(v)) {
      throw Error(ErrorCode::kBadFile,
                  fmt::format("{}: tensor {} holds a value that is not finite", file.path().string(), name),
                  "fetch or train the model again");
    }
  }
  return values;
}

float sigmoid(float x) {
  return 1.0f / (1.0f + std::exp(-x));
}

}  // namespace

LinearLayer::LinearLayer(const SafetensorsFile& file, const std::string& weight_name, const std::string& bias_name,
                         int inputs, int outputs)
    : inputs_(inputs), outputs_(outputs), columns_(static_cast<std::size_t>(inputs) * outputs), bias_(outputs, 0.0f) {
  const std::vector<float> weight = finite_floats(file, weight_name, {outputs, inputs});
  if (!bias_name.empty()) bias_ = finite_floats(file, bias_name, {outputs});
  for (int o = 0; o < outputs; ++o) {
    for (int i = 0; i < inputs; ++i) {
      columns_[static_cast<std::size_t>(i) * outputs + o] = weight[static_cast<std::size_t>(o) * inputs + i];
    }
  }
}

void LinearLayer::apply(std::span<const float> x, std::span<float> y) const {
  std::copy(bias_.begin(), bias_.end(), y.begin());
  accumulate(columns_.data(), x.data(), inputs_, y.data(), outputs_);
}

CausalConvLayer::CausalConvLayer(const SafetensorsFile& file, const std::string& name, int inputs, int outputs,
                                 int kernel)
    : inputs_(inputs), outputs_(outputs), bias_(finite_floats(file, name + ".bias", {outputs})) {
  const std::vector<float> weight = finite_floats(file, name + ".weight", {outputs, inputs, kernel});
  columns_.resize(weight.size());
  for (int o = 0; o < outputs; ++o) {
    for (int i = 0; i < inputs; ++i) {
      for (int k = 0; k < kernel; ++k) {
        columns_[(static_cast<std::size_t>(k) * inputs + i) * outputs + o] =
            weight[(static_cast<std::size_t>(o) * inputs + i) * kernel + k];
      }
    }
  }
}

void CausalConvLayer::remember(std::vector<float>& state, std::span<const float> x) {
  std::memmove(state.data(), state.data() + x.size(), (state.size() - x.size()) * sizeof(float));
  std::copy(x.begin(), x.end(), state.end() - static_cast<std::ptrdiff_t>(x.size()));
}

void CausalConvLayer::apply(const std::vector<float>& state, std::span<float> y) const {
  std::copy(bias_.begin(), bias_.end(), y.begin());
  accumulate(columns_.data(), state.data(), static_cast<int>(state.size()), y.data(), outputs_);
  for (float& v : y) v = std::max(v, 0.0f);
}

GruLayer::GruLayer(const SafetensorsFile& file, const std::string& name, int inputs, int hidden)
    : hidden_(hidden),
      input_(file, name + ".weight_ih", name + ".bias_ih", inputs, 3 * hidden),
      recurrent_(file, name + ".weight_hh", name + ".bias_hh", hidden, 3 * hidden) {}

void GruLayer::step(std::span<const float> x, std::vector<float>& state) const {
  thread_local std::vector<float> gi;
  thread_local std::vector<float> gh;
  gi.resize(3 * static_cast<std::size_t>(hidden_));
  gh.resize(3 * static_cast<std::size_t>(hidden_));
  input_.apply(x, gi);
  recurrent_.apply(state, gh);
  for (int j = 0; j < hidden_; ++j) {
    const float r = sigmoid(gi[j] + gh[j]);
    const float z = sigmoid(gi[hidden_ + j] + gh[hidden_ + j]);
    const float n = std::tanh(gi[2 * hidden_ + j] + r * gh[2 * hidden_ + j]);
    state[j] = (1.0f - z) * n + z * state[j];
  }
}

void softmax(std::span<float> x) {
  const float top = *std::max_element(x.begin(), x.end());
  float sum = 0;
  for (float& v : x) {
    v = std::exp(v - top);
    sum += v;
  }
  for (float& v : x) v /= sum;
}

}  // namespace mien
