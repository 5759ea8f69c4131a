#include "capture/import/pictures.h"

#include <algorithm>
#include <cmath>

#include "mien/base/error.h"

namespace mien::import {
namespace {

constexpr float kMostZoom = 1.6f;

bool is_straight(const Camera& lens) {
  return std::all_of(lens.distortion.begin(), lens.distortion.end(), [](float k) { return k == 0; });
}

// Source pixel of a target pixel.
Vec2 source_of(float x, float y, const Camera& lens, const Camera& target) {
  const Vec2 at = distort({(x - target.cx) / target.fx, (y - target.cy) / target.fy}, lens.distortion);
  return {lens.fx * at.x() + lens.cx, lens.fy * at.y() + lens.cy};
}

bool sees_inside(const Camera& lens, const Camera& target) {
  constexpr int kSteps = 64;
  const auto inside = [&](float x, float y) {
    const Vec2 at = source_of(x, y, lens, target);
    return at.x() >= 0 && at.y() >= 0 && at.x() <= static_cast<float>(lens.width) &&
           at.y() <= static_cast<float>(lens.height);
  };
  for (int i = 0; i <= kSteps; ++i) {
    const float x = static_cast<float>(target.width * i) / kSteps, y = static_cast<float>(target.height * i) / kSteps;
    if (!inside(x, 0) || !inside(x, static_cast<float>(target.height)) || !inside(0, y) ||
        !inside(static_cast<float>(target.width), y)) {
      return false;
    }
  }
  return true;
}

// Bilinear; outside the picture black.
Image8 straighten(const Image8& image, const Camera& lens, const Camera& target) {
  Image8 out(target.width, target.height, image.channels);
  for (int y = 0; y < out.height; ++y) {
    for (int x = 0; x < out.width; ++x) {
      const Vec2 at = source_of(static_cast<float>(x) + 0.5f, static_cast<float>(y) + 0.5f, lens, target);
      if (!(at.x() >= 0 && at.y() >= 0 && at.x() <= static_cast<float>(image.width) &&
            at.y() <= static_cast<float>(image.height))) {
        continue;
      }
      const float u = std::clamp(at.x() - 0.5f, 0.0f, static_cast<float>(image.width - 1));
      const float v = std::clamp(at.y() - 0.5f, 0.0f, static_cast<float>(image.height - 1));
      const int x0 = static_cast<int>(u), y0 = static_cast<int>(v);
      const int x1 = std::min(x0 + 1, image.width - 1), y1 = std::min(y0 + 1, image.height - 1);
      const float a = u - static_cast<float>(x0), b = v - static_cast<float>(y0);
      for (int c = 0; c < image.channels; ++c) {
        const float top = (1 - a) * image.at(x0, y0)[c] + a * image.at(x1, y0)[c];
        const float low = (1 - a) * image.at(x0, y1)[c] + a * image.at(x1, y1)[c];
        out.at(x, y)[c] = static_cast<std::uint8_t>((1 - b) * top + b * low + 0.5f);
      }
    }
  }
  return out;
}

// Splits a picture into colour and alpha (empty when it has none).
void split_channels(const Image8& image, Image8& rgb, Image8& alpha) {
  rgb = Image8(image.width, image.height, 3);
  if (image.channels == 4) alpha = Image8(image.width, image.height, 1);
  const std::size_t pixels = static_cast<std::size_t>(image.width) * image.height;
  for (std::size_t i = 0; i < pixels; ++i) {
    const std::uint8_t* from = &image.pixels[i * image.channels];
    for (int c = 0; c < 3; ++c) rgb.pixels[i * 3 + c] = from[image.channels == 1 ? 0 : c];
    if (image.channels == 4) alpha.pixels[i] = from[3];
  }
}

// The colour behind the person when it is one colour (as exporters paint it), from where the matte is zero.
bool plain_background(const Image8& rgb, const Image8& matte, float colour[3]) {
  constexpr double kSpread = 4;  // of 255: noise of a JPEG
  double sum[3] = {}, squares = 0;
  std::size_t count = 0;
  for (std::size_t i = 0; i < matte.pixels.size(); ++i) {
    if (matte.pixels[i] != 0) continue;
    ++count;
    for (int c = 0; c < 3; ++c) {
      const double v = rgb.pixels[i * 3 + c];
      sum[c] += v;
      squares += v * v;
    }
  }
  if (count == 0) return false;
  const auto n = static_cast<double>(count);
  double variance = squares / n;
  for (int c = 0; c < 3; ++c) {
    variance -= sum[c] * sum[c] / n / n;
    colour[c] = static_cast<float>(std::round(sum[c] / n));
  }
  return variance < 3 * kSpread * kSpread;
}

// Puts the person on black. A plain background is taken out exactly; another one is faded by the matte.
bool put_on_black(Image8& rgb, const Image8& matte, bool straight_alpha) {
  float behind[3] = {};
  const bool plain = !straight_alpha && plain_background(rgb, matte, behind);
  if (plain && behind[0] + behind[1] + behind[2] <= 6) return false;  // it is black already
  bool changed = false;
  for (std::size_t i = 0; i < matte.pixels.size(); ++i) {
    const float m = static_cast<float>(matte.pixels[i]) / 255;
    for (int c = 0; c < 3; ++c) {
      std::uint8_t& value = rgb.pixels[i * 3 + c];
      const float faded = plain && m > 0 ? std::clamp(value - (1 - m) * behind[c], 0.0f, 255 * m) : value * m;
      const auto out = static_cast<std::uint8_t>(faded + 0.5f);
      changed = changed || out != value;
      value = out;
    }
  }
  return changed;
}

}  // namespace

Vec2 distort(const Vec2& p, const std::array<float, 5>& k) {
  const float x = p.x(), y = p.y(), r2 = x * x + y * y;
  const float radial = 1 + r2 * (k[0] + r2 * (k[1] + r2 * k[4]));
  return {x * radial + 2 * k[2] * x * y + k[3] * (r2 + 2 * x * x),
          y * radial + k[2] * (r2 + 2 * y * y) + 2 * k[3] * x * y};
}

Camera lens_for(const Camera& lens, int width, int height, const std::string& where) {
  Camera out = lens;
  if (lens.width == 0 || lens.height == 0) {
    out.cx = lens.cx != 0 ? lens.cx : 0.5f * static_cast<float>(width);
    out.cy = lens.cy != 0 ? lens.cy : 0.5f * static_cast<float>(height);
  } else if (lens.width != width || lens.height != height) {
    const float sx = static_cast<float>(width) / static_cast<float>(lens.width);
    const float sy = static_cast<float>(height) / static_cast<float>(lens.height);
    if (!(std::abs(sx / sy - 1) < 0.02f)) {
      throw Error(ErrorCode::kBadFile,
                  fmt::format("{}: {}x{} pixels; its camera has {}x{}", where, width, height, lens.width, lens.height),
                  "give the pictures that the cameras were calibrated with, whole or reduced");
    }
    out.fx *= sx;
    out.cx *= sx;
    out.fy *= sy;
    out.cy *= sy;
  }
  out.width = width;
  out.height = height;
  return out;
}

Camera straight_lens(const Camera& lens, bool masked, int longest_side, const std::string& where) {
  Camera out = lens;
  out.distortion = {};
  if (!is_straight(lens) && !masked) {
    const auto zoomed = [&](float zoom) {
      Camera c = out;
      c.fx *= zoom;
      c.fy *= zoom;
      return c;
    };
    float low = 1, high = kMostZoom;
    if (!sees_inside(lens, zoomed(high))) {
      throw Error(ErrorCode::kUnsupported, where + ": its lens distorts too strongly to be straightened here",
                  "straighten the pictures first with COLMAP's image_undistorter");
    }
    if (sees_inside(lens, zoomed(low))) high = low;
    for (int i = 0; i < 16 && high > low; ++i) {
      const float middle = 0.5f * (low + high);
      (sees_inside(lens, zoomed(middle)) ? high : low) = middle;
    }
    out = zoomed(high);
  }
  const int longest = std::max(out.width, out.height);
  if (longest_side > 0 && longest > longest_side) {
    const float scale = static_cast<float>(longest_side) / static_cast<float>(longest);
    const int width = std::max(1, static_cast<int>(std::lround(static_cast<float>(out.width) * scale)));
    const int height = std::max(1, static_cast<int>(std::lround(static_cast<float>(out.height) * scale)));
    const float sx = static_cast<float>(width) / static_cast<float>(out.width);
    const float sy = static_cast<float>(height) / static_cast<float>(out.height);
    out.fx *= sx;
    out.cx *= sx;
    out.fy *= sy;
    out.cy *= sy;
    out.width = width;
    out.height = height;
  }
  return out;
}

ConvertedPicture convert_picture(const Picture& picture, const Camera& lens, const Camera& target) {
  const auto check_size = [&](const Image8& image, const std::filesystem::path& path) {
    if (image.width == lens.width && image.height == lens.height) return;
    throw Error(ErrorCode::kBadFile,
                fmt::format("{}: {}x{} pixels; its camera has {}x{}", path.string(), image.width, image.height,
                            lens.width, lens.height),
                "give all pictures of a camera one size");
  };
  const Image8 image = read_image(picture.image);
  check_size(image, picture.image);
  ConvertedPicture out;
  split_channels(image, out.rgb, out.matte);
  const bool straight_alpha = !out.matte.pixels.empty();
  out.same_rgb = image.channels == 3;
  out.same_matte = !straight_alpha;
  if (!picture.mask.empty()) {
    const Image8 mask = read_image(picture.mask);
    check_size(mask, picture.mask);
    if (!straight_alpha) out.matte = Image8(mask.width, mask.height, 1, 255);
    for (std::size_t i = 0; i < out.matte.pixels.size(); ++i) {
      out.matte.pixels[i] = static_cast<std::uint8_t>(out.matte.pixels[i] * mask.pixels[i * mask.channels] / 255);
    }
    out.same_matte = mask.channels == 1 && !straight_alpha;
  }
  if (!out.matte.pixels.empty() && put_on_black(out.rgb, out.matte, straight_alpha)) out.same_rgb = false;
  if (!is_straight(lens)) {
    Camera whole = target;  // at full size; the reduction averages
    const float sx = static_cast<float>(lens.width) / static_cast<float>(target.width);
    const float sy = static_cast<float>(lens.height) / static_cast<float>(target.height);
    whole.width = lens.width;
    whole.height = lens.height;
    whole.fx *= sx;
    whole.cx *= sx;
    whole.fy *= sy;
    whole.cy *= sy;
    out.rgb = straighten(out.rgb, lens, whole);
    if (!out.matte.pixels.empty()) out.matte = straighten(out.matte, lens, whole);
    out.same_rgb = out.same_matte = false;
  }
  if (out.rgb.width != target.width || out.rgb.height != target.height) {
    out.rgb = resize_image(out.rgb, target.width, target.height);
    if (!out.matte.pixels.empty()) out.matte = resize_image(out.matte, target.width, target.height);
    out.same_rgb = out.same_matte = false;
  }
  return out;
}

}  // namespace mien::import
