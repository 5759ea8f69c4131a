#include "splat/view.h"

#include "mien/base/error.h"

namespace mien::splat {

Cloud make_cloud(const SplatInput& in) {
  if (in.count < 0 || in.sh_degree < 0 || in.sh_degree > 3)
    throw Error(ErrorCode::kBadArgument, fmt::format("splat: {} Gaussians of SH degree {}", in.count, in.sh_degree),
                "give a count of at least 0 and a degree of 0 to 3");
  return {in.count, in.means, in.quats, in.scales, in.opacities, in.sh, in.deformation, in.sh_degree};
}

View make_view(const Camera& camera, const SplatOptions& options, int tile_size) {
  constexpr int kLargest = 16384;
  if (camera.width < 1 || camera.height < 1 || camera.width > kLargest || camera.height > kLargest ||
      !(camera.fx > 0) || !(camera.fy > 0))
    throw Error(ErrorCode::kBadArgument,
                fmt::format("splat: camera of {}x{} pixels, focal lengths {} and {}", camera.width, camera.height,
                            camera.fx, camera.fy),
                fmt::format("use 1 to {} pixels a side and positive focal lengths", kLargest));
  View v = {};
  v.width = camera.width;
  v.height = camera.height;
  v.tiles_x = (camera.width + tile_size - 1) / tile_size;
  v.tiles_y = (camera.height + tile_size - 1) / tile_size;
  v.fx = camera.fx;
  v.fy = camera.fy;
  v.cx = camera.cx;
  v.cy = camera.cy;
  const Vec3 centre = camera.centre();
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) v.rotation[3 * i + j] = camera.world_to_camera(i, j);
    v.translation[i] = camera.world_to_camera(i, 3);
    v.centre[i] = centre[i];
    v.background[i] = options.background[i];
  }
  const auto width = static_cast<float>(camera.width), height = static_cast<float>(camera.height);
  const float slack_x = 0.15f * width / camera.fx, slack_y = 0.15f * height / camera.fy;
  v.left = -camera.cx / camera.fx - slack_x;
  v.right = (width - camera.cx) / camera.fx + slack_x;
  v.top = -camera.cy / camera.fy - slack_y;
  v.bottom = (height - camera.cy) / camera.fy + slack_y;
  v.near_plane = options.near_plane;
  v.eps2d = options.eps2d;
  return v;
}

}  // namespace mien::splat
