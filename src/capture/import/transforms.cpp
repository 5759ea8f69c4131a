// transforms.json: camera-to-world matrices in OpenGL's axes (x right, y up, z back) and file names. Blender,
// instant-ngp and nerfstudio write it for still scenes; VHAP writes it for video, with timestep_index and camera_index
// in each frame.
#include <algorithm>
#include <cmath>
#include <regex>

#include "capture/import/layout.h"
#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/base/json.h"

namespace fs = std::filesystem;

namespace mien::import {
namespace {

// The files that a folder's frames are in: the whole set, or what is left of it by splits.
std::vector<fs::path> transform_files(const fs::path& folder) {
  if (fs::is_regular_file(folder / "transforms.json")) return {folder / "transforms.json"};
  std::vector<fs::path> out;
  for (const char* name : {"transforms_train.json", "transforms_val.json", "transforms_test.json"}) {
    if (fs::is_regular_file(folder / name)) out.push_back(folder / name);
  }
  return out;
}

const Json& frames_of(const Json& json, const fs::path& file) {
  if (!json.is_object() || !json.contains("frames")) throw_bad_field("frames", file.string(), "is missing");
  if (!json["frames"].is_array()) throw_bad_field("frames", file.string(), "is no list");
  if (json["frames"].size() > kMostPictures) {
    throw_bad_field("frames", file.string(), fmt::format("has {} entries", json["frames"].size()));
  }
  return json["frames"];
}

// The first frame of the folder's files, or null.
Json first_frame(const fs::path& folder) {
  for (const fs::path& file : transform_files(folder)) {
    const Json json = read_json(file);
    const Json& frames = frames_of(json, file);
    if (!frames.empty()) return frames[0];
  }
  return {};
}

bool has_times(const Json& frame) {
  return frame.is_object() && frame.contains("timestep_index");
}

bool leads_out(const Json& frame) {
  return frame.is_object() && frame.contains("file_path") && frame["file_path"].is_string() &&
         frame["file_path"].get<std::string>().starts_with("..");
}

// A frame's own value, or that of the whole file.
template <typename T>
T shared(const Json& frame, const Json& all, const char* key, const std::string& where, T fallback) {
  return get_field_or<T>(frame, key, where, get_field_or<T>(all, key, where, fallback));
}

Camera read_lens(const Json& frame, const Json& all, const std::string& where) {
  const auto model = shared<std::string>(frame, all, "camera_model", where, "OPENCV");
  const bool fisheye = shared<bool>(frame, all, "is_fisheye", where, false);
  const double k4 = shared<double>(frame, all, "k4", where, 0);
  if (fisheye || k4 != 0 ||
      (model != "OPENCV" && model != "PINHOLE" && model != "SIMPLE_PINHOLE" && model != "PERSPECTIVE")) {
    throw Error(ErrorCode::kUnsupported,
                fmt::format("{}: lens \"{}\"{}", where, model, fisheye || k4 != 0 ? " with fisheye distortion" : ""),
                "straighten the pictures first, for instance with COLMAP's image_undistorter");
  }
  Camera lens;
  const auto number = [&](const char* key, double fallback) {
    return static_cast<float>(shared<double>(frame, all, key, where, fallback));
  };
  // Some writers store sizes as 512.0.
  const double width = number("w", 0), height = number("h", 0);
  if (!(width >= 0 && width <= kLargestSide && height >= 0 && height <= kLargestSide)) {
    throw Error(ErrorCode::kBadFile, fmt::format("{}: a size of {}x{} pixels", where, width, height),
                fmt::format("use 1 to {}", kLargestSide));
  }
  lens.width = static_cast<int>(width);
  lens.height = static_cast<int>(height);
  lens.fx = number("fl_x", 0);
  lens.fy = number("fl_y", 0);
  const auto from_angle = [&](const char* key, int side) {
    const double angle = number(key, 0);
    return angle > 0 && angle < 3.1 && side > 0 ? static_cast<float>(0.5 * side / std::tan(0.5 * angle)) : 0.0f;
  };
  const auto needs_size = [&] {
    if (lens.width == 0 || lens.height == 0) {
      throw Error(ErrorCode::kBadFile, where + ": neither fl_x nor the picture's w and h", "add w and h, in pixels");
    }
  };
  if (lens.fx == 0) needs_size();
  if (lens.fx == 0) lens.fx = from_angle("camera_angle_x", lens.width);
  if (lens.fy == 0) lens.fy = from_angle("camera_angle_y", lens.height);
  if (lens.fy == 0) lens.fy = lens.fx;
  if (lens.fx == 0) lens.fx = lens.fy;
  lens.cx = number("cx", 0.5 * lens.width);
  lens.cy = number("cy", 0.5 * lens.height);
  lens.distortion = {number("k1", 0), number("k2", 0), number("p1", 0), number("p2", 0), number("k3", 0)};
  check_lens(lens, where);
  return lens;
}

Mat4d read_pose(const Json& frame, const std::string& where) {
  const Json& rows = frame.contains("transform_matrix") ? frame["transform_matrix"] : Json();
  Mat4d to_world = Mat4d::Identity();
  const bool listed = rows.is_array() && (rows.size() == 3 || rows.size() == 4);
  for (int r = 0; listed && r < 3; ++r) {
    if (!rows[r].is_array() || rows[r].size() != 4) throw_bad_field("transform_matrix", where, "is not four by four");
    for (int c = 0; c < 4; ++c) {
      if (!rows[r][c].is_number()) throw_bad_field("transform_matrix", where, "holds something other than numbers");
      to_world(r, c) = rows[r][c].get<double>();
    }
  }
  if (!listed) throw_bad_field("transform_matrix", where, "is not four by four");
  to_world = nearest_rigid(to_world, where);
  to_world.block<3, 2>(0, 1) *= -1;  // OpenGL's y up and z back to OpenCV's y down and z forward
  Mat4d to_camera = Mat4d::Identity();
  to_camera.topLeftCorner<3, 3>() = to_world.topLeftCorner<3, 3>().transpose();
  to_camera.topRightCorner<3, 1>() = -to_camera.topLeftCorner<3, 3>() * to_world.topRightCorner<3, 1>();
  return to_camera;
}

fs::path read_path(const Json& frame, const char* key, const fs::path& folder, const std::string& where) {
  const auto text = get_field_or<std::string>(frame, key, where, "");
  if (text.empty()) return {};
  if (text.starts_with("..")) {
    throw Error(ErrorCode::kBadFile, fmt::format("{}: {} \"{}\" leaves its folder", where, key, text),
                "name the sequences' own folders, or the folder that holds them all");
  }
  return path_inside(folder, text, where);
}

Picture read_picture(const Json& frame, const Json& all, const fs::path& folder, const std::string& where) {
  if (!frame.is_object()) throw Error(ErrorCode::kBadFile, where + ": is no object", "export the set again");
  Picture p;
  p.image = read_path(frame, "file_path", folder, where);
  if (p.image.empty()) throw_bad_field("file_path", where, "is missing");
  if (!p.image.has_extension()) {  // Blender leaves it out
    for (const char* extension : {".png", ".jpg", ".jpeg"}) {
      if (fs::exists(fs::path(p.image).concat(extension))) {
        p.image.concat(extension);
        break;
      }
    }
  }
  p.mask = read_path(frame, frame.contains("fg_mask_path") ? "fg_mask_path" : "mask_path", folder, where);
  p.mesh = read_path(frame, "mesh_path", folder, where);
  p.lens = read_lens(frame, all, where);
  p.world_to_camera = read_pose(frame, where);
  return p;
}

// "074_EMO-1_v16_DS4_whiteBg_..." to "074_EMO-1": what VHAP's recipes append says how it was tracked.
std::string sequence_name(const fs::path& folder) {
  const std::string name = fs::weakly_canonical(folder).filename().string();
  std::smatch found;
  static const std::regex suffix("^(.+?)_v\\d+_.*$");
  if (name.size() < 256 && std::regex_match(name, found, suffix)) return found[1].str();
  return name;
}

void read_sequence(const fs::path& folder, Source& source) {
  const std::string id = folder_name(sequence_name(folder), folder.string());
  for (const Picture& p : source.pictures) {
    if (p.sequence == id) {
      throw Error(ErrorCode::kBadArgument, fmt::format("{}: a second sequence \"{}\"", folder.string(), id),
                  "rename one of the folders");
    }
  }
  bool parameters = false;
  for (const fs::path& file : transform_files(folder)) {
    const Json json = read_json(file);
    std::size_t index = 0;
    for (const Json& frame : frames_of(json, file)) {
      const std::string where = fmt::format("{}, frame {}", file.string(), index++);
      Picture p = read_picture(frame, json, folder, where);
      p.sequence = id;
      p.time = get_field<int>(frame, "timestep_index", where);
      if (p.time < 0) throw_bad_field("timestep_index", where, fmt::format("is {}", p.time));
      std::string camera = fmt::format("{:02d}", get_field_or<int>(frame, "camera_index", where, 0));
      if (frame.contains("camera_id") && frame["camera_id"].is_string()) camera = frame["camera_id"].get<std::string>();
      p.camera = folder_name(camera, where);
      parameters = parameters || (p.mesh.empty() && frame.contains("flame_param_path"));
      source.pictures.push_back(std::move(p));
    }
  }
  if (parameters) {
    source.notes.push_back(id +
                           ": FLAME parameters without meshes are left out (the model's licence keeps it out of Mien): "
                           "export with --flame-mode mesh for tracked motion");
  }
  if (fs::is_regular_file(folder / "audio.wav")) source.audio[id] = folder / "audio.wav";
  if (source.person.empty()) source.person = id.substr(0, id.find('_'));
}

std::vector<fs::path> sorted_folders(const fs::path& folder) {
  std::vector<fs::path> out;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (entry.is_directory()) out.push_back(entry.path());
  }
  std::sort(out.begin(), out.end());
  return out;
}

// A union set lists its test sequences by folder, one a line.
void read_test_list(const fs::path& file, Source& source) {
  if (!fs::is_regular_file(file)) return;
  const std::string text = read_text(file, 1 << 20);
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    if (!line.empty()) source.test.insert(folder_name(sequence_name(line), file.string()));
    begin = end + 1;
  }
}

}  // namespace

