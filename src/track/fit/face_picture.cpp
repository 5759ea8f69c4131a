#include "track/fit/face_picture.h"

#include <algorithm>
#include <cmath>

namespace mien::fit {
namespace {

constexpr double kMargin = 1.15;  // of the landmarks' box
constexpr double kBlur = 0.7;     // of a pixel of the result, or of the source where that is coarser

struct Taps {
  int first = 0;
  std::vector<float> weights;
};

std::vector<Taps> gaussian_taps(double begin, double length, int size) {
  std::vector<Taps> out(static_cast<std::size_t>(size));
  const double step = length / size, sigma = kBlur * std::max(step, 1.0);
  for (int i = 0; i < size; ++i) {
    Taps& t = out[static_cast<std::size_t>(i)];
    const double at = begin + (i + 0.5) * step - 0.5;
    t.first = static_cast<int>(std::ceil(at - 2.3 * sigma));
    double sum = 0;
    for (int k = t.first; k <= at + 2.3 * sigma; ++k) {
      const double d = (k - at) / sigma;
      t.weights.push_back(static_cast<float>(std::exp(-0.5 * d * d)));
      sum += double{t.weights.back()};
    }
    for (float& w : t.weights) w /= static_cast<float>(sum);
  }
  return out;
}

}  // namespace

FacePicture::FacePicture(const Image8& picture, const CutWindow& window, const CutWindow& face, int size)
    : size_(size), left_(face.left), top_(face.top), scale_(size / face.size) {
  const double across = picture.width / window.size, down = picture.height / window.size;
  const std::vector<Taps> columns = gaussian_taps((face.left - window.left) * across, face.size * across, size),
                          rows = gaussian_taps((face.top - window.top) * down, face.size * down, size);
  const auto row_of = [&](int y) { return std::clamp(y, 0, picture.height - 1); };
  const int y0 = row_of(rows.front().first),
            y1 = row_of(rows.back().first + static_cast<int>(rows.back().weights.size()) - 1);
  const auto width = 3 * static_cast<std::size_t>(size);
  const int channels = picture.channels;
  std::vector<float> narrow(width * static_cast<std::size_t>(y1 - y0 + 1));
  for (int y = y0; y <= y1; ++y) {
    float* to = narrow.data() + width * static_cast<std::size_t>(y - y0);
    for (const Taps& t : columns) {
      float sum[3] = {};
      for (std::size_t k = 0; k < t.weights.size(); ++k) {
        const std::uint8_t* p = picture.at(std::clamp(t.first + static_cast<int>(k), 0, picture.width - 1), y);
        for (int c = 0; c < 3; ++c) sum[c] += t.weights[k] * p[channels >= 3 ? c : 0];
      }
      for (const float s : sum) *to++ = s * (1 / 255.0f);
    }
  }
  pixels_.assign(width * static_cast<std::size_t>(size), 0.0f);
  for (int j = 0; j < size; ++j) {
    const Taps& t = rows[static_cast<std::size_t>(j)];
    float* to = pixels_.data() + width * static_cast<std::size_t>(j);
    for (std::size_t k = 0; k < t.weights.size(); ++k) {
      const int y = std::clamp(t.first + static_cast<int>(k), y0, y1) - y0;
      const float* from = narrow.data() + width * static_cast<std::size_t>(y);
      for (std::size_t i = 0; i < width; ++i) to[i] += t.weights[k] * from[i];
    }
  }
}

FacePicture FacePicture::half() const {
  FacePicture out;
  out.size_ = size_ / 2;
  out.left_ = left_;
  out.top_ = top_;
  out.scale_ = scale_ / 2;
  const auto width = 3 * static_cast<std::size_t>(size_);
  out.pixels_.reserve(pixels_.size() / 4);
  for (std::size_t y = 0; y + 1 < static_cast<std::size_t>(size_); y += 2) {
    for (std::size_t x = 0; x + 1 < static_cast<std::size_t>(size_); x += 2) {
      for (std::size_t c = 0; c < 3; ++c) {
        const float* p = pixels_.data() + y * width + 3 * x + c;
        out.pixels_.push_back(0.25f * (p[0] + p[3] + p[width] + p[width + 3]));
      }
    }
  }
  return out;
}

bool FacePicture::sample(const Eigen::Vector2d& at, Eigen::Vector3d& value, Eigen::Matrix<double, 3, 2>* slope) const {
  const double x = at.x() - 0.5, y = at.y() - 0.5;
  if (!(x >= 0 && y >= 0 && x < size_ - 1 && y < size_ - 1)) return false;
  const int left = static_cast<int>(x), top = static_cast<int>(y);
  const double u = x - left, v = y - top;
  const auto width = 3 * static_cast<std::size_t>(size_);
  const float* p = pixels_.data() + static_cast<std::size_t>(top) * width + 3 * static_cast<std::size_t>(left);
  for (int c = 0; c < 3; ++c) {
    const double a = p[c], b = p[c + 3], d = p[width + static_cast<std::size_t>(c)],
                 e = p[width + static_cast<std::size_t>(c) + 3];
    const double upper = a + u * (b - a), lower = d + u * (e - d);
    value[c] = upper + v * (lower - upper);
    if (slope != nullptr) {
      (*slope)(c, 0) = (1 - v) * (b - a) + v * (e - d);
      (*slope)(c, 1) = lower - upper;
    }
  }
  return true;
}

CutWindow face_window(const FaceSighting& sighting) {
  std::array<float, 2> low = {1e9f, 1e9f}, high = {-1e9f, -1e9f};
  for (std::size_t i = 0; i < 468; ++i) {
    for (std::size_t k = 0; k < 2; ++k) {
      low[k] = std::min(low[k], sighting.points[i][k]);
      high[k] = std::max(high[k], sighting.points[i][k]);
    }
  }
  CutWindow out;
  out.size = std::max(8.0, kMargin * double{std::max(high[0] - low[0], high[1] - low[1])});
  out.left = 0.5 * (double{low[0]} + double{high[0]} - out.size);
  out.top = 0.5 * (double{low[1]} + double{high[1]} - out.size);
  return out;
}

}  // namespace mien::fit
