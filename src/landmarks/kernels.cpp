#include "landmarks/kernels.h"

#include <algorithm>

#include "mien/base/error.h"

namespace mien {
namespace {

constexpr int kFileToHeld[] = {0, 2, 3, 1};  // where dimension i of [N,H,W,C] is in [N,C,H,W]

std::int64_t held_axis(std::int64_t axis, std::size_t dimensions) {
  return dimensions == 4 ? kFileToHeld[axis] : axis;
}

// Two operands, either of which may be a constant that is repeated along dimensions it lacks.
Kernel make_pairwise(const KernelContext& context, const at::Device& device) {
  context.expect_inputs(2);
  const std::vector<std::int64_t>& result = context.result();
  std::array<at::Tensor, 2> fixed;
  for (const std::size_t i : {0u, 1u}) {
    const std::vector<std::int64_t>& shape = context.shape(i);
    if (shape.size() > result.size()) context.bad("the result has fewer dimensions than an operand");
    const std::size_t missing = result.size() - shape.size();
    for (std::size_t d = 0; d < shape.size(); ++d) {
      if (shape[d] != 1 && shape[d] != result[missing + d]) context.bad("the operands do not fit");
    }
    if (!context.is_constant(i)) {
      if (missing > 0) context.bad("an operand lacks dimensions");
      continue;
    }
    std::vector<std::int64_t> full(missing, 1);
    full.insert(full.end(), shape.begin(), shape.end());
    at::Tensor value = context.constant(i).reshape(full);
    if (full.size() == 4) value = value.permute({0, 3, 1, 2});
    fixed[i] = value.contiguous().to(device);
  }
  std::vector<std::int64_t> widest = result;
  for (std::size_t d = 0; d < result.size(); ++d) {
    std::int64_t size = 1;
    for (const std::size_t i : {0u, 1u}) {
      const std::size_t missing = result.size() - context.shape(i).size();
      if (d >= missing) size = std::max(size, context.shape(i)[d - missing]);
    }
    widest[d] = size;
  }
  context.expect(widest);
  const TfliteOp op = context.op().op;
  if (op == TfliteOp::kPrelu) {
    if (!fixed[1].defined()) context.bad("its slopes are computed");
    const at::Tensor slope = fixed[1];
    return [slope](const std::vector<at::Tensor>& in) {
      return at::clamp_min(in[0], 0).add_(at::clamp_max(in[0], 0).mul_(slope));
    };
  }
  const int activation = context.options()[0];
  return [fixed, op, activation](const std::vector<at::Tensor>& in) {
    std::size_t next = 0;
    const at::Tensor a = fixed[0].defined() ? fixed[0] : in[next++];
    const at::Tensor b = fixed[1].defined() ? fixed[1] : in[next++];
    return activate(op == TfliteOp::kAdd ? at::add(a, b) : at::mul(a, b), activation);
  };
}

Kernel make_reshape(const KernelContext& context) {
  const std::vector<std::int64_t>&from = context.shape(0), to = context.result();
  std::int64_t before = 1, after = 1;
  for (const std::int64_t size : from) before *= size;
  for (const std::int64_t size : to) after *= size;
  if (before != after || from.empty() || to.empty() || from[0] != to[0]) context.bad("the shapes do not fit");
  const bool from_picture = from.size() == 4, to_picture = to.size() == 4;
  return [=](const std::vector<at::Tensor>& in) {
    std::vector<std::int64_t> shape = to;
    shape[0] = in[0].size(0);
    const at::Tensor plain = from_picture ? in[0].permute({0, 2, 3, 1}) : in[0];
    const at::Tensor out = plain.reshape(shape);
    return to_picture ? out.permute({0, 3, 1, 2}).contiguous() : out;
  };
}

Kernel make_concatenation(const KernelContext& context) {
  const auto dimensions = static_cast<std::int64_t>(context.result().size());
  std::int64_t axis = context.options()[0];
  if (axis < 0) axis += dimensions;
  if (axis < 1 || axis >= dimensions) context.bad("it joins along an impossible axis");
  std::vector<std::int64_t> joined = context.shape(0);
  if (static_cast<std::int64_t>(joined.size()) != dimensions) context.bad("the operands do not fit");
  for (std::size_t i = 0; i < context.op().inputs.size(); ++i) {
    if (!context.has(i) || context.is_constant(i)) context.bad("an operand is absent or a constant");
    std::vector<std::int64_t> other = context.shape(i);
    if (i == 0) continue;
    if (other.size() != joined.size()) context.bad("the operands do not fit");
    joined[axis] += other[axis];
    other[axis] = joined[axis];
    if (other != joined) context.bad("the operands do not fit");
  }
  context.expect(joined);
  const std::int64_t held = held_axis(axis, joined.size());
  const int activation = context.options()[1];
  return [held, activation](const std::vector<at::Tensor>& in) { return activate(at::cat(in, held), activation); };
}

Kernel make_pad(const KernelContext& context) {
  context.expect_inputs(2);
  std::vector<std::int64_t> shape = context.shape(0);
  const std::size_t dimensions = shape.size();
  const std::vector<std::int64_t> amounts = context.int_constant(1, 2 * dimensions);
  std::vector<std::int64_t> padding(2 * dimensions);  // LibTorch's order: last dimension first
  for (std::size_t d = 0; d < dimensions; ++d) {
    for (const std::size_t side : {0u, 1u}) {
      const std::int64_t amount = amounts[2 * d + side];
      if (amount < 0 || amount > 4096 || (d == 0 && amount != 0)) context.bad(fmt::format("it pads by {}", amount));
      padding[2 * (dimensions - 1 - static_cast<std::size_t>(held_axis(static_cast<std::int64_t>(d), dimensions))) +
              side] = amount;
      shape[d] += amount;
    }
  }
  context.expect(shape);
  return [padding](const std::vector<at::Tensor>& in) { return at::constant_pad_nd(in[0], padding); };
}

Kernel make_resize(const KernelContext& context) {
  context.expect_inputs(2);
  const std::vector<std::int64_t> size = context.int_constant(1, 2), in = context.shape(0);
  if (in.size() != 4) context.bad("the input does not have four dimensions");
  context.expect({in[0], size[0], size[1], in[3]});
  const bool corners = context.options()[0] != 0, centres = context.options()[1] != 0;
  if (corners == centres)
    throw Error(ErrorCode::kUnsupported, "a network resizes without aligned corners or half-pixel centres",
                "use the pinned version of the network that scripts/setup fetches");
  return [size, corners](const std::vector<at::Tensor>& x) {
    return at::upsample_bilinear2d(x[0], {size[0], size[1]}, corners);
  };
}

Kernel make_slice(const KernelContext& context) {
  context.expect_inputs(4);
  std::vector<std::int64_t> shape = context.shape(0);
  const std::size_t dimensions = shape.size();
  for (const std::int32_t mask : context.options()) {
    if (mask != 0) context.bad("it slices with masks");
  }
  const std::vector<std::int64_t> begin = context.int_constant(1, dimensions),
                                  end = context.int_constant(2, dimensions), step = context.int_constant(3, dimensions),
                                  whole = shape;
  for (std::size_t d = 0; d < dimensions; ++d) {
    if (begin[d] < 0 || end[d] > whole[d] || begin[d] >= end[d] || step[d] < 1 || (d == 0 && end[d] - begin[d] != 1))
      context.bad("it slices outside its input");
    shape[d] = (end[d] - begin[d] + step[d] - 1) / step[d];
  }
  context.expect(shape);
  return [=](const std::vector<at::Tensor>& in) {
    at::Tensor out = in[0];
    for (std::size_t d = 1; d < dimensions; ++d) {
      if (begin[d] != 0 || end[d] != whole[d] || step[d] != 1)
        out = out.slice(held_axis(static_cast<std::int64_t>(d), dimensions), begin[d], end[d], step[d]);
    }
    return out;
  };
}

Kernel make_elementwise(const KernelContext& context) {
  context.expect_inputs(1);
  context.expect(context.shape(0));
  switch (context.op().op) {
    case TfliteOp::kRelu:
      return [](const std::vector<at::Tensor>& in) { return at::relu(in[0]); };
    case TfliteOp::kRelu6:
      return [](const std::vector<at::Tensor>& in) { return at::clamp(in[0], 0, 6); };
    case TfliteOp::kLogistic:
      return [](const std::vector<at::Tensor>& in) { return at::sigmoid(in[0]); };
    default:
      return [](const std::vector<at::Tensor>& in) { return at::hardswish(in[0]); };
  }
}

}  // namespace

at::Tensor activate(const at::Tensor& x, int activation) {
  if (activation == 1) return at::relu(x);
  if (activation == 3) return at::clamp(x, 0, 6);
  return x;
}

at::Tensor KernelContext::constant(std::size_t i) const {
  if (!is_constant(i)) bad(fmt::format("input {} is no constant", i));
  return (*constants_)[op_->inputs[i]];
}

std::vector<std::int64_t> KernelContext::int_constant(std::size_t i, std::size_t count) const {
  const at::Tensor value = constant(i);
  if (value.scalar_type() != at::kInt || static_cast<std::size_t>(value.numel()) != count)
    bad(fmt::format("input {} does not hold {} whole numbers", i, count));
  const auto* data = value.data_ptr<std::int32_t>();
  return {data, data + count};
}

const std::vector<std::int64_t>& KernelContext::shape(std::size_t i) const {
  if (!has(i)) bad(fmt::format("input {} is missing", i));
  return model_->tensors[op_->inputs[i]].shape;
}

const std::vector<std::int64_t>& KernelContext::result() const {
  return model_->tensors[op_->outputs[0]].shape;
}

void KernelContext::bad(const std::string& what) const {
  throw Error(ErrorCode::kBadFile,
              fmt::format("{}: damaged network: the operation that makes {}: {}", model_->name,
                          model_->tensors[op_->outputs[0]].name, what),
              "fetch it again: remove the file's folder and run scripts/setup");
}

void KernelContext::expect(const std::vector<std::int64_t>& shape) const {
  if (shape != result()) bad("its result has another shape than the file says");
}

void KernelContext::expect_inputs(std::size_t count) const {
  if (op_->inputs.size() != count) bad(fmt::format("it has {} inputs instead of {}", op_->inputs.size(), count));
  for (std::size_t i = 0; i < count; ++i) shape(i);
}

Kernel make_kernel(const KernelContext& context, const at::Device& device) {
  if (!context.has(0)) context.bad("it has no input");
  const int activation_at = context.op().op == TfliteOp::kConv            ? 3
                            : context.op().op == TfliteOp::kDepthwiseConv ? 4
                                                                          : -1;
  if (activation_at >= 0 && !(context.options()[activation_at] == 0 || context.options()[activation_at] == 1 ||
                              context.options()[activation_at] == 3))
    context.bad("it has an unknown activation");
  switch (context.op().op) {
    case TfliteOp::kConv:
    case TfliteOp::kDepthwiseConv:
      return make_convolution(context, device);
    case TfliteOp::kAveragePool:
    case TfliteOp::kMaxPool:
      return make_pool(context);
    case TfliteOp::kAdd:
    case TfliteOp::kMul:
    case TfliteOp::kPrelu:
      return make_pairwise(context, device);
    case TfliteOp::kReshape:
      return make_reshape(context);
    case TfliteOp::kConcatenation:
      return make_concatenation(context);
    case TfliteOp::kPad:
      return make_pad(context);
    case TfliteOp::kResizeBilinear:
      return make_resize(context);
    case TfliteOp::kStridedSlice:
      return make_slice(context);
    case TfliteOp::kCustom:
      return make_custom(context, device);
    case TfliteOp::kDequantize:
      context.bad("it widens values that are computed");
    default:
      return make_elementwise(context);
  }
}

}  // namespace mien
