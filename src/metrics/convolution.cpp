#include "convolution.h"

#include <algorithm>
#include <cmath>

#include "mien/base/error.h"
#include "mien/base/parallel.h"
#include "mien/base/safetensors.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define MIEN_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define MIEN_CLONES
#endif

namespace mien {
namespace {

constexpr int kLanes = kConvolutionLanes;
// The compiler makes one, two or four machine vectors of these; loads may be unaligned.
using Lanes = float __attribute__((vector_size(kLanes * sizeof(float))));
using LoadLanes = float __attribute__((vector_size(kLanes * sizeof(float)), aligned(4), may_alias));

constexpr int kMaxChannels = 512;      // of maps to compare
constexpr double kWorthAThread = 2e6;  // multiplications; waking a thread for less costs more than it brings
constexpr int kBlock = 6;              // pixels at once: with 16 lanes, twelve of AVX2's sixteen registers

// One row of a convolution for one panel of 16 outputs.
struct RowJob {
  const float* from;        // first pixel's window
  std::ptrdiff_t row_step;  // floats to the window's next row
  int window_rows;
  int window_length;         // floats of one window row: kernel * inputs
  std::ptrdiff_t from_step;  // floats from one output pixel's window to the next
  const float* panel;        // [window_rows * window_length, lanes]
  const float* bias;         // [lanes]
  float* to;
  std::ptrdiff_t to_step;  // floats
  int pixels;
};

// Rows that one thread should take at least.
std::int64_t rows_a_thread(double multiplications_a_row) {
  return 1 + static_cast<std::int64_t>(kWorthAThread / multiplications_a_row);
}

template <int kCount>
[[gnu::always_inline]] inline void convolve_block(const RowJob& job, int first) {
  Lanes sums[kCount];
  for (int p = 0; p < kCount; ++p) sums[p] = *reinterpret_cast<const LoadLanes*>(job.bias);
  const float* weight = job.panel;
  for (int r = 0; r < job.window_rows; ++r) {
    const float* in = job.from + r * job.row_step + first * job.from_step;
    for (int k = 0; k < job.window_length; ++k, weight += kLanes) {
      const Lanes w = *reinterpret_cast<const LoadLanes*>(weight);
      for (int p = 0; p < kCount; ++p) sums[p] += w * in[p * job.from_step + k];
    }
  }
  for (int p = 0; p < kCount; ++p) {
    const Lanes zero = {};
    *reinterpret_cast<LoadLanes*>(job.to + (first + p) * job.to_step) = sums[p] > zero ? sums[p] : zero;
  }
}

MIEN_CLONES
void convolve_row(const RowJob& job) {
  int p = 0;
  for (; p + kBlock <= job.pixels; p += kBlock) convolve_block<kBlock>(job, p);
  for (; p < job.pixels; ++p) convolve_block<1>(job, p);
}

MIEN_CLONES
double row_difference(const float* a, const float* b, const float* weight, int pixels, int channels) {
  const auto total = [](const Lanes& v) {
    float sum = 0;
    for (int i = 0; i < kLanes; ++i) sum += v[i];
    return sum;
  };
  float unit_a[kMaxChannels], unit_b[kMaxChannels];
  double row = 0;
  for (int x = 0; x < pixels; ++x, a += channels, b += channels) {
    Lanes aa = {}, bb = {};
    for (int c = 0; c < channels; c += kLanes) {
      const Lanes va = *reinterpret_cast<const LoadLanes*>(a + c);
      const Lanes vb = *reinterpret_cast<const LoadLanes*>(b + c);
      aa += va * va;
      bb += vb * vb;
    }
    constexpr float kTiny = 1e-10f;  // as published: pixels without any feature stay zero
    const float scale_a = 1.0f / (std::sqrt(total(aa)) + kTiny);
    const float scale_b = 1.0f / (std::sqrt(total(bb)) + kTiny);
    // Through memory, or the compiler would fuse one product into the difference: equal pictures must differ by zero.
    for (int c = 0; c < channels; c += kLanes) {
      *reinterpret_cast<LoadLanes*>(unit_a + c) = *reinterpret_cast<const LoadLanes*>(a + c) * scale_a;
      *reinterpret_cast<LoadLanes*>(unit_b + c) = *reinterpret_cast<const LoadLanes*>(b + c) * scale_b;
    }
    Lanes sum = {};
    for (int c = 0; c < channels; c += kLanes) {
      const Lanes d = *reinterpret_cast<LoadLanes*>(unit_a + c) - *reinterpret_cast<LoadLanes*>(unit_b + c);
      sum += *reinterpret_cast<const LoadLanes*>(weight + c) * d * d;
    }
    row += total(sum);
  }
  return row;
}

std::vector<float> finite_floats(const SafetensorsFile& file, const std::string& name,
                                 const std::vector<std::int64_t>& shape) {
  std::vector<float> values = file.floats(name, shape);
  if (!std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); })) {
    throw Error(ErrorCode::kBadFile,
                fmt::format("{}: tensor \"{}\" holds a value that is not finite", file.path().string(), name),
                "fetch the file again");
  }
  return values;
}

}  // namespace

