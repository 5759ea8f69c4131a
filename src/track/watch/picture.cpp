#include "track/watch/picture.h"

#include <algorithm>

#include "mien/base/parallel.h"

namespace mien::track {

Image8 shrink(const Image8& image, int left, int top, int width, int height, int factor) {
  Image8 out(std::max(width / factor, 1), std::max(height / factor, 1), 3);
  const int half = factor * factor / 2;
  parallel_for(out.height, 16, [&](std::int64_t row) {
    const int y0 = top + static_cast<int>(row) * factor;
    for (int i = 0; i < out.width; ++i) {
      int sum[3] = {half, half, half};
      const int x0 = left + i * factor;
      for (int y = y0; y < y0 + factor; ++y) {
        for (int x = x0; x < x0 + factor; ++x) {
          const std::uint8_t* p = image.at(std::clamp(x, 0, image.width - 1), std::clamp(y, 0, image.height - 1));
          for (int k = 0; k < 3; ++k) sum[k] += p[k];
        }
      }
      std::uint8_t* to = out.at(i, static_cast<int>(row));
      for (int k = 0; k < 3; ++k) to[k] = static_cast<std::uint8_t>(sum[k] / (factor * factor));
    }
  });
  return out;
}

Image8 shrink(const Image8& image, int factor) {
  return shrink(image, 0, 0, image.width, image.height, std::min({factor, image.width, image.height}));
}

}  // namespace mien::track
