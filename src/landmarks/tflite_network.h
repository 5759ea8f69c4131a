// Runs a TensorFlow Lite network with LibTorch.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <vector>

#include "landmarks/kernels.h"

namespace mien {

// Immutable and thread-safe. Weights are copied, so the file's bytes may go.
class TfliteNetwork {
 public:
  // `device`: "cpu", "cuda", "cuda:1". Everything is checked here, by a run on zeros at the end: a network that loads
  // also runs. Throws kBadFile and kUnsupported for the file, kMissingFeature for a device that is not there.
  TfliteNetwork(std::vector<std::uint8_t> file, const std::string& name, const std::string& device = "cpu");

  // `input` [N,H,W,C] floats with H, W, C as the file says (kBadArgument otherwise) and any N >= 1; the outputs as the
  // file shapes and orders them, with N first; on the CPU.
  std::vector<at::Tensor> run(const at::Tensor& input) const;

  const std::vector<std::int64_t>& input_shape() const { return input_shape_; }  // [1,H,W,C]
  const std::vector<std::vector<std::int64_t>>& output_shapes() const { return output_shapes_; }

 private:
  struct Step {
    Kernel kernel;
    std::vector<int> inputs;  // no constants
    int output = 0;
    std::vector<int> done;  // values that nobody uses afterwards
  };
  void build(const FileBytes& bytes);
  std::vector<at::Tensor> constants(const TfliteModel& model) const;
  std::vector<at::Tensor> run_unchecked(const at::Tensor& input) const;

  at::Device device_;
  std::vector<Step> steps_;
  std::vector<std::int64_t> input_shape_;
  std::vector<std::vector<std::int64_t>> output_shapes_;
  int input_ = 0;
  std::vector<int> outputs_;
  std::size_t values_ = 0;
};

}  // namespace mien
