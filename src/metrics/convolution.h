// 2D convolutions for small networks on the CPU: no LibTorch, no BLAS, vectors chosen at run time.
#pragma once

#include <string>
#include <vector>

namespace mien {

class SafetensorsFile;

// [height, width, channels] values, with `border` pixels of zeros on every side in memory.
struct FeatureMap {
  int width = 0, height = 0, channels = 0, border = 0;
  std::vector<float> values;

  FeatureMap() = default;
  FeatureMap(int w, int h, int c, int border_pixels = 0);
  float* at(int x, int y) { return values.data() + index(x, y); }
  const float* at(int x, int y) const { return values.data() + index(x, y); }

 private:
  std::size_t index(int x, int y) const {
    return (static_cast<std::size_t>(y + border) * (width + 2 * border) + x + border) * channels;
  }
};

// Square convolution with bias and ReLU. Reads NAME.weight [out, in, kernel, kernel] and NAME.bias [out]; throws
// kBadFile for another shape or values that are not finite. `outputs` must be a multiple of kConvolutionLanes.
constexpr int kConvolutionLanes = 16;

class Convolution {
 public:
  Convolution() = default;
  Convolution(const SafetensorsFile& file, const std::string& name, int inputs, int outputs, int kernel,
              int stride = 1);
  int outputs() const { return outputs_; }
  // Writes channels [first, first + outputs) of `to`, whose size is that of the result. The window starts at the
  // border when the kernel is 3 (so a border of 1 pads and a border of 0 does not), at the picture when it is 1.
  void apply(const FeatureMap& from, FeatureMap& to, int first = 0) const;

 private:
  int inputs_ = 0, outputs_ = 0, kernel_ = 0, stride_ = 1;
  std::vector<float> panels_;  // [out / lanes, kernel, kernel, in, lanes]
  std::vector<float> bias_;
};

// Largest of each 3x3 window, two pixels apart; windows may reach over the right and lower edge (ceil_mode).
FeatureMap max_pool_3x3(const FeatureMap& from);

// sum_c weight[c] (a[c] / |a| - b[c] / |b|)^2, mean over the pixels. Maps of one size, channels a multiple of
// kConvolutionLanes, at most 512.
double unit_difference(const FeatureMap& a, const FeatureMap& b, const std::vector<float>& weight);

}  // namespace mien