FeatureMap::FeatureMap(int w, int h, int c, int border_pixels)
    : width(w),
      height(h),
      channels(c),
      border(border_pixels),
      values(static_cast<std::size_t>(w + 2 * border_pixels) * (h + 2 * border_pixels) * c, 0.0f) {}

Convolution::Convolution(const SafetensorsFile& file, const std::string& name, int inputs, int outputs, int kernel,
                         int stride)
    : inputs_(inputs), outputs_(outputs), kernel_(kernel), stride_(stride) {
  MIEN_CHECK(outputs % kLanes == 0 && (kernel == 1 || kernel == 3), "{} outputs, kernel {}", outputs, kernel);
  const std::vector<float> weight = finite_floats(file, name + ".weight", {outputs, inputs, kernel, kernel});
  bias_ = finite_floats(file, name + ".bias", {outputs});
  panels_.resize(weight.size());
  const int taps = kernel * kernel;
  for (int o = 0; o < outputs; ++o) {
    for (int i = 0; i < inputs; ++i) {
      for (int t = 0; t < taps; ++t) {
        const std::size_t row = (static_cast<std::size_t>(o / kLanes) * taps + t) * inputs + i;
        panels_[row * kLanes + o % kLanes] = weight[(static_cast<std::size_t>(o) * inputs + i) * taps + t];
      }
    }
  }
}

void Convolution::apply(const FeatureMap& from, FeatureMap& to, int first) const {
  const int origin = kernel_ == 1 ? 0 : -from.border;
  MIEN_CHECK(from.channels == inputs_ && first + outputs_ <= to.channels &&
                 (to.width - 1) * stride_ + kernel_ + origin <= from.width - (kernel_ == 1 ? 0 : origin) &&
                 (to.height - 1) * stride_ + kernel_ + origin <= from.height - (kernel_ == 1 ? 0 : origin),
             "{}x{}x{} to {}x{}x{}", from.width, from.height, from.channels, to.width, to.height, to.channels);
  const std::size_t window = static_cast<std::size_t>(kernel_) * kernel_ * inputs_;
  const std::size_t panel = window * kLanes;
  const std::int64_t rows = rows_a_thread(static_cast<double>(window) * outputs_ * to.width);
  parallel_for(to.height, rows, [&](std::int64_t y) {
    RowJob job;
    job.from = from.at(origin, static_cast<int>(y) * stride_ + origin);
    job.row_step = static_cast<std::ptrdiff_t>(from.width + 2 * from.border) * inputs_;
    job.window_rows = kernel_;
    job.window_length = kernel_ * inputs_;
    job.from_step = static_cast<std::ptrdiff_t>(stride_) * inputs_;
    job.to_step = to.channels;
    job.pixels = to.width;
    for (int o = 0; o < outputs_; o += kLanes) {
      job.panel = panels_.data() + static_cast<std::size_t>(o / kLanes) * panel;
      job.bias = bias_.data() + o;
      job.to = to.at(0, static_cast<int>(y)) + first + o;
      convolve_row(job);
    }
  });
}

FeatureMap max_pool_3x3(const FeatureMap& from) {
  FeatureMap to(from.width / 2, from.height / 2, from.channels);
  parallel_for(to.height, rows_a_thread(9.0 * to.width * to.channels), [&](std::int64_t row) {
    const int y = static_cast<int>(row);
    for (int x = 0; x < to.width; ++x) {
      float* out = to.at(x, y);
      std::copy_n(from.at(2 * x, 2 * y), from.channels, out);
      for (int v = 2 * y; v < std::min(2 * y + 3, from.height); ++v) {
        for (int u = 2 * x; u < std::min(2 * x + 3, from.width); ++u) {
          const float* in = from.at(u, v);
          for (int c = 0; c < from.channels; ++c) out[c] = std::max(out[c], in[c]);
        }
      }
    }
  });
  return to;
}

double unit_difference(const FeatureMap& a, const FeatureMap& b, const std::vector<float>& weight) {
  MIEN_CHECK(a.values.size() == b.values.size() && static_cast<int>(weight.size()) == a.channels && a.border == 0 &&
                 b.border == 0 && a.channels % kLanes == 0 && a.channels <= kMaxChannels,
             "{} and {} values, {} weights", a.values.size(), b.values.size(), weight.size());
  std::vector<double> rows(a.height);  // summed in order, so that the number of threads changes nothing
  parallel_for(a.height, rows_a_thread(6.0 * a.width * a.channels), [&](std::int64_t y) {
    const int row = static_cast<int>(y);
    rows[row] = row_difference(a.at(0, row), b.at(0, row), weight.data(), a.width, a.channels);
  });
  double sum = 0;
  for (const double row : rows) sum += row;
  return sum / (static_cast<double>(a.width) * a.height);
}

}  // namespace mien