bool is_video_transforms(const fs::path& folder) {
  if (!transform_files(folder).empty()) return has_times(first_frame(folder));
  for (const fs::path& inner : sorted_folders(folder)) {
    if (has_times(first_frame(inner))) return true;
  }
  return false;
}

void read_video_transforms(const fs::path& folder, Source& source) {
  source.placed = true;
  if (!transform_files(folder).empty()) {
    read_sequence(folder, source);
    return;
  }
  for (const fs::path& inner : sorted_folders(folder)) {
    const Json first = first_frame(inner);
    if (leads_out(first)) {
      read_test_list(inner / "sequences_test.txt", source);  // a union of its neighbours
    } else if (has_times(first)) {
      read_sequence(inner, source);
    }
  }
}

bool is_still_transforms(const fs::path& folder) {
  return !transform_files(folder).empty();
}

void read_still_transforms(const fs::path& folder, Source& source) {
  source.still = true;
  for (const fs::path& file : transform_files(folder)) {
    const Json json = read_json(file);
    std::size_t index = 0;
    for (const Json& frame : frames_of(json, file)) {
      const std::string where = fmt::format("{}, frame {}", file.string(), index++);
      Picture p = read_picture(frame, json, folder, where);
      p.camera = folder_name(p.image.stem().string(), where);
      source.pictures.push_back(std::move(p));
    }
  }
  source.person = fs::weakly_canonical(folder).filename().string();
}

}  // namespace mien::import
