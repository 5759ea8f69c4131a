#include <algorithm>
#include <cmath>
#include <span>

#include "track/report/report_parts.h"

namespace mien::track_report {
namespace {

struct Line {
  std::vector<int> landmarks;
  bool is_closed = true;
};

// MediaPipe's numbers along what people look at first.
const std::vector<Line>& lines() {
  static const std::vector<Line> all = {
      {{61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146}},
      {{78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95}},
      {{33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7}},
      {{263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249}},
      {{70, 63, 105, 66, 107, 55, 65, 52, 53, 46}},
      {{300, 293, 334, 296, 336, 285, 295, 282, 283, 276}},
      {{168, 6, 197, 195, 5, 4, 1}, false},
      {{98, 97, 2, 326, 327}, false},
      {{469, 470, 471, 472}},
      {{474, 475, 476, 477}},
      {{10,  338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
        152, 148, 176, 149, 150, 136, 172, 58,  132, 93,  234, 127, 162, 21,  54,  103, 67,  109}}};
  return all;
}

void blend(Image8& image, int x, int y, const std::array<float, 3>& colour, float alpha) {
  if (x < 0 || y < 0 || x >= image.width || y >= image.height || alpha <= 0) return;
  std::uint8_t* pixel = image.at(x, y);
  for (std::size_t c = 0; c < 3; ++c)
    pixel[c] = static_cast<std::uint8_t>(std::lround((1 - alpha) * static_cast<float>(pixel[c]) + alpha * colour[c]));
}

// A line of this half width with soft edges; a point when both ends are one.
void stroke(Image8& image, const Vec2& a, const Vec2& b, float half, const std::array<float, 3>& colour, float alpha) {
  if (!a.allFinite() || !b.allFinite()) return;
  const float limit = 4.0f * static_cast<float>(std::max(image.width, image.height));
  if (a.cwiseAbs().maxCoeff() > limit || b.cwiseAbs().maxCoeff() > limit) return;
  const Vec2 low = a.cwiseMin(b).array() - half - 1, high = a.cwiseMax(b).array() + half + 1;
  const Vec2 along = b - a;
  const int x0 = std::max(0, static_cast<int>(low.x())), x1 = std::min(image.width - 1, static_cast<int>(high.x()));
  const int y0 = std::max(0, static_cast<int>(low.y())), y1 = std::min(image.height - 1, static_cast<int>(high.y()));
  for (int y = y0; y <= y1; ++y) {
    for (int x = x0; x <= x1; ++x) {
      const Vec2 p(static_cast<float>(x) + 0.5f, static_cast<float>(y) + 0.5f);
      const float t = std::clamp((p - a).dot(along) / std::max(along.squaredNorm(), 1e-9f), 0.0f, 1.0f);
      const float distance = (a + t * along - p).norm();
      blend(image, x, y, colour, alpha * std::clamp(half + 0.5f - distance, 0.0f, 1.0f));
    }
  }
}

}  // namespace

Image8 draw_overlay(const Image8& picture, const Camera& camera, const HeadModel& head, const MotionFrame& frame,
                    const FaceSighting& seen, const CutWindow& window) {
  Image8 out(picture.width, picture.height, 3);
  for (int y = 0; y < out.height; ++y) {
    for (int x = 0; x < out.width; ++x) {
      for (int c = 0; c < 3; ++c) out.at(x, y)[c] = picture.at(x, y)[picture.channels >= 3 ? c : 0];
    }
  }
  constexpr std::array<float, 3> kFitted = {0, 230, 255}, kSeen = {255, 220, 0};
  const float thick = static_cast<float>(out.width) / 512;
  if (seen.weight > 0 && window.size > 0) {
    for (const auto& point : seen.points) {
      const Vec2 p(static_cast<float>((static_cast<double>(point[0]) - window.left) / window.size * out.width),
                   static_cast<float>((static_cast<double>(point[1]) - window.top) / window.size * out.height));
      stroke(out, p, p, 0.9f * thick, kSeen, 0.9f);
    }
  }
  std::vector<Vec3> vertices;
  head.deform(frame.expression.data(), static_cast<int>(frame.expression.size()),
              frame.offsets.empty() ? nullptr : frame.offsets.data(), vertices);
  head.pose(frame.pose, vertices);
  // From pixels of the camera to pixels of the picture, which may have been stored smaller.
  const float scale = static_cast<float>(out.width) / static_cast<float>(std::max(camera.width, 1));
  const auto place = [&](int landmark) {
    const SurfacePoint& point = head.landmarks[static_cast<std::size_t>(landmark)];
    Vec3 p = Vec3::Zero();
    for (int k = 0; k < 3; ++k)
      p += point.barycentric[k] *
           vertices[static_cast<std::size_t>(head.mesh.faces[static_cast<std::size_t>(point.face)][k])];
    return Vec2(scale * camera.project(p));
  };
  for (const Line& line : lines()) {
    const std::size_t n = line.landmarks.size();
    for (std::size_t i = 0; i + (line.is_closed ? 0 : 1) < n; ++i) {
      const int a = line.landmarks[i], b = line.landmarks[(i + 1) % n];
      if (std::max(a, b) >= static_cast<int>(head.landmarks.size())) continue;
      stroke(out, place(a), place(b), 0.7f * thick, kFitted, 0.95f);
    }
  }
  return out;
}

CloseUp close_up(const Image8& picture, const Camera& camera, const FaceSighting& seen, const CutWindow& window) {
  CloseUp out{picture, camera, window};
  if (seen.weight <= 0 || !(window.size > 0)) return out;
  double low[2] = {1e9, 1e9}, high[2] = {-1e9, -1e9};
  for (const auto& point : seen.points) {
    for (int k = 0; k < 2; ++k) {
      low[k] = std::min(low[k], static_cast<double>(point[static_cast<std::size_t>(k)]));
      high[k] = std::max(high[k], static_cast<double>(point[static_cast<std::size_t>(k)]));
    }
  }
  // Whole pixels of the picture, a square with some air.
  constexpr double kAir = 1.35;
  constexpr int kSize = 512;
  const double to_picture = picture.width / window.size;
  const int most = std::min(picture.width, picture.height);
  const int side = std::clamp(static_cast<int>(kAir * std::max(high[0] - low[0], high[1] - low[1]) * to_picture),
                              std::min(64, most), most);
  const auto start = [&](double middle, double origin, int limit) {
    return std::clamp(static_cast<int>((middle - origin) * to_picture) - side / 2, 0, limit - side);
  };
  const int x0 = start((low[0] + high[0]) / 2, window.left, picture.width);
  const int y0 = start((low[1] + high[1]) / 2, window.top, picture.height);
  Image8 cut(side, side, picture.channels);
  for (int y = 0; y < side; ++y)
    std::copy_n(picture.at(x0, y0 + y), static_cast<std::size_t>(side) * static_cast<std::size_t>(picture.channels),
                cut.at(0, y));
  out.picture = resize_image(cut, kSize, kSize);
  out.window = {window.left + x0 / to_picture, window.top + y0 / to_picture, side / to_picture};
  const float from_camera = static_cast<float>(picture.width) / static_cast<float>(std::max(camera.width, 1));
  const float zoom = static_cast<float>(kSize) / static_cast<float>(side);
  out.camera.fx *= from_camera * zoom;
  out.camera.fy *= from_camera * zoom;
  out.camera.cx = (camera.cx * from_camera - static_cast<float>(x0)) * zoom;
  out.camera.cy = (camera.cy * from_camera - static_cast<float>(y0)) * zoom;
  out.camera.width = out.camera.height = kSize;
  return out;
}

std::vector<Pick> pick_frames(std::span<const SequenceOrigin> origins, int video, const FittedVideo& fitted,
                              const Capture& capture) {
  std::vector<Pick> all;
  for (std::size_t i = 0; i < origins.size(); ++i) {
    const SequenceOrigin& origin = origins[i];
    if (origin.video != video || origin.stretch < 0 || origin.stretch >= static_cast<int>(fitted.stretches.size()))
      continue;
    const std::vector<float>& error = fitted.stretches[static_cast<std::size_t>(origin.stretch)].error;
    const int frames = capture.sequence(origin.sequence).frames;
    for (int f = 0; f < frames; ++f) {
      const int t = origin.first + f;
      if (t < 0 || t >= static_cast<int>(error.size()) || error[static_cast<std::size_t>(t)] < 0) continue;
      all.push_back({"", i, f, static_cast<double>(error[static_cast<std::size_t>(t)])});
    }
  }
  std::sort(all.begin(), all.end(), [](const Pick& a, const Pick& b) { return a.error < b.error; });
  if (all.empty()) return {};
  std::vector<Pick> out = {all.front()};
  out[0].label = "best";
  if (all.size() > 2) {
    out.push_back(all[all.size() / 2]);
    out.back().label = "median";
  }
  if (all.size() > 1) {
    out.push_back(all.back());
    out.back().label = "worst";
  }
  return out;
}

}  // namespace mien::track_report
