#include "mien/geometry/preview.h"

#include <algorithm>
#include <cmath>

#include "mien/base/error.h"
#include "mien/base/parallel.h"
#include "mien/geometry/mesh.h"
#include "mien/geometry/raster.h"

namespace mien {
namespace {

Vec3 sample_texture(const Image8& texture, const Vec2& uv) {
  const float x = std::clamp(uv.x(), 0.0f, 1.0f) * static_cast<float>(texture.width) - 0.5f;
  const float y = (1 - std::clamp(uv.y(), 0.0f, 1.0f)) * static_cast<float>(texture.height) - 0.5f;
  const float fx = std::floor(x), fy = std::floor(y);
  Vec3 sum = Vec3::Zero();
  for (int k = 0; k < 4; ++k) {
    const int tx = std::clamp(static_cast<int>(fx) + (k & 1), 0, texture.width - 1);
    const int ty = std::clamp(static_cast<int>(fy) + (k >> 1), 0, texture.height - 1);
    const float weight = ((k & 1) != 0 ? x - fx : 1 - x + fx) * ((k >> 1) != 0 ? y - fy : 1 - y + fy);
    const std::uint8_t* p = texture.at(tx, ty);
    sum += weight / 255 * Vec3(p[0], p[1], p[2]);
  }
  return sum;
}

}  // namespace

Image8 shade_preview(std::span<const Vec3> positions, std::span<const Index3> faces, const Camera& camera,
                     const PreviewPaint& paint, const PreviewOptions& options) {
  if (paint.texture != nullptr && (paint.texture->channels < 3 || paint.face_uv.size() != faces.size())) {
    throw Error(ErrorCode::kBadArgument,
                fmt::format("preview: texture of {} channels, {} UV faces for {} faces", paint.texture->channels,
                            paint.face_uv.size(), faces.size()),
                "give an RGB texture and one UV triangle a face");
  }
  RasterBuffer seen;
  rasterise(positions, faces, camera, {.supersample = options.supersample, .cull_back_faces = options.cull_back_faces},
            seen);
  const std::vector<Vec3> normals = vertex_normals({positions.begin(), positions.end()}, {faces.begin(), faces.end()});
  const Mat3 rotation = camera.world_to_camera.topLeftCorner<3, 3>();
  const Vec3 head_light = rotation.transpose() * Vec3(-0.3f, -0.3f, -1).normalized();
  const Vec3 background(options.background[0], options.background[1], options.background[2]);
  const auto shade = [&](std::size_t i) -> Vec3 {
    const int f = seen.face[i];
    if (f < 0) return background;
    const Index3& face = faces[f];
    const Vec3 w = seen.weights(i);
    Vec3 normal = (positions[face[1]] - positions[face[0]]).cross(positions[face[2]] - positions[face[0]]);
    if (options.smooth) normal = w[0] * normals[face[0]] + w[1] * normals[face[1]] + w[2] * normals[face[2]];
    normal.normalize();
    Vec3 colour(0.8f, 0.8f, 0.8f);
    if (paint.texture != nullptr) {
      const Index3& t = paint.face_uv[f];
      colour = sample_texture(*paint.texture, w[0] * paint.uv[t[0]] + w[1] * paint.uv[t[1]] + w[2] * paint.uv[t[2]]);
    } else if (!paint.vertex_colour.empty()) {
      colour = w[0] * paint.vertex_colour[face[0]] + w[1] * paint.vertex_colour[face[1]] +
               w[2] * paint.vertex_colour[face[2]];
    } else if (!paint.face_colour.empty()) {
      colour = paint.face_colour[f];
    }
    const float lit = 0.3f + 0.6f * std::abs(normal.dot(head_light)) + 0.1f * std::max(0.0f, normal.y());
    return colour * lit;
  };
  Image8 image(camera.width, camera.height, 3);
  const int ss = options.supersample;
  parallel_for(camera.height, 8, [&](std::int64_t y) {
    for (int x = 0; x < camera.width; ++x) {
      Vec3 sum = Vec3::Zero();
      for (int k = 0; k < ss * ss; ++k) sum += shade(seen.index(x * ss + k % ss, static_cast<int>(y) * ss + k / ss));
      sum *= 255.0f / static_cast<float>(ss * ss);
      std::uint8_t* pixel = image.at(x, static_cast<int>(y));
      for (int c = 0; c < 3; ++c) pixel[c] = static_cast<std::uint8_t>(std::clamp(std::lround(sum[c]), 0l, 255l));
    }
  });
  return image;
}

}  // namespace mien
