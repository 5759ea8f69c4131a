#include "landmarks/tflite_network.h"

#include <c10/core/InferenceMode.h>

#include "mien/base/error.h"

namespace mien {
namespace {

at::Device find_device(const std::string& name) {
  try {
    const at::Device device(name);
    at::empty({1}, at::TensorOptions().device(device));  // is it there?
    return device;
  } catch (const std::exception&) {
    throw Error(ErrorCode::kMissingFeature, fmt::format("the device \"{}\" cannot be used", name),
                "use \"cpu\", or a build and machine with CUDA");
  }
}

at::Tensor read_constant(const TfliteTensor& tensor) {
  const at::ScalarType types[] = {at::kFloat, at::kHalf, at::kInt};
  const at::ScalarType type = types[static_cast<int>(tensor.type)];
  at::Tensor out = at::empty(tensor.shape, at::TensorOptions().dtype(type));
  std::memcpy(out.data_ptr(), tensor.data.data(), tensor.data.size());
  return type == at::kHalf ? out.to(at::kFloat) : out;
}

}  // namespace

// 16-bit weights stand behind operations that widen them; here they are widened at once.
std::vector<at::Tensor> TfliteNetwork::constants(const TfliteModel& model) const {
  std::vector<at::Tensor> out(model.tensors.size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (!model.tensors[i].data.empty()) out[i] = read_constant(model.tensors[i]);
  }
  for (const TfliteOperation& op : model.operations) {
    if (op.op != TfliteOp::kDequantize || op.inputs[0] < 0 || !out[op.inputs[0]].defined()) continue;
    if (model.tensors[op.inputs[0]].shape != model.tensors[op.outputs[0]].shape)
      KernelContext(model, op, out).bad("it changes the shape");
    out[op.outputs[0]] = out[op.inputs[0]];
  }
  return out;
}

TfliteNetwork::TfliteNetwork(std::vector<std::uint8_t> file, const std::string& name, const std::string& device)
    : device_(find_device(device)) {
  const c10::InferenceMode guard;
  const FileBytes bytes{file, name};
  try {
    build(bytes);
    const std::vector<at::Tensor> out = run_unchecked(at::zeros(input_shape_));
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (out[i].sizes().vec() != output_shapes_[i]) bytes.damaged("an output has another shape than the file says");
    }
  } catch (const c10::Error& error) {  // what LibTorch complains of must lie in the file
    bytes.damaged(fmt::format("it cannot run: {}", error.what_without_backtrace()).substr(0, 300));
  }
}

void TfliteNetwork::build(const FileBytes& bytes) {
  const TfliteModel model = read_tflite(bytes);
  const std::vector<at::Tensor> fixed = constants(model);
  values_ = model.tensors.size();
  input_ = model.inputs[0];
  input_shape_ = model.tensors[input_].shape;
  if (model.inputs.size() != 1 || input_shape_.size() != 4 || input_shape_[0] != 1)
    bytes.damaged("its input is not one picture");
  outputs_ = model.outputs;
  std::vector<int> last_use(values_, -1);
  for (const TfliteOperation& op : model.operations) {
    if (fixed[op.outputs[0]].defined()) continue;
    Step step;
    step.kernel = make_kernel(KernelContext(model, op, fixed), device_);
    step.output = op.outputs[0];
    for (const int i : op.inputs) {
      if (i < 0 || fixed[i].defined()) continue;
      step.inputs.push_back(i);
      last_use[i] = static_cast<int>(steps_.size());
    }
    if (step.inputs.empty()) bytes.damaged("an operation has only constants");
    steps_.push_back(std::move(step));
  }
  for (const int i : outputs_) {
    if (fixed[i].defined() || i == input_) bytes.damaged("an output does not depend on the input");
    last_use[i] = -1;  // stays
    output_shapes_.push_back(model.tensors[i].shape);
  }
  for (std::size_t i = 0; i < values_; ++i) {
    if (last_use[i] >= 0) steps_[last_use[i]].done.push_back(static_cast<int>(i));
  }
}

std::vector<at::Tensor> TfliteNetwork::run(const at::Tensor& input) const {
  if (input.dim() != 4 || input.size(0) < 1 || input.scalar_type() != at::kFloat ||
      input.sizes().slice(1) != at::IntArrayRef(input_shape_).slice(1))
    throw Error(ErrorCode::kBadArgument, "a network got pictures of the wrong size",
                fmt::format("give [N,{},{},{}] floats", input_shape_[1], input_shape_[2], input_shape_[3]));
  return run_unchecked(input);
}

std::vector<at::Tensor> TfliteNetwork::run_unchecked(const at::Tensor& input) const {
  const c10::InferenceMode guard;
  std::vector<at::Tensor> values(values_), in;
  values[input_] = input.to(device_).permute({0, 3, 1, 2}).contiguous();
  for (const Step& step : steps_) {
    in.clear();
    for (const int i : step.inputs) in.push_back(values[i]);
    values[step.output] = step.kernel(in);
    for (const int i : step.done) values[i] = at::Tensor();
  }
  std::vector<at::Tensor> out;
  for (const int i : outputs_) {
    const at::Tensor& value = values[i];
    out.push_back((value.dim() == 4 ? value.permute({0, 2, 3, 1}) : value).contiguous().to(at::kCPU));
  }
  return out;
}

}  // namespace mien
