#include <algorithm>
#include <cmath>

#include "mien/base/error.h"
#include "mien/gaussian_avatar/initialise.h"

namespace mien {
namespace {

constexpr float kOutside = 0.02f;  // matte below this is background
constexpr int kReach = 3;          // pixels: hair ends may overhang the matte by this much

// True when nothing of the person is within kReach pixels of (x, y).
bool is_background(const ImageF& matte, int x, int y) {
  for (int dy = -kReach; dy <= kReach; dy += kReach) {
    for (int dx = -kReach; dx <= kReach; dx += kReach) {
      const int px = std::clamp(x + dx, 0, matte.width - 1), py = std::clamp(y + dy, 0, matte.height - 1);
      if (*matte.at(px, py) > kOutside) return false;
    }
  }
  return true;
}

}  // namespace

void keep_gaussians(GaussianAvatar& avatar, const std::vector<bool>& keep) {
  Gaussians& g = avatar.gaussians;
  MIEN_CHECK(static_cast<int>(keep.size()) == g.count(), "keep {} gaussians {}", keep.size(), g.count());
  ColourModes& modes = avatar.modes;
  const std::size_t row = modes.names.size() * 3;
  std::vector<std::int32_t> place(keep.size(), -1);
  for (std::size_t i = 0, next = 0; i < keep.size(); ++i) {
    if (keep[i]) place[i] = static_cast<std::int32_t>(next++);
  }
  std::size_t rows = 0;
  for (std::size_t k = 0; k < modes.gaussian.size(); ++k) {
    const std::int32_t to = place[static_cast<std::size_t>(modes.gaussian[k])];
    if (to < 0) continue;
    modes.gaussian[rows] = to;
    std::copy_n(modes.colour.begin() + static_cast<std::ptrdiff_t>(k * row), row,
                modes.colour.begin() + static_cast<std::ptrdiff_t>(rows * row));
    ++rows;
  }
  modes.gaussian.resize(rows);
  modes.colour.resize(rows * row);
  std::vector<std::int32_t> followers;
  for (const std::int32_t i : avatar.g2anet.gaussian) {
    if (place[static_cast<std::size_t>(i)] >= 0) followers.push_back(place[static_cast<std::size_t>(i)]);
  }
  avatar.g2anet.gaussian = std::move(followers);
  const auto feature_row = static_cast<std::size_t>(avatar.looks.feature_row());
  std::size_t kept = 0;
  const auto move = [&](std::vector<float>& values, std::size_t width, std::size_t from) {
    std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(from * width), width,
                values.begin() + static_cast<std::ptrdiff_t>(kept * width));
  };
  for (std::size_t i = 0; i < keep.size(); ++i) {
    if (!keep[i]) continue;
    move(g.means, 3, i);
    move(g.quats, 4, i);
    move(g.log_scales, 3, i);
    move(g.opacity_logits, 1, i);
    move(g.sh, kShCoefficients * 3, i);
    for (std::vector<float>& shift : avatar.looks.shift) move(shift, kLookRow, i);
    if (feature_row > 0)
      for (std::vector<float>& features : avatar.looks.features) move(features, feature_row, i);
    avatar.anchors[kept] = avatar.anchors[i];
    ++kept;
  }
  for (std::vector<float>& shift : avatar.looks.shift) shift.resize(kept * kLookRow);
  if (feature_row > 0)
    for (std::vector<float>& features : avatar.looks.features) features.resize(kept * feature_row);
  g.means.resize(kept * 3);
  g.quats.resize(kept * 4);
  g.log_scales.resize(kept * 3);
  g.opacity_logits.resize(kept);
  g.sh.resize(kept * kShCoefficients * 3);
  avatar.anchors.resize(kept);
}

int prune_floaters(GaussianAvatar& avatar, const MotionFrame& frame, const std::vector<CanonicalView>& views,
                   int least_views) {
  SurfaceFrames frames(avatar.head);
  frames.update(frame, avatar.g2anet.options.geometry());
  std::vector<float> means, deformation;
  deform_gaussians(avatar, frames, means, deformation);
  const int needed = std::min<int>(least_views, static_cast<int>(views.size()));
  std::vector<bool> keep(avatar.anchors.size());
  int dropped = 0;
  for (std::size_t i = 0; i < keep.size(); ++i) {
    const Vec3 mean = Eigen::Map<const Vec3>(&means[i * 3]);
    int seen = 0, outside = 0;
    for (const CanonicalView& view : views) {
      if (view.camera.to_camera(mean).z() <= 0.01f) continue;
      const Vec2 at = view.camera.project(mean);
      const int x = static_cast<int>(std::floor(at.x())), y = static_cast<int>(std::floor(at.y()));
      if (x < 0 || y < 0 || x >= view.matte.width || y >= view.matte.height) continue;
      ++seen;
      outside += is_background(view.matte, x, y) ? 1 : 0;
    }
    keep[i] = seen >= needed && outside < std::min<int>(2, static_cast<int>(views.size()));
    dropped += keep[i] ? 0 : 1;
  }
  keep_gaussians(avatar, keep);
  return dropped;
}

}  // namespace mien
