// A capture written in the layout of VHAP's export, independently of the importer: OpenGL axes, pictures over white,
// masks, and the head's vertices as OBJ files.
#pragma once

#include <filesystem>
#include <fstream>

#include "mien/base/error.h"
#include "mien/base/json.h"
#include "mien/capture/capture.h"

namespace mien {

struct VhapWriting {
  bool meshes = true, masks = true, white = true;
  int first_moment = 0;
  Vec3 shift = Vec3::Zero();  // of the world: VHAP centres each sequence on its own mean
};

inline Json opengl_pose(const Mat4& world_to_camera) {
  const Eigen::Matrix4d to_world = world_to_camera.cast<double>().inverse();
  Json rows = Json::array();
  for (int r = 0; r < 4; ++r) rows.push_back({to_world(r, 0), -to_world(r, 1), -to_world(r, 2), to_world(r, 3)});
  return rows;
}

inline void write_vhap(const Capture& capture, const CaptureSequence& s, const std::filesystem::path& folder,
                       const VhapWriting& how = {}) {
  namespace fs = std::filesystem;
  for (const char* name : {"images", "fg_masks", "meshes"}) fs::create_directories(folder / name);
  Json all = {{"frames", Json::array()}, {"timestep_indices", Json::array()}, {"camera_indices", Json::array()}};
  const bool meshes = how.meshes && capture.tracked;
  const HeadModel head = meshes ? capture.load_head_model() : HeadModel();
  const HeadMotion motion = meshes ? capture.load_motion(s) : HeadMotion();
  std::vector<Vec3> vertices;
  for (int f = 0; f < s.frames; ++f) {
    const int moment = f + how.first_moment;
    all["timestep_indices"].push_back(moment);
    const std::string mesh = fmt::format("meshes/{:05d}.obj", moment);
    if (meshes) {
      motion.vertices(head, f, vertices);
      std::ofstream out(folder / mesh);
      for (const Vec3& v : vertices) {
        const Vec3 p = v + how.shift;
        out << fmt::format("v {:.7f} {:.7f} {:.7f}\n", p.x(), p.y(), p.z());
      }
      for (const Index3& t : head.mesh.faces) out << fmt::format("f {} {} {}\n", t[0] + 1, t[1] + 1, t[2] + 1);
    }
    for (std::size_t c = 0; c < s.views.size(); ++c) {
      Camera camera = capture.camera_at(s, s.views[c], f);
      camera.world_to_camera.topRightCorner<3, 1>() -= camera.world_to_camera.topLeftCorner<3, 3>() * how.shift;
      const std::string name = fmt::format("{:05d}_{:02d}.png", moment, c);
      Image8 rgb = read_image(capture.image_path(s.views[c], f));
      const Image8 matte = s.views[c].masks.empty() ? Image8(rgb.width, rgb.height, 1, 255)
                                                    : read_image(capture.mask_path(s.views[c], f));
      for (std::size_t i = 0; how.white && i < rgb.pixels.size(); ++i) {
        rgb.pixels[i] = static_cast<std::uint8_t>(std::min(255, rgb.pixels[i] + 255 - matte.pixels[i / 3]));
      }
      write_image(folder / "images" / name, rgb);
      Json frame = {{"timestep_index", moment},
                    {"timestep_index_original", moment},
                    {"timestep_id", fmt::format("frame_{:05d}", moment)},
                    {"camera_index", c},
                    {"camera_id", s.views[c].camera},
                    {"cx", camera.cx},
                    {"cy", camera.cy},
                    {"fl_x", camera.fx},
                    {"fl_y", camera.fy},
                    {"h", camera.height},
                    {"w", camera.width},
                    {"transform_matrix", opengl_pose(camera.world_to_camera)},
                    {"file_path", "images/" + name}};
      if (how.masks) {
        write_image(folder / "fg_masks" / name, matte);
        frame["fg_mask_path"] = "fg_masks/" + name;
      }
      if (meshes) frame["mesh_path"] = mesh;
      all["frames"].push_back(frame);
    }
  }
  for (std::size_t c = 0; c < s.views.size(); ++c) all["camera_indices"].push_back(c);
  std::ofstream(folder / "transforms.json") << all.dump(1);
}

}  // namespace mien
