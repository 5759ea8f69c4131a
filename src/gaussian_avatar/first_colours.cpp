#include <algorithm>
#include <array>
#include <cmath>

#include "first_gaussians.h"
#include "mien/base/parallel.h"
#include "mien/geometry/raster.h"

namespace mien {

void paint(const GaussianAvatar& avatar, const CanonicalMoment& moment, const std::vector<Vec3>& normals,
           const std::vector<bool>& wanted, Painting& painting) {
  constexpr float kBehind = 0.003f;  // metres behind the first surface that still count as seen
  SurfaceFrames frames(avatar.head);
  frames.update(moment.frame);
  std::vector<float> means, deformation;
  deform_gaussians(avatar, frames, means, deformation);
  for (const CanonicalView& view : moment.views) {
    RasterBuffer surface;
    rasterise(frames.vertices(), avatar.head.mesh.faces, view.camera, RasterOptions{1, false, false}, surface);
    const Vec3 eye = view.camera.centre();
    parallel_for(avatar.gaussians.count(), 1024, [&](std::int64_t i) {
      if (!wanted[i]) return;
      const Vec3 mean = Eigen::Map<const Vec3>(&means[i * 3]);
      const Mat3 turn = Eigen::Map<const Eigen::Matrix<float, 3, 3, Eigen::RowMajor>>(&deformation[i * 9]);
      const float facing = (turn * normals[i]).normalized().dot((eye - mean).normalized());
      const float depth = view.camera.to_camera(mean).z();
      const Vec2 at = view.camera.project(mean);
      const int x = static_cast<int>(at.x()), y = static_cast<int>(at.y());
      if (facing <= 0.05f || x < 0 || y < 0 || x >= view.rgb.width || y >= view.rgb.height) return;
      const float matte = *view.matte.at(x, y);
      if (matte < 0.5f || depth > surface.depth[surface.index(x, y)] + kBehind) return;
      const float weight = std::pow(facing, 4.0f) * matte;
      painting.sum[i] += weight * Vec3(view.rgb.at(x, y)[0], view.rgb.at(x, y)[1], view.rgb.at(x, y)[2]) / matte;
      painting.weight[i] += weight;
    });
  }
}

void take_colours(GaussianAvatar& avatar, const Painting& painting) {
  const auto n = static_cast<std::size_t>(avatar.gaussians.count());
  const auto region = [&](std::size_t i) {
    return static_cast<std::size_t>(avatar.head.region[static_cast<std::size_t>(avatar.anchors[i].vertex[0])]);
  };
  std::array<Vec3, kHeadRegionCount> mean;
  std::array<float, kHeadRegionCount> seen{};
  mean.fill(Vec3::Zero());
  for (std::size_t i = 0; i < n; ++i) {
    mean[region(i)] += painting.sum[i];
    seen[region(i)] += painting.weight[i];
  }
  for (std::size_t i = 0; i < n; ++i) {
    Vec3 colour = Vec3::Constant(0.3f);
    if (painting.knows(i)) {
      colour = painting.colour(i);
    } else if (seen[region(i)] > 0) {
      colour = mean[region(i)] / seen[region(i)];
    }
    for (int c = 0; c < 3; ++c) avatar.gaussians.sh[i * kShCoefficients * 3 + c] = (colour[c] - 0.5f) / kShDc;
  }
}

void add_modes(GaussianAvatar& avatar) {
  avatar.modes = face_colour_modes(avatar.head);
  avatar.modes.gaussian = facial_gaussians(avatar);
  avatar.modes.colour.assign(avatar.modes.gaussian.size() * avatar.modes.names.size() * 3, 0.0f);
}

}  // namespace mien
