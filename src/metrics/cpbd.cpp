// CPBD. Blocks with edges (Canny) are found first; inside them every vertical edge (thinned Sobel) has a width along
// its row; the width, against the just noticeable blur at the block's contrast, gives a probability that a viewer sees
// blur; the metric is the share of edges where that stays under 63 %.
#include <algorithm>
#include <cmath>
#include <vector>

#include "mien/metrics/image_metrics.h"

namespace mien {
namespace {

constexpr int kBlock = 64;
constexpr double kEdgeShare = 0.002;  // of a block's pixels, above which it counts as one with edges
constexpr double kBeta = 3.6;         // steepness of the psychometric function
constexpr int kMaxMargin = 100;       // pixels looked at on each side of an edge

// A grey picture in double, 0 to 255. Outside it: mirrored at the edge, or zero.
struct Grey {
  int width = 0, height = 0;
  std::vector<double> values;
  Grey(int w, int h) : width(w), height(h), values(static_cast<std::size_t>(w) * h) {}
  double& at(int x, int y) { return values[static_cast<std::size_t>(y) * width + x]; }
  double at(int x, int y) const { return values[static_cast<std::size_t>(y) * width + x]; }
  double mirrored(int x, int y) const {
    const auto fold = [](int i, int n) {
      while (i < 0 || i >= n) i = i < 0 ? -1 - i : 2 * n - 1 - i;
      return i;
    };
    return at(fold(x, width), fold(y, height));
  }
  double or_zero(int x, int y) const { return x < 0 || y < 0 || x >= width || y >= height ? 0.0 : at(x, y); }
};

Grey luma(const Image8& image) {
  Grey out(image.width, image.height);
  for (std::size_t i = 0; i < out.values.size(); ++i) {
    const std::uint8_t* p = image.pixels.data() + i * image.channels;
    // BT.601 in 16-bit fixed point, rounded, as picture libraries make it.
    out.values[i] = image.channels == 1 ? p[0] : (p[0] * 19595 + p[1] * 38470 + p[2] * 7471 + 0x8000) >> 16;
  }
  return out;
}

// Canny 1986: Gaussian of sigma 1, Sobel, non-maximum suppression between interpolated neighbours, hysteresis. The
// thresholds of 0.1 and 0.2 are meant for pictures in [0,1]; on [0,255], as published, they pass nearly every maximum.
std::vector<std::uint8_t> canny(const Grey& image) {
  const int w = image.width;
  const int h = image.height;
  constexpr int kReach = 4;
  double kernel[2 * kReach + 1];
  double total = 0;
  for (int i = -kReach; i <= kReach; ++i) total += kernel[i + kReach] = std::exp(-0.5 * i * i);
  for (double& value : kernel) value /= total;
  // Beyond the border the picture is zero, and the result is divided by the share of the kernel that lies inside.
  const auto smooth = [&](const Grey& from, int dx, int dy) {
    Grey out(w, h);
    for (int y = 0; y < h; ++y) {
      for (int x = 0; x < w; ++x) {
        double sum = 0;
        double inside = 0;
        for (int i = -kReach; i <= kReach; ++i) {
          const int u = x + i * dx;
          const int v = y + i * dy;
          if (u < 0 || v < 0 || u >= w || v >= h) continue;
          sum += kernel[i + kReach] * from.at(u, v);
          inside += kernel[i + kReach];
        }
        out.at(x, y) = sum / inside;
      }
    }
    return out;
  };
  const Grey soft = smooth(smooth(image, 0, 1), 1, 0);
  Grey gx(w, h), gy(w, h), magnitude(w, h);
  for (int y = 0; y < h; ++y) {
    for (int x = 0; x < w; ++x) {
      const auto p = [&](int dx, int dy) { return soft.mirrored(x + dx, y + dy); };
      gx.at(x, y) = p(1, -1) + 2 * p(1, 0) + p(1, 1) - p(-1, -1) - 2 * p(-1, 0) - p(-1, 1);
      gy.at(x, y) = p(-1, 1) + 2 * p(0, 1) + p(1, 1) - p(-1, -1) - 2 * p(0, -1) - p(1, -1);
      magnitude.at(x, y) = std::hypot(gx.at(x, y), gy.at(x, y));
    }
  }
  std::vector<std::uint8_t> edge(static_cast<std::size_t>(w) * h, 0);  // 1 weak, 2 strong
  std::vector<int> stack;
  for (int y = 1; y + 1 < h; ++y) {
    for (int x = 1; x + 1 < w; ++x) {
      const double m = magnitude.at(x, y);
      if (m < 0.1 || m == 0) continue;
      const double ax = std::abs(gx.at(x, y));
      const double ay = std::abs(gy.at(x, y));
      const int sx = gx.at(x, y) >= 0 ? 1 : -1;
      const int sy = gy.at(x, y) >= 0 ? 1 : -1;
      const bool flat = ax >= ay;
      const double share = flat ? ay / ax : ax / ay;
      const auto between = [&](int side) {
        const double straight = flat ? magnitude.at(x + side * sx, y) : magnitude.at(x, y + side * sy);
        return share * magnitude.at(x + side * sx, y + side * sy) + (1 - share) * straight;
      };
      if (between(1) > m || between(-1) > m) continue;
      const int index = y * w + x;
      edge[index] = m >= 0.2 ? 2 : 1;
      if (edge[index] == 2) stack.push_back(index);
    }
  }
  while (!stack.empty()) {
    const int index = stack.back();
    stack.pop_back();
    for (int dy = -1; dy <= 1; ++dy) {
      for (int dx = -1; dx <= 1; ++dx) {
        std::uint8_t& neighbour = edge[index + dy * w + dx];
        if (neighbour == 1) {
          neighbour = 2;
          stack.push_back(index + dy * w + dx);
        }
      }
    }
  }
  return edge;
}

// Changes along the row (Sobel), thresholded at twice the root of their mean square, thinned to local maxima along
// either axis.
std::vector<std::uint8_t> sobel_edges(const Grey& image) {
  const int w = image.width;
  const int h = image.height;
  Grey strength(w, h);
  double mean = 0;
  for (int y = 0; y < h; ++y) {
    for (int x = 0; x < w; ++x) {
      const auto p = [&](int dx, int dy) { return image.mirrored(x + dx, y + dy); };
      const double change = (p(1, -1) + 2 * p(1, 0) + p(1, 1) - p(-1, -1) - 2 * p(-1, 0) - p(-1, 1)) / 8;
      strength.at(x, y) = change * change;
      mean += change * change;
    }
  }
  const double threshold = 2 * std::sqrt(mean / static_cast<double>(strength.values.size()));
  for (double& value : strength.values) value = value <= threshold ? 0 : value;
  std::vector<std::uint8_t> edge(strength.values.size());
  for (int y = 0; y < h; ++y) {
    for (int x = 0; x < w; ++x) {
      const double s = strength.at(x, y);
      const bool along_x = s > strength.or_zero(x - 1, y) && s > strength.or_zero(x + 1, y);
      const bool along_y = s > strength.or_zero(x, y - 1) && s > strength.or_zero(x, y + 1);
      edge[static_cast<std::size_t>(y) * w + x] = along_x || along_y ? 1 : 0;
    }
  }
  return edge;
}

// How far the grey value keeps changing from (x, y) to one side: falling (sign -1) or rising (+1), at least 1.
int run_length(const Grey& image, int x, int y, int side, int sign) {
  int margin = 0;
  for (; margin < kMaxMargin; ++margin) {
    const int inner = x + side * (1 + margin);
    const int outer = x + side * (2 + margin);
    if (outer < 0 || outer >= image.width || sign * (image.at(outer, y) - image.at(inner, y)) <= 0) break;
  }
  return margin + 1;
}

// Width of the edge at (x, y) along its row; 0 when the gradient there does not lie along the row.
int edge_width(const Grey& image, int x, int y) {
  const double gx = (image.at(x + 1, y) - image.at(x - 1, y)) / 2;
  const double gy = (image.at(x, y + 1) - image.at(x, y - 1)) / 2;
  const double angle = gx != 0 ? std::atan2(gy, gx) * 180 / M_PI : 0;
  const double quantised = 45 * std::nearbyint(angle / 45);
  if (std::abs(quantised) == 180) return run_length(image, x, y, -1, 1) + run_length(image, x, y, 1, -1);
  if (quantised == 0) return run_length(image, x, y, -1, -1) + run_length(image, x, y, 1, 1);
  return 0;
}

}  // namespace

double cpbd(const Image8& image) {
  const Grey grey = luma(image);
  const std::vector<std::uint8_t> canny_edges = canny(grey);
  const std::vector<std::uint8_t> edges = sobel_edges(grey);
  long sharp = 0;
  long total = 0;
  for (int top = 0; top + kBlock <= grey.height; top += kBlock) {
    for (int left = 0; left + kBlock <= grey.width; left += kBlock) {
      int count = 0;
      double low = 255;
      double high = 0;
      for (int y = top; y < top + kBlock; ++y) {
        for (int x = left; x < left + kBlock; ++x) {
          count += canny_edges[static_cast<std::size_t>(y) * grey.width + x] == 2 ? 1 : 0;
          low = std::min(low, grey.at(x, y));
          high = std::max(high, grey.at(x, y));
        }
      }
      if (count <= kBlock * kBlock * kEdgeShare) continue;
      const double just_noticeable = high - low <= 50 ? 5 : 3;  // pixels of blur
      for (int y = std::max(top, 1); y < std::min(top + kBlock, grey.height - 1); ++y) {
        for (int x = std::max(left, 1); x < std::min(left + kBlock, grey.width - 1); ++x) {
          if (edges[static_cast<std::size_t>(y) * grey.width + x] == 0) continue;
          const int width = edge_width(grey, x, y);
          if (width == 0) continue;
          const double seen = 1 - std::exp(-std::pow(width / just_noticeable, kBeta));
          ++total;
          if (std::nearbyint(seen * 100) <= 63) ++sharp;
        }
      }
    }
  }
  return total == 0 ? 0.0 : static_cast<double>(sharp) / static_cast<double>(total);
}

}  // namespace mien
