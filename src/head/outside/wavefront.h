// Wavefront OBJ files: vertices, texture coordinates, polygons with the name of their material.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "mien/geometry/types.h"

namespace mien::outside {

struct Wavefront {
  std::vector<Vec3> positions;  // as in the file
  std::vector<Vec2> uv;
  std::vector<Index3> faces;    // polygons cut into fans
  std::vector<Index3> face_uv;  // as many as faces, or none when a polygon has no texture coordinates
  std::vector<int> material;    // [faces] into materials; -1 before the first usemtl
  std::vector<std::string> materials;
};

// `positions_only` skips everything but vertices, for files that move another file's vertices. Throws kNotFound,
// kBadFile with the line.
Wavefront read_wavefront(const std::filesystem::path& path, bool positions_only = false);

}  // namespace mien::outside
