// Every kind of operation against plain loops over the file's layout, [N,H,W,C].
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "landmarks/kernels.h"
#include "landmarks/windows.h"
#include "mien/base/error.h"

namespace mien {
namespace {

using Shape = std::vector<std::int64_t>;

at::Tensor held(const at::Tensor& x) {
  return x.dim() == 4 ? x.permute({0, 3, 1, 2}).contiguous() : x;
}
at::Tensor as_file(const at::Tensor& x) {
  return (x.dim() == 4 ? x.permute({0, 2, 3, 1}) : x).contiguous();
}

// One operation: computed inputs first, then constants.
struct Bench {
  TfliteModel model;
  TfliteOperation op;
  std::vector<at::Tensor> constants, inputs;
  std::uint64_t seed = 1;

  Bench(TfliteOp kind, std::vector<std::int32_t> options) {
    model.name = "test";
    op.op = kind;
    op.options = std::move(options);
  }
  int add(const Shape& shape) {
    model.tensors.push_back({"t", shape, TfliteType::kFloat, {}});
    constants.emplace_back();
    return static_cast<int>(model.tensors.size()) - 1;
  }
  at::Tensor random(const Shape& shape) {
    at::manual_seed(seed++);
    return at::rand(shape) * 2 - 1;
  }
  at::Tensor input(Shape shape, std::int64_t batch = 2) {
    op.inputs.push_back(add(shape));
    shape[0] = batch;
    inputs.push_back(random(shape));
    return inputs.back();
  }
  void constant(const at::Tensor& value) {
    op.inputs.push_back(add(value.sizes().vec()));
    constants.back() = value;
  }
  at::Tensor run(const Shape& result) {
    op.outputs = {add(result)};
    const Kernel kernel = make_kernel(KernelContext(model, op, constants), at::kCPU);
    std::vector<at::Tensor> in;
    for (const at::Tensor& x : inputs) in.push_back(held(x));
    return as_file(kernel(in));
  }
};

void expect_close(const at::Tensor& found, const at::Tensor& expected, double tolerance = 1e-5) {
  ASSERT_EQ(found.sizes().vec(), expected.sizes().vec());
  EXPECT_LE((found - expected).abs().max().item<float>(), tolerance);
  EXPECT_GT(expected.abs().max().item<float>(), 0.01);
}

// y[n,i,j,o] = bias[o] + sum over the window; `before` is the padding at the start.
at::Tensor convolve(const at::Tensor& x, const at::Tensor& w, const at::Tensor& bias, const Shape& out, int stride,
                    int before, int dilation, bool depthwise) {
  Shape shape = out;
  shape[0] = x.size(0);
  at::Tensor y = at::zeros(shape);
  auto ya = y.accessor<float, 4>();
  const auto xa = x.accessor<float, 4>();
  const auto wa = w.accessor<float, 4>();
  const std::int64_t channels = x.size(3), each = depthwise ? shape[3] / channels : 1;
  for (std::int64_t n = 0; n < shape[0]; ++n)
    for (std::int64_t i = 0; i < shape[1]; ++i)
      for (std::int64_t j = 0; j < shape[2]; ++j)
        for (std::int64_t o = 0; o < shape[3]; ++o) {
          double sum = bias[o].item<float>();
          for (std::int64_t a = 0; a < w.size(1); ++a)
            for (std::int64_t b = 0; b < w.size(2); ++b) {
              const std::int64_t r = i * stride - before + a * dilation, c = j * stride - before + b * dilation;
              if (r < 0 || c < 0 || r >= x.size(1) || c >= x.size(2)) continue;
              if (depthwise) {
                sum += static_cast<double>(xa[n][r][c][o / each]) * wa[0][a][b][o];
              } else {
                for (std::int64_t k = 0; k < channels; ++k) sum += static_cast<double>(xa[n][r][c][k]) * wa[o][a][b][k];
              }
            }
          ya[n][i][j][o] = static_cast<float>(sum);
        }
  return y;
}

TEST(Kernels, PlacesWindowsLikeTensorFlow) {
  const WindowAxis even = place_windows(192, 3, 2, true);  // pads at the end only
  EXPECT_EQ(even.count, 96);
  EXPECT_EQ(even.before, 0);
  EXPECT_EQ(even.after, 1);
  const WindowAxis odd = place_windows(7, 5, 2, true);
  EXPECT_EQ(odd.count, 4);
  EXPECT_EQ(odd.before, 2);
  EXPECT_EQ(odd.after, 2);
  EXPECT_EQ(place_windows(7, 3, 2, false).count, 3);
  EXPECT_EQ(place_windows(2, 3, 1, false).count, 0);
}

TEST(Kernels, Convolution) {
  Bench same(TfliteOp::kConv, {0, 2, 2, 0, 1, 1});
  const at::Tensor x = same.input({1, 6, 6, 3}), w = same.random({4, 3, 3, 3}), b = same.random({4});
  same.constant(w);
  same.constant(b);
  expect_close(same.run({1, 3, 3, 4}), convolve(x, w, b, {1, 3, 3, 4}, 2, 0, 1, false));  // (3-1)*2+3-6 = 1: at the end
  Bench valid(TfliteOp::kConv, {1, 1, 1, 1, 2, 2});
  const at::Tensor x2 = valid.input({1, 7, 7, 3});
  valid.constant(w);
  valid.constant(b);
  expect_close(valid.run({1, 3, 3, 4}), at::relu(convolve(x2, w, b, {1, 3, 3, 4}, 1, 0, 2, false)));
}

TEST(Kernels, DepthwiseConvolution) {
  Bench bench(TfliteOp::kDepthwiseConv, {0, 1, 1, 2, 0, 1, 1});
  const at::Tensor x = bench.input({1, 5, 5, 3}), w = bench.random({1, 3, 3, 6}), b = bench.random({6});
  bench.constant(w);
  bench.constant(b);
  expect_close(bench.run({1, 5, 5, 6}), convolve(x, w, b, {1, 5, 5, 6}, 1, 1, 1, true));
}

TEST(Kernels, Pools) {
  for (const bool largest : {true, false}) {
    Bench bench(largest ? TfliteOp::kMaxPool : TfliteOp::kAveragePool, {0, 2, 2, 2, 2, 0});
    const at::Tensor x = bench.input({1, 5, 5, 2});
    at::Tensor expected = at::zeros({2, 3, 3, 2});
    for (int n = 0; n < 2; ++n)
      for (int i = 0; i < 3; ++i)
        for (int j = 0; j < 3; ++j)
          for (int k = 0; k < 2; ++k) {
            double best = -1e9, sum = 0;
            int count = 0;
            for (int r = 2 * i; r < std::min(2 * i + 2, 5); ++r)
              for (int c = 2 * j; c < std::min(2 * j + 2, 5); ++c, ++count) {
                best = std::max<double>(best, x[n][r][c][k].item<float>());
                sum += x[n][r][c][k].item<float>();
              }
            expected[n][i][j][k] = largest ? best : sum / count;
          }
    expect_close(bench.run({1, 3, 3, 2}), expected);
  }
}

TEST(Kernels, PairsWithConstantsOfFewerDimensions) {
  Bench add(TfliteOp::kAdd, {3}), mul(TfliteOp::kMul, {0}), prelu(TfliteOp::kPrelu, {});
  for (Bench* bench : {&add, &mul, &prelu}) {
    const at::Tensor x = bench->input({1, 2, 3, 4}), c = bench->random({1, 1, 4});
    bench->constant(c);
    const at::Tensor found = bench->run({1, 2, 3, 4});
    for (std::int64_t i = 0; i < found.numel(); ++i) {
      const double a = x.reshape(-1)[i].item<float>(), b = c.reshape(-1)[i % 4].item<float>();
      const double expected = bench == &add ? std::clamp(a + b, 0.0, 6.0) : bench == &mul ? a * b : a >= 0 ? a : a * b;
      ASSERT_NEAR(found.reshape(-1)[i].item<float>(), expected, 1e-6);
    }
  }
}

TEST(Kernels, Curves) {
  for (const TfliteOp op : {TfliteOp::kRelu, TfliteOp::kRelu6, TfliteOp::kLogistic, TfliteOp::kHardSwish}) {
    Bench bench(op, {});
    bench.input({1, 8});
    bench.inputs[0] *= 9;
    const at::Tensor x = bench.inputs[0], found = bench.run({1, 8});
    for (std::int64_t i = 0; i < 16; ++i) {
      const double v = x.reshape(-1)[i].item<float>();
      const double expected = op == TfliteOp::kRelu       ? std::max(v, 0.0)
                              : op == TfliteOp::kRelu6    ? std::clamp(v, 0.0, 6.0)
                              : op == TfliteOp::kLogistic ? 1 / (1 + std::exp(-v))
                                                          : v * std::clamp(v + 3, 0.0, 6.0) / 6;
      EXPECT_NEAR(found.reshape(-1)[i].item<float>(), expected, 1e-5);
    }
  }
}

TEST(Kernels, ReshapesInTheFilesOrder) {
  Bench bench(TfliteOp::kReshape, {});
  const at::Tensor x = bench.input({1, 2, 3, 4});
  expect_close(bench.run({1, 8, 3}), x.reshape({2, 8, 3}));
  Bench back(TfliteOp::kReshape, {});
  const at::Tensor y = back.input({1, 24});
  expect_close(back.run({1, 2, 3, 4}), y.reshape({2, 2, 3, 4}));
}

TEST(Kernels, JoinsPadsAndSlicesAlongTheFilesAxes) {
  Bench join(TfliteOp::kConcatenation, {3, 0});
  const at::Tensor a = join.input({1, 2, 2, 1}), b = join.input({1, 2, 2, 3});
  expect_close(join.run({1, 2, 2, 4}), at::cat({a, b}, 3));
  Bench pad(TfliteOp::kPad, {});
  const at::Tensor x = pad.input({1, 2, 3, 2});
  pad.constant(at::tensor({0, 0, 1, 0, 0, 2, 0, 3}, at::kInt).reshape({4, 2}));
  at::Tensor expected = at::zeros({2, 3, 5, 5});
  expected.slice(1, 1, 3).slice(2, 0, 3).slice(3, 0, 2).copy_(x);
  expect_close(pad.run({1, 3, 5, 5}), expected);
  Bench slice(TfliteOp::kStridedSlice, {0, 0, 0, 0, 0});
  const at::Tensor y = slice.input({1, 2, 3, 5});
  slice.constant(at::tensor({0, 0, 1, 0}, at::kInt));
  slice.constant(at::tensor({1, 2, 3, 5}, at::kInt));
  slice.constant(at::tensor({1, 1, 1, 2}, at::kInt));
  expect_close(slice.run({1, 2, 2, 3}), y.slice(2, 1, 3).slice(3, 0, 5, 2));
}

// Bilinear at (i + 0.5) * scale - 0.5, clamped.
TEST(Kernels, ResizesAtPixelCentres) {
  Bench bench(TfliteOp::kResizeBilinear, {0, 1});
  const at::Tensor x = bench.input({1, 3, 3, 1});
  bench.constant(at::tensor({6, 6}, at::kInt));
  const at::Tensor found = bench.run({1, 6, 6, 1});
  const auto at_position = [&](int n, double r, double c) {
    r = std::clamp(r, 0.0, 2.0);
    c = std::clamp(c, 0.0, 2.0);
    double sum = 0;
    for (int i = 0; i < 3; ++i)
      for (int j = 0; j < 3; ++j)
        sum += std::max(0.0, 1 - std::abs(r - i)) * std::max(0.0, 1 - std::abs(c - j)) * x[n][i][j][0].item<float>();
    return sum;
  };
  for (int n = 0; n < 2; ++n)
    for (int i = 0; i < 6; ++i)
      for (int j = 0; j < 6; ++j)
        ASSERT_NEAR(found[n][i][j][0].item<float>(), at_position(n, (i + 0.5) / 2 - 0.5, (j + 0.5) / 2 - 0.5), 1e-5);
}

TEST(Kernels, TransposedConvolutionWritesABlockAPixel) {
  Bench bench(TfliteOp::kCustom, {});
  bench.op.custom = "Convolution2DTransposeBias";
  const std::vector<std::uint8_t> options = {1, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0};
  bench.op.custom_options = options;
  const at::Tensor x = bench.input({1, 3, 2, 4}), w = bench.random({2, 2, 2, 4}), b = bench.random({2});
  bench.constant(w);
  bench.constant(b);
  at::Tensor expected = at::zeros({2, 6, 4, 2});
  for (int n = 0; n < 2; ++n)
    for (int i = 0; i < 6; ++i)
      for (int j = 0; j < 4; ++j)
        for (int o = 0; o < 2; ++o) {
          double sum = b[o].item<float>();
          for (int k = 0; k < 4; ++k)
            sum += x[n][i / 2][j / 2][k].item<double>() * w[o][i % 2][j % 2][k].item<double>();
          expected[n][i][j][o] = sum;
        }
  expect_close(bench.run({1, 6, 4, 2}), expected);
}

// The small picture of features that are linear in x and y, under a matrix that keeps it inside: exact.
TEST(Kernels, LooksCloserWhereTheMatrixSays) {
  // A FlexBuffers map: output_height 3, output_width 2.
  std::vector<std::uint8_t> options;
  for (const char* key : {"output_height", "output_width"}) {
    for (const char* p = key; *p != 0; ++p) options.push_back(static_cast<std::uint8_t>(*p));
    options.push_back(0);
  }
  const std::vector<std::uint8_t> tail = {2, 28, 15, 2, 1, 2, 3, 2, 4, 4, 4, 0x24, 1};
  options.insert(options.end(), tail.begin(), tail.end());
  Bench look(TfliteOp::kCustom, {});
  look.op.custom = "TransformTensorBilinear";
  look.op.version = 2;
  look.op.custom_options = options;
  look.input({1, 8, 8, 2}, 1);
  look.input({1, 4, 4}, 1);
  for (int r = 0; r < 8; ++r)
    for (int c = 0; c < 8; ++c) {
      look.inputs[0][0][r][c][0] = c + 0.5;
      look.inputs[0][0][r][c][1] = r + 0.5;
    }
  const double m[2][3] = {{0.9, -0.4, 3}, {0.4, 0.9, 2}};
  look.inputs[1].zero_();
  for (int i = 0; i < 2; ++i) {
    for (int k = 0; k < 2; ++k) look.inputs[1][0][i][k] = m[i][k];
    look.inputs[1][0][i][3] = m[i][2];
  }
  const at::Tensor found = look.run({1, 3, 2, 2});
  for (int v = 0; v < 3; ++v)
    for (int u = 0; u < 2; ++u)
      for (int k = 0; k < 2; ++k)
        EXPECT_NEAR(found[0][v][u][k].item<double>(), m[k][0] * (u + 0.5) + m[k][1] * (v + 0.5) + m[k][2], 1e-4);
  Bench points(TfliteOp::kCustom, {});
  points.op.custom = "TransformLandmarks";
  points.op.version = 2;
  const at::Tensor p = points.input({1, 5, 2}, 1);
  points.input({1, 4, 4}, 1);
  points.inputs[1] = look.inputs[1];
  const at::Tensor moved = points.run({1, 5, 2});
  for (int i = 0; i < 5; ++i)
    for (int k = 0; k < 2; ++k)
      EXPECT_NEAR(moved[0][i][k].item<double>(),
                  m[k][0] * p[0][i][0].item<double>() + m[k][1] * p[0][i][1].item<double>() + m[k][2], 1e-5);
}

// A FlexBuffers map of small whole numbers, and one list of them.
std::vector<std::uint8_t> flex_map(const std::vector<std::pair<std::string, std::vector<int>>>& entries) {
  std::vector<std::uint8_t> out;
  std::vector<std::size_t> keys, lists;
  const auto put = [&](std::size_t value) { out.push_back(static_cast<std::uint8_t>(value)); };
  for (const auto& [name, values] : entries) {
    keys.push_back(out.size());
    for (const char letter : name) put(static_cast<std::size_t>(letter));
    put(0);
    put(values.size());
    lists.push_back(out.size());
    for (const int v : values) put(static_cast<std::size_t>(v));
  }
  put(entries.size());
  const std::size_t index = out.size();
  for (const std::size_t key : keys) put(out.size() - key);
  put(out.size() - index);
  put(1);
  put(entries.size());
  const std::size_t first = out.size();
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const std::vector<int>& values = entries[i].second;
    put(values.size() == 1 ? static_cast<std::size_t>(values[0]) : out.size() - lists[i]);
  }
  for (const auto& entry : entries) put(entry.second.size() == 1 ? 1 << 2 : 11 << 2);
  put(out.size() - first);
  put(9 << 2);
  put(1);
  return out;
}

TEST(Kernels, FramesLandmarksLevel) {
  const std::vector<std::uint8_t> options = flex_map({{"left_rotation_idx", {0}},
                                                      {"output_height", {8}},
                                                      {"output_width", {16}},
                                                      {"right_rotation_idx", {2}},
                                                      {"scale_x", {2}},
                                                      {"scale_y", {3}},
                                                      {"subset_idxs", {0, 2, 3}},
                                                      {"target_rotation_radians", {0}}});
  Bench bench(TfliteOp::kCustom, {});
  bench.op.custom = "Landmarks2TransformMatrix";
  bench.op.version = 2;
  bench.op.custom_options = options;
  const at::Tensor p = bench.input({1, 5, 3});
  const at::Tensor found = bench.run({1, 4, 4});
  for (int n = 0; n < 2; ++n) {
    const auto x = [&](int i) { return p[n][i][0].item<double>(); };
    const auto y = [&](int i) { return p[n][i][1].item<double>(); };
    const double angle = std::atan2(y(2) - y(0), x(2) - x(0)), c = std::cos(angle), s = std::sin(angle);
    double low[2] = {1e9, 1e9}, high[2] = {-1e9, -1e9};
    for (const int i : {0, 2, 3}) {
      const double along[2] = {c * x(i) + s * y(i), c * y(i) - s * x(i)};
      for (int k = 0; k < 2; ++k) {
        low[k] = std::min(low[k], along[k]);
        high[k] = std::max(high[k], along[k]);
      }
    }
    const double middle[2] = {(low[0] + high[0]) / 2, (low[1] + high[1]) / 2};
    const double half[2] = {(high[0] - low[0]) / 2 * 2, (high[1] - low[1]) / 2 * 3};
    for (const double u : {0.0, 16.0}) {
      for (const double v : {0.0, 8.0}) {  // the corners of the small picture
        const double a = middle[0] + (u > 0 ? 1 : -1) * half[0], b = middle[1] + (v > 0 ? 1 : -1) * half[1];
        const double expected[2] = {c * a - s * b, s * a + c * b};
        for (int k = 0; k < 2; ++k)
          EXPECT_NEAR(
              found[n][k][0].item<double>() * u + found[n][k][1].item<double>() * v + found[n][k][3].item<double>(),
              expected[k], 1e-4);
      }
    }
  }
}

TEST(Kernels, RefuseWhatDoesNotFit) {
  Bench stride(TfliteOp::kConv, {0, 0, 1, 0, 1, 1});
  stride.input({1, 4, 4, 1});
  stride.constant(at::ones({1, 3, 3, 1}));
  EXPECT_THROW(stride.run({1, 4, 4, 1}), Error);
  Bench channels(TfliteOp::kConv, {0, 1, 1, 0, 1, 1});
  channels.input({1, 4, 4, 2});
  channels.constant(at::ones({1, 3, 3, 1}));
  EXPECT_THROW(channels.run({1, 4, 4, 1}), Error);
  Bench result(TfliteOp::kRelu, {});
  result.input({1, 4});
  EXPECT_THROW(result.run({1, 5}), Error);
  Bench unknown(TfliteOp::kCustom, {});
  unknown.op.custom = "Unheard";
  unknown.input({1, 4});
  EXPECT_THROW(unknown.run({1, 4}), Error);
}

}  // namespace
}  // namespace mien
