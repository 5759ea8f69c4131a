// From shaded samples to a picture with its matte.
#include <algorithm>
#include <array>
#include <cmath>

#include "actor/stage/stage_impl.h"
#include "mien/base/parallel.h"

namespace mien {

using namespace stage;

namespace {

// sRGB curve by table, indexed by the square root of the value (even steps for the eye).
std::uint8_t encode(float linear) {
  static const std::array<std::uint8_t, 4097> table = [] {
    std::array<std::uint8_t, 4097> t{};
    for (int i = 0; i <= 4096; ++i) {
      const float root = static_cast<float>(i) / 4096;
      t[i] = static_cast<std::uint8_t>(std::lround(255 * std::clamp(linear_to_srgb(root * root), 0.0f, 1.0f)));
    }
    return t;
  }();
  return table[static_cast<std::size_t>(std::sqrt(std::clamp(linear, 0.0f, 1.0f)) * 4096 + 0.5f)];
}

}  // namespace

// Lights the samples of a pixel: those that lie on one smooth surface together, by their mean; others one by one.
void Stage::Impl::shade_pixel(const RasterBuffer& seen, int x, int y, const Vec3& eye, Map<Texel4>& samples) const {
  constexpr int kMost = 16;        // samples a pixel, at the highest supersample
  constexpr float kNear = 0.004f;  // metres of depth within which samples of a material count as one surface
  const int ss = options.supersample, count = ss * ss;
  std::array<std::size_t, kMost> at;
  for (int k = 0; k < count; ++k) at[k] = seen.index(x * ss + k % ss, y * ss + k / ss);
  std::array<bool, kMost> done{};
  for (int k = 0; k < count; ++k) {
    const int face = seen.face[at[k]];
    if (done[k] || face < 0) continue;
    ShadePoint point = surface_point(face, seen.weights(at[k]), eye);
    std::array<int, kMost> group = {k};
    int size = 1;
    for (int j = k + 1; j < count && !options.light_every_sample && shares_light(face); ++j) {
      const int other = seen.face[at[j]];
      if (done[j] || other < 0 || scene.solid_info[other].material != scene.solid_info[face].material ||
          std::abs(seen.depth[at[j]] - seen.depth[at[k]]) > kNear) {
        continue;
      }
      point.add(surface_point(other, seen.weights(at[j]), eye));
      group[size++] = j;
    }
    point.divide(size);
    const Texel4 colour = with_alpha(shade(point, eye), 1);
    for (int j = 0; j < size; ++j) {
      done[group[j]] = true;
      samples.texels[at[group[j]]] = colour;
    }
  }
}

StagePicture Stage::Impl::draw(const Camera& camera) const {
  const int ss = options.supersample;
  const RasterOptions raster{.supersample = ss};
  const Vec3 eye = camera.centre();
  RasterBuffer seen;
  rasterise(scene.positions(), scene.solid, camera, raster, seen);
  Map<Texel4> samples(seen.width, seen.height, Texel4::Zero());  // premultiplied linear colour and alpha
  parallel_for(camera.height, 2, [&](std::int64_t y) {
    for (int x = 0; x < camera.width; ++x) shade_pixel(seen, x, static_cast<int>(y), eye, samples);
  });
  std::vector<float> hidden(samples.texels.size(), 0);
  if (!scene.card.empty()) {
    constexpr int kLayers = 12;
    rasterise_layers(
        scene.positions(), scene.card, camera, raster, seen, kLayers,
        [&](int f, float b0, float b1) {
          const float a = scene.card_alpha(f, b0, b1);
          return a < 0.02f ? 0.0f : a;
        },
        [&](int x, int y, std::span<const Fragment> fragments) {
          Texel4& behind = samples.at(x, y);
          Texel4 front = Texel4::Zero();
          for (const Fragment& f : fragments) {
            const float share = (1 - front[3]) * f.alpha;
            if (share < 0.004f) continue;
            front += with_alpha(shade_card(f.face, Vec3(f.b0, f.b1, 1 - f.b0 - f.b1), eye), 1) * share;
            if (front[3] > 0.98f) break;
          }
          behind = front + behind * (1 - front[3]);
          hidden[seen.index(x, y)] = front[3];
        });
  }
  StagePicture picture{Image8(camera.width, camera.height, 3), Image8(camera.width, camera.height, 1), {}};
  std::array<float, 3> background{};
  for (int c = 0; c < 3; ++c) background[c] = 255 * std::clamp(options.background[c], 0.0f, 1.0f);
  parallel_for(camera.height, 8, [&](std::int64_t row) {
    const int y = static_cast<int>(row);
    for (int x = 0; x < camera.width; ++x) {
      Texel4 sum = Texel4::Zero();
      for (int k = 0; k < ss * ss; ++k) {
        const Texel4& s = samples.at(x * ss + k % ss, y * ss + k / ss);
        if (s[3] <= 0) continue;
        for (int c = 0; c < 3; ++c) sum[c] += s[3] * tone_map(s[c] / s[3]);
        sum[3] += s[3];
      }
      const auto matte =
          static_cast<std::uint8_t>(std::lround(255 * std::min(1.0f, sum[3] / static_cast<float>(ss * ss))));
      *picture.matte.at(x, y) = matte;
      const float alpha = static_cast<float>(matte) / 255;
      std::uint8_t* out = picture.rgb.at(x, y);
      for (int c = 0; c < 3; ++c) {
        const float colour = matte == 0 ? 0.0f : static_cast<float>(encode(sum[c] / sum[3]));
        out[c] = static_cast<std::uint8_t>(std::lround(alpha * colour + (1 - alpha) * background[c]));
      }
    }
  });
  picture.labels = label(seen, hidden, picture.matte);
  return picture;
}

}  // namespace mien
