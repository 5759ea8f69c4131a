// What every layout is read into, and the table of layouts. A new layout is one reader and one line in layouts.cpp.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "mien/capture/import.h"
#include "mien/geometry/camera.h"

namespace mien::import {

using Mat4d = Eigen::Matrix4d;

// One picture, where it was taken from, and what belongs to its moment. Files exist or are reported when read.
struct Picture {
  std::string sequence;                       // "" in a still scene
  std::string camera;                         // id, fit to be a folder's name
  int time = 0;                               // as the source counts moments; ascending, need not start at 0
  Camera lens;                                // size, intrinsics, distortion; a size of 0 = ask the picture
  Mat4d world_to_camera = Mat4d::Identity();  // rigid, OpenCV's axes, the source's world
  std::filesystem::path image, mask, mesh;    // mask and mesh may be empty
};

struct Source {
  bool still = false;   // one moment, each picture a camera of its own
  bool placed = false;  // the layout promises metres, y up, the head at the origin facing +z
  std::string person;
  std::vector<Picture> pictures;
  std::vector<Vec3> points;                            // sparse reconstruction, source's world; may be empty
  std::vector<std::array<std::uint8_t, 3>> colours;    // of the points
  std::map<std::string, std::filesystem::path> audio;  // by sequence
  std::set<std::string> test;                          // sequences that the source holds back for testing
  std::vector<std::string> notes;
};

struct Layout {
  const char* name;
  bool (*fits)(const std::filesystem::path& folder);
  void (*read)(const std::filesystem::path& folder, Source& source);  // appends
};
const std::vector<Layout>& layouts();

// layouts.cpp, transforms.cpp, colmap.cpp
bool is_video_transforms(const std::filesystem::path& folder);
void read_video_transforms(const std::filesystem::path& folder, Source& source);
bool is_still_transforms(const std::filesystem::path& folder);
void read_still_transforms(const std::filesystem::path& folder, Source& source);
bool is_colmap(const std::filesystem::path& folder);
void read_colmap(const std::filesystem::path& folder, Source& source);

// "cam 7/x" to "cam_7_x": letters, digits and ._+- stay, and it does not start with a dot. Throws kBadFile for an empty
// name.
std::string folder_name(const std::string& name, const std::string& where);

// Sets focal lengths and principal point; throws kBadFile unless they are finite and possible.
void check_lens(const Camera& lens, const std::string& where);

// The nearest rotation to the matrix' upper left (by singular values), which must be within 0.01 of it; the last row
// becomes 0 0 0 1. Throws kBadFile for scaled, mirrored or non-finite matrices.
Mat4d nearest_rigid(const Mat4d& matrix, const std::string& where);

constexpr std::size_t kMostPictures = 2'000'000;
constexpr int kLargestSide = 16384;  // pixels

}  // namespace mien::import
