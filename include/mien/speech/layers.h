// The three layers that the speech networks are made of, as plain C++ that runs one time step at a time. No LibTorch:
// it loads in nothing, and a stream gives bit-identical results however it is cut. Weights use LibTorch's layouts in
// files.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace mien {

class SafetensorsFile;

// y = W x + b. In the file W is [out, in] and b [out].
class LinearLayer {
 public:
  LinearLayer() = default;
  // An empty `bias_name` means no bias. Throws kBadFile when a tensor is missing, has another shape, or holds NaN or
  // infinity.
  LinearLayer(const SafetensorsFile& file, const std::string& weight_name, const std::string& bias_name, int inputs,
              int outputs);
  int inputs() const { return inputs_; }
  int outputs() const { return outputs_; }
  void apply(std::span<const float> x, std::span<float> y) const;

 private:
  int inputs_ = 0;
  int outputs_ = 0;
  std::vector<float> columns_;  // [in, out]: one column of W after the other, so that the inner loop runs over outputs
  std::vector<float> bias_;     // [out]
};

// Causal convolution over time followed by ReLU: y = relu(W * (the last `kernel` inputs) + b).
// File: NAME.weight [out, in, kernel], NAME.bias [out].
class CausalConvLayer {
 public:
  CausalConvLayer() = default;
  CausalConvLayer(const SafetensorsFile& file, const std::string& name, int inputs, int outputs, int kernel);
  int inputs() const { return inputs_; }
  int outputs() const { return outputs_; }
  // History of one stream: the last `kernel` inputs, zeros at first.
  std::vector<float> make_state() const { return std::vector<float>(columns_.size() / outputs_, 0.0f); }
  static void remember(std::vector<float>& state, std::span<const float> x);  // shifts `x` in
  void apply(const std::vector<float>& state, std::span<float> y) const;

 private:
  int inputs_ = 0;
  int outputs_ = 0;
  std::vector<float> columns_;  // [kernel, in, out], oldest input first
  std::vector<float> bias_;
};

// Gated recurrent unit (Cho et al. 2014, in LibTorch's form: the reset gate acts after the recurrent product).
// File: NAME.weight_ih [3H, in], NAME.weight_hh [3H, H], NAME.bias_ih [3H], NAME.bias_hh [3H]; gates in order r, z, n.
class GruLayer {
 public:
  GruLayer() = default;
  GruLayer(const SafetensorsFile& file, const std::string& name, int inputs, int hidden);
  int hidden() const { return hidden_; }
  std::vector<float> make_state() const { return std::vector<float>(hidden_, 0.0f); }
  // Replaces the state by the next one.
  void step(std::span<const float> x, std::vector<float>& state) const;

 private:
  int hidden_ = 0;
  LinearLayer input_;
  LinearLayer recurrent_;
};

// In place: x_i = exp(x_i) / sum exp.
void softmax(std::span<float> x);

}  // namespace mien
