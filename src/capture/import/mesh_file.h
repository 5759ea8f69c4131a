// Meshes and point clouds from outside: Wavefront OBJ, and PLY (ASCII and binary little-endian).
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "mien/geometry/mesh.h"

namespace mien::import {

struct MeshFile {
  TriangleMesh mesh;                                 // faces may be empty; polygons are cut into fans; no UVs
  std::vector<std::array<std::uint8_t, 3>> colours;  // by vertex, PLY only; empty or as many as positions
};

// By extension. Throws kNotFound, kUnsupported for another format, kBadFile naming the line or element.
MeshFile read_mesh_file(const std::filesystem::path& path);

}  // namespace mien::import
