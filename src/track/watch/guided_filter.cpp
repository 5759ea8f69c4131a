#include "track/watch/guided_filter.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "mien/base/parallel.h"

namespace mien::track {
namespace {

// How many of `count` places lie within `radius` of place i.
float neighbours(int i, int count, int radius) {
  return static_cast<float>(std::min(i + radius, count - 1) - std::max(i - radius, 0) + 1);
}

// Means of a sliding window over `count` places of `width` values each, next to each other.
void slide(const float* from, float* to, int count, int width, int radius, std::vector<float>& sum) {
  sum.assign(static_cast<std::size_t>(width), 0);
  float* total = sum.data();
  const auto at = [&](int i) { return from + static_cast<std::ptrdiff_t>(i) * width; };
  for (int i = -radius; i < count; ++i) {
    if (i + radius < count) {
      const float* in = at(i + radius);
      for (int k = 0; k < width; ++k) total[k] += in[k];
    }
    if (i - radius - 1 >= 0) {
      const float* out = at(i - radius - 1);
      for (int k = 0; k < width; ++k) total[k] -= out[k];
    }
    if (i < 0) continue;
    const float share = 1 / neighbours(i, count, radius);
    float* result = to + static_cast<std::ptrdiff_t>(i) * width;
    for (int k = 0; k < width; ++k) result[k] = total[k] * share;
  }
}

// The symmetric 3 x 3 system M x = v with M's upper half xx, xy, xz, yy, yz, zz.
void solve(const float* m, const float* v, float* x) {
  const double a = m[0], b = m[1], c = m[2], d = m[3], e = m[4], f = m[5];
  const double A = d * f - e * e, B = c * e - b * f, C = b * e - c * d;
  const double det = a * A + b * B + c * C;
  const double D = a * f - c * c, E = b * c - a * e, F = a * d - b * b;
  x[0] = static_cast<float>((A * v[0] + B * v[1] + C * v[2]) / det);
  x[1] = static_cast<float>((B * v[0] + D * v[1] + E * v[2]) / det);
  x[2] = static_cast<float>((C * v[0] + E * v[1] + F * v[2]) / det);
}

}  // namespace

ImageF box_mean(const ImageF& image, int radius) {
  ImageF rows(image.width, image.height, image.channels), out(image.width, image.height, image.channels);
  std::vector<float> sum;
  for (int y = 0; y < image.height; ++y) slide(image.at(0, y), rows.at(0, y), image.width, image.channels, radius, sum);
  slide(rows.pixels.data(), out.pixels.data(), image.height, image.width * image.channels, radius, sum);
  return out;
}

ImageF guide_mask(const ImageF& mask, const Image8& small, const Image8& picture, int radius, float softness) {
  // Means of colour (3), mask, mask x colour (3), colour x colour (6).
  ImageF products(mask.width, mask.height, 13);
  parallel_for(mask.height, 16, [&](std::int64_t row) {
    const int y = static_cast<int>(row);
    for (int x = 0; x < mask.width; ++x) {
      float* p = products.at(x, y);
      const float m = *mask.at(x, y);
      for (int i = 0, k = 7; i < 3; ++i) {
        p[i] = static_cast<float>(small.at(x, y)[i]) / 255;
        p[4 + i] = m * p[i];
        for (int j = 0; j <= i; ++j) p[k++] = p[i] * (static_cast<float>(small.at(x, y)[j]) / 255);
      }
      p[3] = m;
    }
  });
  const ImageF means = box_mean(products, radius);
  ImageF lines(mask.width, mask.height, 4);  // slope in the three colours, and offset
  parallel_for(mask.height, 16, [&](std::int64_t row) {
    const int y = static_cast<int>(row);
    for (int x = 0; x < mask.width; ++x) {
      const float* p = means.at(x, y);
      float covariance[3], variance[6];
      for (int i = 0; i < 3; ++i) covariance[i] = p[4 + i] - p[3] * p[i];
      // products hold the lower half by rows: 00, 10, 11, 20, 21, 22
      variance[0] = p[7] - p[0] * p[0] + softness;
      variance[1] = p[8] - p[1] * p[0];
      variance[2] = p[10] - p[2] * p[0];
      variance[3] = p[9] - p[1] * p[1] + softness;
      variance[4] = p[11] - p[2] * p[1];
      variance[5] = p[12] - p[2] * p[2] + softness;
      float* line = lines.at(x, y);
      solve(variance, covariance, line);
      line[3] = p[3] - line[0] * p[0] - line[1] * p[1] - line[2] * p[2];
    }
  });
  const ImageF smooth = box_mean(lines, radius);
  ImageF out(picture.width, picture.height, 1);
  parallel_for(out.height, 16, [&](std::int64_t row) {
    const int y = static_cast<int>(row);
    const float v = std::clamp(
        (static_cast<float>(y) + 0.5f) * static_cast<float>(mask.height) / static_cast<float>(out.height) - 0.5f, 0.0f,
        static_cast<float>(mask.height - 1));
    const int v0 = static_cast<int>(v), v1 = std::min(v0 + 1, mask.height - 1);
    for (int x = 0; x < out.width; ++x) {
      const float u = std::clamp(
          (static_cast<float>(x) + 0.5f) * static_cast<float>(mask.width) / static_cast<float>(out.width) - 0.5f, 0.0f,
          static_cast<float>(mask.width - 1));
      const int u0 = static_cast<int>(u), u1 = std::min(u0 + 1, mask.width - 1);
      const float *a = smooth.at(u0, v0), *b = smooth.at(u1, v0), *c = smooth.at(u0, v1), *d = smooth.at(u1, v1);
      const float s = u - static_cast<float>(u0), t = v - static_cast<float>(v0);
      float value = 0;
      for (int k = 0; k < 4; ++k) {
        const float line = (a[k] + (b[k] - a[k]) * s) * (1 - t) + (c[k] + (d[k] - c[k]) * s) * t;
        value += line * (k < 3 ? static_cast<float>(picture.at(x, y)[k]) / 255 : 1);
      }
      *out.at(x, y) = std::clamp(value, 0.0f, 1.0f);
    }
  });
  return out;
}

}  // namespace mien::track
