// Convolutions and pools.
#include <limits>

#include "landmarks/kernels.h"
#include "landmarks/windows.h"
#include "mien/base/error.h"

namespace mien {
namespace {

constexpr std::int64_t kLargestStep = 4096;  // of strides, windows and dilations

struct Windows {
  WindowAxis y, x;
  bool padded() const { return y.before + y.after + x.before + x.after > 0; }
  bool even() const { return y.before == y.after && x.before == x.after; }
  std::vector<std::int64_t> padding() const { return {x.before, x.after, y.before, y.after}; }  // LibTorch's order
};

void check_steps(const KernelContext& context, std::initializer_list<std::int64_t> steps) {
  for (const std::int64_t step : steps) {
    if (step < 1 || step > kLargestStep) context.bad(fmt::format("a stride, window or dilation is {}", step));
  }
}

Windows place(const KernelContext& context, std::int64_t window_y, std::int64_t window_x, std::int64_t stride_y,
              std::int64_t stride_x) {
  const std::vector<std::int64_t>& in = context.shape(0);
  const bool same = context.options()[0] == 0;
  return {place_windows(in[1], window_y, stride_y, same), place_windows(in[2], window_x, stride_x, same)};
}

at::Tensor floats(const KernelContext& context, std::size_t i, std::vector<std::int64_t> shape) {
  if (context.shape(i) != shape) context.bad(fmt::format("input {} has the wrong shape", i));
  const at::Tensor out = context.constant(i);
  if (out.scalar_type() != at::kFloat) context.bad(fmt::format("input {} holds whole numbers", i));
  return out;
}

}  // namespace

Kernel make_convolution(const KernelContext& context, const at::Device& device) {
  const bool depthwise = context.op().op == TfliteOp::kDepthwiseConv;
  const std::vector<std::int32_t>& o = context.options();
  const std::int64_t stride_x = o[1], stride_y = o[2];
  const int activation = o[depthwise ? 4 : 3];
  const std::int64_t dilation_x = o[depthwise ? 5 : 4], dilation_y = o[depthwise ? 6 : 5];
  if (!context.has(1) || context.op().inputs.size() > 3) context.bad("it lacks weights");
  const std::vector<std::int64_t>&in = context.shape(0), &kernel = context.shape(1);
  if (in.size() != 4 || kernel.size() != 4) context.bad("input or weights do not have four dimensions");
  check_steps(context, {stride_x, stride_y, dilation_x, dilation_y, kernel[1], kernel[2]});
  // Weights lie as [out,H,W,in], or [1,H,W,out] when every channel is convolved alone.
  const std::int64_t out = depthwise ? kernel[3] : kernel[0];
  if (depthwise ? (kernel[0] != 1 || out % in[3] != 0) : kernel[3] != in[3])
    context.bad(fmt::format("the weights are for another number of channels than {}", in[3]));
  const at::Tensor raw = floats(context, 1, kernel);
  const at::Tensor weight = (depthwise ? raw.permute({3, 0, 1, 2}) : raw.permute({0, 3, 1, 2})).contiguous().to(device);
  at::Tensor bias;
  if (context.has(2)) bias = floats(context, 2, {out}).to(device);
  const Windows windows =
      place(context, (kernel[1] - 1) * dilation_y + 1, (kernel[2] - 1) * dilation_x + 1, stride_y, stride_x);
  context.expect({in[0], windows.y.count, windows.x.count, out});
  const std::int64_t groups = depthwise ? in[3] : 1;
  return [=](const std::vector<at::Tensor>& inputs) {
    at::Tensor x = inputs[0];
    std::vector<std::int64_t> padding = {0, 0};
    if (windows.even()) {
      padding = {windows.y.before, windows.x.before};
    } else {
      x = at::constant_pad_nd(x, windows.padding());
    }
    return activate(at::conv2d(x, weight, bias, {stride_y, stride_x}, padding, {dilation_y, dilation_x}, groups),
                    activation);
  };
}

Kernel make_pool(const KernelContext& context) {
  const bool largest = context.op().op == TfliteOp::kMaxPool;
  const std::vector<std::int32_t>& o = context.options();
  const std::int64_t stride_x = o[1], stride_y = o[2], window_x = o[3], window_y = o[4];
  const int activation = o[5];
  context.expect_inputs(1);
  const std::vector<std::int64_t>& in = context.shape(0);
  if (in.size() != 4) context.bad("the input does not have four dimensions");
  check_steps(context, {stride_x, stride_y, window_x, window_y});
  const Windows windows = place(context, window_y, window_x, stride_y, stride_x);
  context.expect({in[0], windows.y.count, windows.x.count, in[3]});
  const bool whole = !largest && window_y == in[1] && window_x == in[2] && windows.y.count * windows.x.count == 1;
  return [=](const std::vector<at::Tensor>& inputs) {
    at::Tensor x = inputs[0];
    if (whole && !windows.padded()) return activate(x.mean({2, 3}, true), activation);
    if (largest) {
      if (windows.padded()) x = at::constant_pad_nd(x, windows.padding(), -std::numeric_limits<float>::infinity());
      return activate(at::max_pool2d(x, {window_y, window_x}, {stride_y, stride_x}), activation);
    }
    const auto mean = [&](const at::Tensor& values) {
      return at::avg_pool2d(windows.padded() ? at::constant_pad_nd(values, windows.padding()) : values,
                            {window_y, window_x}, {stride_y, stride_x});
    };
    at::Tensor out = mean(x);
    if (windows.padded()) out = out / mean(at::ones_like(x));  // what lies outside does not count
    return activate(out, activation);
  };
}

}  // namespace mien
