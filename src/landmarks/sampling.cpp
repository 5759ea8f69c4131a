#include "landmarks/sampling.h"

#include <algorithm>
#include <cmath>

#include "mien/base/parallel.h"

namespace mien {
namespace {

// The two pixels on either side of a position, and how far the position is towards the second.
struct Between {
  int first, second;
  float part;
};

Between between(double position, int size) {
  const double at = std::clamp(position - 0.5, 0.0, static_cast<double>(size - 1));
  const int first = std::min(static_cast<int>(at), size - 1);
  return {first, std::min(first + 1, size - 1), static_cast<float>(at - first)};
}

float mix(float a, float b, float part) {
  return a + (b - a) * part;
}

}  // namespace

void crop_picture(const Image8& image, const CropRegion& region, const CropOptions& options, float* out) {
  const double c = std::cos(region.angle), s = std::sin(region.angle);
  const float scale = (options.high - options.low) / 255.0f;
  parallel_for(options.height, 16, [&](std::int64_t j) {
    float* target = out + static_cast<std::size_t>(j) * options.width * 3;
    const double v = ((static_cast<double>(j) + 0.5) / options.height - 0.5) * region.height;
    for (int i = 0; i < options.width; ++i, target += 3) {
      const double u = ((i + 0.5) / options.width - 0.5) * region.width;
      const double x = region.x + c * u - s * v, y = region.y + s * u + c * v;
      if (options.outside == Outside::kBlack && !(x >= 0 && x <= image.width && y >= 0 && y <= image.height)) {
        std::fill(target, target + 3, options.low);
        continue;
      }
      const Between bx = between(x, image.width), by = between(y, image.height);
      const std::uint8_t *p00 = image.at(bx.first, by.first), *p01 = image.at(bx.second, by.first),
                         *p10 = image.at(bx.first, by.second), *p11 = image.at(bx.second, by.second);
      for (int k = 0; k < 3; ++k)
        target[k] = options.low + scale * mix(mix(p00[k], p01[k], bx.part), mix(p10[k], p11[k], bx.part), by.part);
    }
  });
}

ImageF enlarge(const float* values, int from_width, int from_height, int width, int height) {
  ImageF out(width, height, 1);
  parallel_for(height, 16, [&](std::int64_t j) {
    const Between by = between((static_cast<double>(j) + 0.5) * from_height / height, from_height);
    const float *upper = values + static_cast<std::size_t>(by.first) * from_width,
                *lower = values + static_cast<std::size_t>(by.second) * from_width;
    for (int i = 0; i < width; ++i) {
      const Between bx = between((i + 0.5) * from_width / width, from_width);
      *out.at(i, static_cast<int>(j)) = mix(mix(upper[bx.first], upper[bx.second], bx.part),
                                            mix(lower[bx.first], lower[bx.second], bx.part), by.part);
    }
  });
  return out;
}

}  // namespace mien
