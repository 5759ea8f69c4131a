// The operations of a network as functions of LibTorch tensors, built once from what the file says.
//
// Layout: a tensor with four dimensions, [N,H,W,C] in the file, is held as [N,C,H,W]; all others as in the file. Shapes
// in the file are for one picture; the batch is whatever the input brings.
#pragma once

#include <ATen/ATen.h>

#include <functional>
#include <vector>

#include "landmarks/tflite_model.h"

namespace mien {

// From the inputs that are no constants, in order, to the result.
using Kernel = std::function<at::Tensor(const std::vector<at::Tensor>&)>;

// What a kernel is built from. `constant(i)` is input i of the operation as the file lays it out, 32-bit floats or
// ints; throws kBadFile when input i is computed.
class KernelContext {
 public:
  KernelContext(const TfliteModel& model, const TfliteOperation& op, const std::vector<at::Tensor>& constants)
      : model_(&model), op_(&op), constants_(&constants) {}

  const TfliteOperation& op() const { return *op_; }
  const std::vector<std::int32_t>& options() const { return op_->options; }
  bool has(std::size_t i) const { return i < op_->inputs.size() && op_->inputs[i] >= 0; }
  bool is_constant(std::size_t i) const { return has(i) && (*constants_)[op_->inputs[i]].defined(); }
  at::Tensor constant(std::size_t i) const;
  std::vector<std::int64_t> int_constant(std::size_t i, std::size_t count) const;
  const std::vector<std::int64_t>& shape(std::size_t i) const;  // of input i, as in the file
  const std::vector<std::int64_t>& result() const;              // shape of the result
  // Throws kBadFile: the operation's name, then `what`.
  [[noreturn]] void bad(const std::string& what) const;
  void expect(const std::vector<std::int64_t>& shape) const;  // that the result has this shape
  void expect_inputs(std::size_t count) const;

 private:
  const TfliteModel* model_;
  const TfliteOperation* op_;
  const std::vector<at::Tensor>* constants_;
};

// Builds the kernel, with weights on `device`. Throws kBadFile when shapes and options do not fit, kUnsupported for
// variants that no network of MediaPipe uses.
Kernel make_kernel(const KernelContext& context, const at::Device& device);
Kernel make_convolution(const KernelContext& context, const at::Device& device);  // also depthwise
Kernel make_pool(const KernelContext& context);
Kernel make_custom(const KernelContext& context, const at::Device& device);  // those of MediaPipe

// None, relu or relu6, by the file's number.
at::Tensor activate(const at::Tensor& x, int activation);

}  // namespace mien
