#include "track/tracker/looks.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "mien/media/image.h"

namespace mien {
namespace {

constexpr int kCells = 8;  // a side of the colour cube

// Each pixel is shared between the cells around its colour, so that a little more light is a little change.
void add(std::vector<float>& cube, const std::uint8_t* rgb, float weight) {
  std::array<int, 3> low{};
  std::array<float, 3> part{};
  for (std::size_t c = 0; c < 3; ++c) {
    const float place = static_cast<float>(rgb[c]) / 255.0f * (kCells - 1);
    low[c] = std::min(static_cast<int>(place), kCells - 2);
    part[c] = place - static_cast<float>(low[c]);
  }
  for (unsigned corner = 0; corner < 8; ++corner) {
    float w = weight;
    int cell = 0;
    for (std::size_t c = 0; c < 3; ++c) {
      const bool high = ((corner >> c) & 1u) != 0;
      w *= high ? part[c] : 1 - part[c];
      cell = cell * kCells + low[c] + (high ? 1 : 0);
    }
    cube[static_cast<std::size_t>(cell)] += w;
  }
}

void normalise(std::vector<float>& cube) {
  float sum = 0;
  for (const float v : cube) sum += v;
  if (sum > 0) {
    for (float& v : cube) v /= sum;
  }
}

double hellinger(const std::vector<float>& a, const std::vector<float>& b) {
  double common = 0, sum_a = 0, sum_b = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    common += std::sqrt(static_cast<double>(a[i]) * b[i]);
    sum_a += a[i];
    sum_b += b[i];
  }
  if (sum_a == 0 || sum_b == 0) return sum_a == sum_b ? 0 : 1;
  return std::sqrt(std::max(0.0, 1 - common));
}

}  // namespace

Look look_of(const std::vector<LookPicture>& pictures) {
  Look out;
  out.person.assign(kCells * kCells * kCells, 0);
  out.background = out.person;
  for (const LookPicture& picture : pictures) {
    const Image8 rgb = read_image(picture.image), matte = read_image(picture.mask);
    const int step = std::max(1, rgb.width / 128);
    for (int y = 0; y < rgb.height; y += step) {
      for (int x = 0; x < rgb.width; x += step) {
        const float inside = static_cast<float>(*matte.at(x, y)) / 255;
        if (inside > 0.9f) add(out.person, rgb.at(x, y), 1);
        if (inside < 0.1f) add(out.background, rgb.at(x, y), 1);
      }
    }
  }
  normalise(out.person);
  normalise(out.background);
  return out;
}

double look_distance(const Look& a, const Look& b) {
  return (hellinger(a.person, b.person) + hellinger(a.background, b.background)) / 2;
}

std::vector<int> group_looks(const std::vector<Look>& looks, double most) {
  std::vector<int> group(looks.size());
  for (std::size_t i = 0; i < looks.size(); ++i) group[i] = static_cast<int>(i);
  for (std::size_t i = 0; i < looks.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (group[i] == group[j] || look_distance(looks[i], looks[j]) >= most) continue;
      const int from = std::max(group[i], group[j]), to = std::min(group[i], group[j]);
      std::replace(group.begin(), group.end(), from, to);
    }
  }
  std::vector<int> order;
  for (int& g : group) {
    const auto found = std::find(order.begin(), order.end(), g);
    const int number = static_cast<int>(found - order.begin());
    if (found == order.end()) order.push_back(g);
    g = number;
  }
  return group;
}

}  // namespace mien
