// MediaPipe's own operations: a transposed convolution, and the three by which the attention mesh looks closer at lips
// and eyes (version 2 of each: pixel coordinates, pixel centres at +0.5).
#include <cmath>

#include "landmarks/kernels.h"
#include "mien/base/error.h"

namespace mien {
namespace {

class Options {
 public:
  explicit Options(const KernelContext& context) : context_(&context) {
    const FileBytes file{context.op().custom_options, "options of " + context.op().custom};
    values_ = read_flex_options(file);
  }
  const std::vector<double>& list(const std::string& name) const {
    const auto found = values_.find(name);
    if (found == values_.end() || found->second.empty()) context_->bad(fmt::format("it lacks the option {}", name));
    return found->second;
  }
  double number(const std::string& name) const {
    const double value = list(name)[0];
    if (!std::isfinite(value)) context_->bad(fmt::format("its option {} is no number", name));
    return value;
  }
  std::int64_t whole(const std::string& name, std::int64_t least, std::int64_t most) const {
    const double value = number(name);
    if (value < static_cast<double>(least) || value > static_cast<double>(most))
      context_->bad(fmt::format("its option {} is {}", name, value));
    return static_cast<std::int64_t>(value);
  }

 private:
  const KernelContext* context_;
  FlexOptions values_;
};

void expect_version(const KernelContext& context, int version) {
  if (context.op().version != version)
    throw Error(ErrorCode::kUnsupported,
                fmt::format("a network uses version {} of {}", context.op().version, context.op().custom),
                "use the pinned version of the network that scripts/setup fetches");
}

// Options: three 32-bit numbers, padding, stride x, stride y.
Kernel make_transposed_convolution(const KernelContext& context, const at::Device& device) {
  context.expect_inputs(3);
  const std::span<const std::uint8_t> raw = context.op().custom_options;
  std::int32_t o[3];
  if (raw.size() != sizeof o) context.bad("its options have the wrong size");
  std::memcpy(o, raw.data(), sizeof o);
  const std::vector<std::int64_t>&in = context.shape(0), &kernel = context.shape(1);
  if (in.size() != 4 || kernel.size() != 4 || kernel[3] != in[3] || context.shape(2) != std::vector{kernel[0]})
    context.bad("input and weights do not fit");
  // Where the windows neither overlap nor leave gaps, both paddings mean the same.
  if (o[1] != kernel[2] || o[2] != kernel[1])
    throw Error(ErrorCode::kUnsupported, "a network has a transposed convolution whose windows overlap",
                "use the pinned version of the network that scripts/setup fetches");
  context.expect({in[0], in[1] * kernel[1], in[2] * kernel[2], kernel[0]});
  const at::Tensor weight = context.constant(1).permute({3, 0, 1, 2}).contiguous().to(device);  // [in,out,H,W]
  const at::Tensor bias = context.constant(2).to(device);
  const std::vector<std::int64_t> stride = {kernel[1], kernel[2]};
  return [=](const std::vector<at::Tensor>& x) { return at::conv_transpose2d(x[0], weight, bias, stride); };
}

// From landmarks [N,L,3] to matrices [N,4,4] that take pixels of a small upright picture around some of them to where
// they are: turned so that the two outer ones are level, as large as the box around all, times a scale.
Kernel make_landmarks_to_matrix(const KernelContext& context, const at::Device& device) {
  expect_version(context, 2);
  context.expect_inputs(1);
  const std::vector<std::int64_t>& in = context.shape(0);
  if (in.size() != 3 || in[2] != 3) context.bad("its input is no list of points");
  context.expect({in[0], 4, 4});
  const Options options(context);
  const std::int64_t left = options.whole("left_rotation_idx", 0, in[1] - 1);
  const std::int64_t right = options.whole("right_rotation_idx", 0, in[1] - 1);
  const auto width = static_cast<double>(options.whole("output_width", 1, 4096));
  const auto height = static_cast<double>(options.whole("output_height", 1, 4096));
  const double scale_x = options.number("scale_x"), scale_y = options.number("scale_y");
  const double target = options.number("target_rotation_radians");
  std::vector<std::int64_t> indexes;
  for (const double value : options.list("subset_idxs")) {
    if (!(value >= 0 && value < static_cast<double>(in[1]))) context.bad("it uses a point that is not there");
    indexes.push_back(static_cast<std::int64_t>(value));
  }
  const at::Tensor subset = at::tensor(indexes, at::kLong).to(device);
  return [=](const std::vector<at::Tensor>& inputs) {
    const at::Tensor x = inputs[0].select(2, 0), y = inputs[0].select(2, 1);
    const at::Tensor dx = x.select(1, right) - x.select(1, left), dy = y.select(1, right) - y.select(1, left);
    const at::Tensor slope = at::where(at::logical_and(dx != 0, dy != 0), at::atan2(dy, dx), at::zeros_like(dx));
    const at::Tensor turn = slope - target, c = at::cos(turn), s = at::sin(turn);  // of the small picture
    const at::Tensor px = x.index_select(1, subset), py = y.index_select(1, subset);
    const at::Tensor c1 = c.unsqueeze(1), s1 = s.unsqueeze(1);
    const at::Tensor u = px * c1 + py * s1, v = py * c1 - px * s1;  // turned back
    const at::Tensor u_low = u.amin({1}), u_high = u.amax({1}), v_low = v.amin({1}), v_high = v.amax({1});
    const at::Tensor u_mid = (u_low + u_high) / 2, v_mid = (v_low + v_high) / 2;
    const at::Tensor step_x = (u_high - u_low) * (scale_x / width), step_y = (v_high - v_low) * (scale_y / height);
    const at::Tensor m00 = c * step_x, m01 = -s * step_y, m10 = s * step_x, m11 = c * step_y;
    const at::Tensor tx = c * u_mid - s * v_mid - m00 * (width / 2) - m01 * (height / 2);
    const at::Tensor ty = s * u_mid + c * v_mid - m10 * (width / 2) - m11 * (height / 2);
    const at::Tensor zero = at::zeros_like(tx), one = at::ones_like(tx);
    return at::stack({m00, m01, zero, tx, m10, m11, zero, ty, zero, zero, one, zero, zero, zero, zero, one}, 1)
        .reshape({-1, 4, 4});
  };
}

// The small picture: bilinear, zero where it looks outside.
Kernel make_transform_picture(const KernelContext& context, const at::Device& device) {
  expect_version(context, 2);
  context.expect_inputs(2);
  const std::vector<std::int64_t>& in = context.shape(0);
  if (in.size() != 4 || context.shape(1) != std::vector<std::int64_t>{in[0], 4, 4})
    context.bad("its inputs do not fit");
  const Options options(context);
  const std::int64_t height = options.whole("output_height", 1, 4096), width = options.whole("output_width", 1, 4096);
  context.expect({in[0], height, width, in[3]});
  const at::TensorOptions kind = at::TensorOptions().dtype(at::kFloat).device(device);
  const at::Tensor u = (at::arange(width, kind) + 0.5).reshape({1, 1, width});
  const at::Tensor v = (at::arange(height, kind) + 0.5).reshape({1, height, 1});
  const auto in_height = static_cast<double>(in[1]), in_width = static_cast<double>(in[2]);
  return [=](const std::vector<at::Tensor>& inputs) {
    const at::Tensor m = inputs[1].reshape({-1, 16, 1, 1});
    const at::Tensor x = m.select(1, 0) * u + m.select(1, 1) * v + m.select(1, 3);
    const at::Tensor y = m.select(1, 4) * u + m.select(1, 5) * v + m.select(1, 7);
    const at::Tensor grid = at::stack({x * (2 / in_width) - 1, y * (2 / in_height) - 1}, 3);
    const at::Tensor inside = at::logical_and(at::logical_and(x >= 0.5, x <= in_width - 0.5),
                                              at::logical_and(y >= 0.5, y <= in_height - 0.5));
    return at::grid_sampler(inputs[0], grid, 0, 0, false) * inside.unsqueeze(1);
  };
}

// Points of the small picture to where they are.
Kernel make_transform_points(const KernelContext& context) {
  expect_version(context, 2);
  context.expect_inputs(2);
  const std::vector<std::int64_t>& in = context.shape(0);
  if (in.size() != 3 || in[2] != 2 || context.shape(1) != std::vector<std::int64_t>{in[0], 4, 4})
    context.bad("its inputs do not fit");
  context.expect(in);
  return [](const std::vector<at::Tensor>& inputs) {
    const at::Tensor turn = inputs[1].slice(1, 0, 2).slice(2, 0, 2), shift = inputs[1].slice(1, 0, 2).select(2, 3);
    return at::matmul(inputs[0], turn.transpose(1, 2)) + shift.unsqueeze(1);
  };
}

}  // namespace

Kernel make_custom(const KernelContext& context, const at::Device& device) {
  const std::string& name = context.op().custom;
  if (name == "Convolution2DTransposeBias") return make_transposed_convolution(context, device);
  if (name == "Landmarks2TransformMatrix") return make_landmarks_to_matrix(context, device);
  if (name == "TransformTensorBilinear") return make_transform_picture(context, device);
  if (name == "TransformLandmarks") return make_transform_points(context);
  throw Error(ErrorCode::kUnsupported, fmt::format("a network uses the unknown operation \"{}\"", name),
              "use the pinned version of the network that scripts/setup fetches");
}

}  // namespace mien
