// Where windows (of convolutions and pools) lie on their input, as TensorFlow places them.
#pragma once

#include <cstdint>

namespace mien {

struct WindowAxis {
  std::int64_t before = 0, after = 0;  // zeros added to the input
  std::int64_t count = 0;              // windows, which is the size of the result
};

// `same` padding: the result has ceil(size / stride) windows, and where the padding is uneven the end gets more.
// Otherwise none is added. `window` counts dilation.
inline WindowAxis place_windows(std::int64_t size, std::int64_t window, std::int64_t stride, bool same) {
  WindowAxis out;
  if (!same) {
    out.count = size < window ? 0 : (size - window) / stride + 1;
    return out;
  }
  out.count = (size + stride - 1) / stride;
  const std::int64_t needed = (out.count - 1) * stride + window - size;
  if (needed > 0) {
    out.before = needed / 2;
    out.after = needed - out.before;
  }
  return out;
}

}  // namespace mien
