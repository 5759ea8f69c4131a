#include "track/watch/matte.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "mien/base/parallel.h"
#include "track/watch/guided_filter.h"

namespace mien::track {
namespace {

constexpr int kMaskSize = 256;  // the network's
// Share of the new mask in the blend where nothing moves, and the difference of pictures (0..255, smoothed) from which
// on the new mask alone counts.
constexpr float kStillShare = 0.25f, kMoving = 14;
constexpr int kRadius = 7;  // of the edge search, in pixels of the mask
constexpr float kSoftness = 2e-4f;
constexpr float kWithin = 0.88f;  // of the face's outline: landmarks may lie a little outside of the face
constexpr float kSure = 0.08f;    // masks nearer than this to 0 or 1 all around are not doubted

// Blends the new mask into the steady one.
void steady(ImageF& state, const ImageF& mask, const Image8& now, const Image8& before) {
  if (state.width != mask.width || before.width != now.width) {
    state = mask;
    return;
  }
  ImageF difference(now.width, now.height, 1);
  for (int y = 0; y < now.height; ++y) {
    for (int x = 0; x < now.width; ++x) {
      const std::uint8_t *a = now.at(x, y), *b = before.at(x, y);
      *difference.at(x, y) =
          static_cast<float>(std::max({std::abs(a[0] - b[0]), std::abs(a[1] - b[1]), std::abs(a[2] - b[2])}));
    }
  }
  difference = box_mean(difference, 2);
  for (std::size_t i = 0; i < mask.pixels.size(); ++i) {
    const float moving = std::clamp(difference.pixels[i] / kMoving, 0.0f, 1.0f);
    const float share = kStillShare + (1 - kStillShare) * moving;
    state.pixels[i] += share * (mask.pixels[i] - state.pixels[i]);
  }
}

// Pixels whose middles lie inside the outline.
std::vector<std::uint8_t> fill(const std::vector<MattePoint>& outline, int size) {
  std::vector<std::uint8_t> out(static_cast<std::size_t>(size) * static_cast<std::size_t>(size), 0);
  std::vector<float> crossings;
  for (int y = 0; y < size; ++y) {
    const float v = static_cast<float>(y) + 0.5f;
    crossings.clear();
    for (std::size_t i = 0; i < outline.size(); ++i) {
      const MattePoint &a = outline[i], &b = outline[(i + 1) % outline.size()];
      if ((a.y <= v) != (b.y <= v)) crossings.push_back(a.x + (v - a.y) / (b.y - a.y) * (b.x - a.x));
    }
    std::sort(crossings.begin(), crossings.end());
    for (std::size_t i = 0; i + 1 < crossings.size(); i += 2) {
      const int from = std::clamp(static_cast<int>(std::ceil(crossings[i] - 0.5f)), 0, size);
      const int to = std::clamp(static_cast<int>(std::ceil(crossings[i + 1] - 0.5f)), 0, size);
      for (int x = from; x < to; ++x) out[static_cast<std::size_t>(y * size + x)] = 1;
    }
  }
  return out;
}

// Removes parts of the mask that do not hang together with the face, and fills the face itself.
void keep_face(ImageF& mask, const std::vector<std::uint8_t>& face) {
  const int size = mask.width;
  std::vector<std::uint8_t> reached(face.size(), 0);
  std::vector<int> open;
  for (std::size_t i = 0; i < face.size(); ++i) {
    if (face[i] == 0) continue;
    mask.pixels[i] = 1;
    reached[i] = 1;
    open.push_back(static_cast<int>(i));
  }
  if (open.empty()) return;
  const auto visit = [&](int i) {
    const auto k = static_cast<std::size_t>(i);
    if (reached[k] != 0 || mask.pixels[k] < 0.5f) return;
    reached[k] = 1;
    open.push_back(i);
  };
  while (!open.empty()) {
    const int i = open.back(), x = i % size, y = i / size;
    open.pop_back();
    if (x > 0) visit(i - 1);
    if (x + 1 < size) visit(i + 1);
    if (y > 0) visit(i - size);
    if (y + 1 < size) visit(i + size);
  }
  // The soft rim of what is kept stays with it: four pixels.
  ImageF near(size, size, 1);
  for (std::size_t i = 0; i < reached.size(); ++i) near.pixels[i] = reached[i];
  near = box_mean(near, 4);
  for (std::size_t i = 0; i < reached.size(); ++i) {
    if (near.pixels[i] <= 0)
      mask.pixels[i] = 0;
    else if (reached[i] == 0)
      mask.pixels[i] = std::min(mask.pixels[i], 0.5f);
  }
}

// A guided edge is a little grey on either side; this makes it clear.
float clear(float value) {
  const float t = std::clamp((value - 0.12f) / 0.76f, 0.0f, 1.0f);
  return t * t * (3 - 2 * t);
}

}  // namespace

Image8 Matting::add(const Image8& picture, const std::vector<MattePoint>& outline) {
  const Image8 small = resize_image(picture, kMaskSize, kMaskSize);
  const ImageF mask = networks_.person_masks(std::span(&small, 1)).front();
  steady(steady_, mask, small, before_);
  before_ = small;
  if (!outline.empty()) outline_ = outline;
  std::vector<MattePoint> face = outline_;
  MattePoint middle;
  for (const MattePoint& p : face) {
    middle.x += p.x / static_cast<float>(face.size());
    middle.y += p.y / static_cast<float>(face.size());
  }
  for (MattePoint& p : face) {
    p = {middle.x + kWithin * (p.x - middle.x), middle.y + kWithin * (p.y - middle.y)};
    p.x *= static_cast<float>(kMaskSize) / static_cast<float>(picture.width);
    p.y *= static_cast<float>(kMaskSize) / static_cast<float>(picture.height);
  }
  ImageF own = steady_;
  keep_face(own, fill(face, kMaskSize));
  const ImageF guided = guide_mask(own, small, picture, kRadius, kSoftness);
  // Only around the mask's border is the picture asked: elsewhere like colours would leak.
  ImageF unsure(kMaskSize, kMaskSize, 1);
  for (std::size_t i = 0; i < unsure.pixels.size(); ++i)
    unsure.pixels[i] = own.pixels[i] > kSure && own.pixels[i] < 1 - kSure ? 1 : 0;
  unsure = box_mean(unsure, kRadius / 2);
  Image8 out(picture.width, picture.height, 1);
  parallel_for(out.height, 16, [&](std::int64_t row) {
    const int y = static_cast<int>(row), v = y * kMaskSize / out.height;
    for (int x = 0; x < out.width; ++x) {
      const int u = x * kMaskSize / out.width;
      const float doubt = std::min(1.0f, *unsure.at(u, v) * 8);
      const float plain = *own.at(u, v) > 0.5f ? 1.0f : 0.0f;
      const float value = doubt * clear(*guided.at(x, y)) + (1 - doubt) * plain;
      *out.at(x, y) = static_cast<std::uint8_t>(std::lround(255 * value));
    }
  });
  return out;
}

}  // namespace mien::track
