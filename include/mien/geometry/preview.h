// Quick shaded pictures of a mesh, for head sheets and debugging.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "mien/geometry/camera.h"
#include "mien/geometry/types.h"
#include "mien/media/image.h"  // the plain struct only; nothing of that room is linked

namespace mien {

// What colours the surface: the first that is not empty wins, in this order; else light grey. Colours are sRGB [0,1].
struct PreviewPaint {
  const Image8* texture = nullptr;           // with uv and face_uv; 3 or 4 channels; v up, bilinear
  std::span<const Vec2> uv = {};             // [U]
  std::span<const Index3> face_uv = {};      // [F]
  std::span<const Vec3> vertex_colour = {};  // [V]
  std::span<const Vec3> face_colour = {};    // [F]
};

struct PreviewOptions {
  int supersample = 2;
  bool smooth = true;  // interpolated vertex normals; false shows the flat faces
  bool cull_back_faces = false;
  std::array<float, 3> background = {1, 1, 1};  // sRGB [0,1]
};

// Lambert shading with a light near the camera and one from above; both sides of a face are lit. RGB.
Image8 shade_preview(std::span<const Vec3> positions, std::span<const Index3> faces, const Camera& camera,
                     const PreviewPaint& paint = {}, const PreviewOptions& options = {});

}  // namespace mien
