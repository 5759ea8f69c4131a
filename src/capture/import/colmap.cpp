// COLMAP's sparse models, text and binary (colmap.github.io/format.html): cameras, images, and points3D if there.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <sstream>

#include "capture/import/layout.h"
#include "mien/base/error.h"
#include "mien/base/file.h"

namespace fs = std::filesystem;

namespace mien::import {
namespace {

[[noreturn]] void damaged(const std::string& where, const std::string& what) {
  throw Error(ErrorCode::kBadFile, where + ": " + what, "export the model again with COLMAP");
}

struct CameraModel {
  const char* name;
  std::size_t parameters;
};
// By COLMAP's number.
constexpr CameraModel kModels[] = {{"SIMPLE_PINHOLE", 3},
                                   {"PINHOLE", 4},
                                   {"SIMPLE_RADIAL", 4},
                                   {"RADIAL", 5},
                                   {"OPENCV", 8},
                                   {"OPENCV_FISHEYE", 8},
                                   {"FULL_OPENCV", 12},
                                   {"FOV", 5},
                                   {"SIMPLE_RADIAL_FISHEYE", 4},
                                   {"RADIAL_FISHEYE", 5},
                                   {"THIN_PRISM_FISHEYE", 12}};

Camera make_lens(const std::string& model, std::uint64_t width, std::uint64_t height, const std::vector<double>& p,
                 const std::string& where) {
  Camera lens;
  if (width == 0 || height == 0 || width > kLargestSide || height > kLargestSide) {
    damaged(where, fmt::format("a size of {}x{} pixels", width, height));
  }
  lens.width = static_cast<int>(width);
  lens.height = static_cast<int>(height);
  const bool one_focal = model.starts_with("SIMPLE_") || model == "RADIAL";
  const bool known = model == "SIMPLE_PINHOLE" || model == "PINHOLE" || model == "SIMPLE_RADIAL" || model == "RADIAL" ||
                     model == "OPENCV" || model == "FULL_OPENCV";
  const bool rational = model == "FULL_OPENCV" && p.size() == 12 && (p[9] != 0 || p[10] != 0 || p[11] != 0);
  if (!known || rational) {
    throw Error(ErrorCode::kUnsupported, fmt::format("{}: camera model {}", where, model),
                "straighten the pictures first with COLMAP's image_undistorter");
  }
  for (const CameraModel& m : kModels) {
    if (model == m.name && p.size() != m.parameters) {
      damaged(where, fmt::format("{} has {} parameters, not {}", model, m.parameters, p.size()));
    }
  }
  const auto at = [&](std::size_t i) { return static_cast<float>(p[i]); };
  lens.fx = at(0);
  lens.fy = one_focal ? at(0) : at(1);
  lens.cx = one_focal ? at(1) : at(2);
  lens.cy = one_focal ? at(2) : at(3);
  if (model == "SIMPLE_RADIAL") lens.distortion = {at(3), 0, 0, 0, 0};
  if (model == "RADIAL") lens.distortion = {at(3), at(4), 0, 0, 0};
  if (model == "OPENCV") lens.distortion = {at(4), at(5), at(6), at(7), 0};
  if (model == "FULL_OPENCV") lens.distortion = {at(4), at(5), at(6), at(7), at(8)};
  check_lens(lens, where);
  return lens;
}

struct Image {
  double rotation[4];  // w x y z, world to camera
  double translation[3];
  std::int64_t camera;
  std::string name;
};

Mat4d pose_of(const Image& image, const std::string& where) {
  const Eigen::Quaterniond q(image.rotation[0], image.rotation[1], image.rotation[2], image.rotation[3]);
  if (!(std::abs(q.norm() - 1) < 0.01)) damaged(where, fmt::format("a quaternion of length {}", q.norm()));
  Mat4d out = Mat4d::Identity();
  out.topLeftCorner<3, 3>() = q.normalized().toRotationMatrix();
  for (int i = 0; i < 3; ++i) out(i, 3) = image.translation[i];
  return nearest_rigid(out, where);
}

// What both flavours are read into.
struct Model {
  std::map<std::int64_t, Camera> cameras;
  std::vector<Image> images;
  std::vector<Vec3> points;
  std::vector<std::array<std::uint8_t, 3>> colours;
  void add_point(const double at[3], int red, int green, int blue, const std::string& where) {
    const Vec3 p(static_cast<float>(at[0]), static_cast<float>(at[1]), static_cast<float>(at[2]));
    if (!p.allFinite()) damaged(where, fmt::format("point {} is not finite", points.size()));
    points.push_back(p);
    colours.push_back(
        {static_cast<std::uint8_t>(red), static_cast<std::uint8_t>(green), static_cast<std::uint8_t>(blue)});
  }
};

// Little-endian values from a file in memory, never past its end.
class Bytes {
 public:
  explicit Bytes(const fs::path& path) : where_(path.string()), data_(read_file(path)) {}
  template <typename T>
  T next() {
    if (data_.size() - at_ < sizeof(T)) damaged(where_, "ends early");
    T value;
    std::memcpy(&value, &data_[at_], sizeof(T));
    at_ += sizeof(T);
    return value;
  }
  void skip(std::uint64_t count, std::uint64_t size) {
    if (count > (data_.size() - at_) / size) damaged(where_, "ends early");
    at_ += count * size;
  }
  // A number of records, each at least `least` bytes, that the rest of the file can hold.
  std::uint64_t count(std::uint64_t least) {
    const auto n = next<std::uint64_t>();
    if (n > (data_.size() - at_) / least) damaged(where_, fmt::format("claims {} records, more than it can hold", n));
    return n;
  }
  std::string text() {
    const auto begin = data_.begin() + static_cast<std::ptrdiff_t>(at_);
    const auto end = std::find(begin, data_.end(), std::uint8_t{0});
    if (end == data_.end()) damaged(where_, "ends early");
    at_ = static_cast<std::size_t>(end - data_.begin()) + 1;
    return {begin, end};
  }
  const std::string& where() const { return where_; }

 private:
  std::string where_;
  std::vector<std::uint8_t> data_;
  std::size_t at_ = 0;
};

Model read_binary(const fs::path& folder) {
  Model model;
  Bytes cameras(folder / "cameras.bin");
  for (std::uint64_t i = 0, n = cameras.count(24); i < n; ++i) {
    const auto id = cameras.next<std::int32_t>();
    const auto kind = cameras.next<std::int32_t>();
    const auto width = cameras.next<std::uint64_t>(), height = cameras.next<std::uint64_t>();
    const std::string where = fmt::format("{}, camera {}", cameras.where(), id);
    if (kind < 0 || kind >= static_cast<int>(std::size(kModels))) damaged(where, fmt::format("camera model {}", kind));
    std::vector<double> parameters(kModels[kind].parameters);
    for (double& value : parameters) value = cameras.next<double>();
    model.cameras[id] = make_lens(kModels[kind].name, width, height, parameters, where);
  }
  Bytes images(folder / "images.bin");
  for (std::uint64_t i = 0, n = images.count(73); i < n; ++i) {
    Image image;
    images.next<std::int32_t>();
    for (double& value : image.rotation) value = images.next<double>();
    for (double& value : image.translation) value = images.next<double>();
    image.camera = images.next<std::int32_t>();
    image.name = images.text();
    images.skip(images.next<std::uint64_t>(), 24);
    model.images.push_back(std::move(image));
  }
  if (!fs::is_regular_file(folder / "points3D.bin")) return model;
  Bytes points(folder / "points3D.bin");
  for (std::uint64_t i = 0, n = points.count(51); i < n; ++i) {
    points.next<std::uint64_t>();
    double at[3];
    for (double& value : at) value = points.next<double>();
    const auto red = points.next<std::uint8_t>(), green = points.next<std::uint8_t>(),
               blue = points.next<std::uint8_t>();
    points.next<double>();
    points.skip(points.next<std::uint64_t>(), 8);
    model.add_point(at, red, green, blue, points.where());
  }
  return model;
}

// Calls body(line, number) for each line that is no comment; empty lines too.
template <typename Body>
void for_each_line(const fs::path& path, const Body& body) {
  std::istringstream in(read_text(path, std::size_t{4} << 30));
  std::size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.starts_with('#')) continue;
    body(line, fmt::format("{}, line {}", path.string(), number));
  }
}

Model read_plain(const fs::path& folder) {
  Model model;
  for_each_line(folder / "cameras.txt", [&](const std::string& line, const std::string& where) {
    if (line.empty()) return;
    std::istringstream in(line);
    std::int64_t id = 0;
    std::string name;
    std::uint64_t width = 0, height = 0;
    if (!(in >> id >> name >> width >> height)) damaged(where, "is no camera");
    std::vector<double> parameters;
    for (double value = 0; parameters.size() < 13 && in >> value;) parameters.push_back(value);
    model.cameras[id] = make_lens(name, width, height, parameters, where);
  });
  bool points_line = false;  // every second line lists an image's points, and may be empty
  for_each_line(folder / "images.txt", [&](const std::string& line, const std::string& where) {
    if (points_line) {
      points_line = false;
      return;
    }
    if (line.empty()) return;
    std::istringstream in(line);
    Image image;
    std::int64_t id = 0;
    in >> id;
    for (double& value : image.rotation) in >> value;
    for (double& value : image.translation) in >> value;
    in >> image.camera;
    if (!in || !std::getline(in >> std::ws, image.name)) damaged(where, "is no image");
    model.images.push_back(std::move(image));
    points_line = true;
  });
  if (!fs::is_regular_file(folder / "points3D.txt")) return model;
  for_each_line(folder / "points3D.txt", [&](const std::string& line, const std::string& where) {
    if (line.empty()) return;
    std::istringstream in(line);
    std::int64_t id = 0;
    double at[3];
    int rgb[3];
    if (!(in >> id >> at[0] >> at[1] >> at[2] >> rgb[0] >> rgb[1] >> rgb[2])) damaged(where, "is no point");
    model.add_point(at, rgb[0], rgb[1], rgb[2], where);
  });
  return model;
}

// Where the model lies: in the folder itself or, as COLMAP's and 3DGS's tools have it, below.
fs::path model_folder(const fs::path& folder) {
  for (const char* below : {"sparse/0", "sparse", "colmap/sparse/0", "."}) {
    for (const char* name : {"cameras.bin", "cameras.txt"}) {
      if (fs::is_regular_file(folder / below / name)) return folder / below;
    }
  }
  return {};
}

}  // namespace

bool is_colmap(const fs::path& folder) {
  return !model_folder(folder).empty();
}

void read_colmap(const fs::path& folder, Source& source) {
  source.still = true;
  const fs::path below = model_folder(folder);
  if (below.empty()) {
    throw Error(ErrorCode::kNotFound, folder.string() + ": no COLMAP model (cameras.bin or cameras.txt)",
                "name the folder that holds sparse/ and images/");
  }
  Model model = fs::is_regular_file(below / "cameras.bin") ? read_binary(below) : read_plain(below);
  const fs::path pictures = fs::is_directory(folder / "images") ? folder / "images" : folder;
  for (const Image& image : model.images) {
    const std::string where = fmt::format("{}, image \"{}\"", below.string(), image.name.substr(0, 200));
    const auto camera = model.cameras.find(image.camera);
    if (camera == model.cameras.end()) damaged(where, fmt::format("there is no camera {}", image.camera));
    Picture p;
    p.image = path_inside(pictures, image.name, where);
    p.camera = folder_name(fs::path(image.name).stem().string(), where);
    p.lens = camera->second;
    p.world_to_camera = pose_of(image, where);
    // COLMAP appends .png to the picture's name; others replace the ending.
    for (const fs::path& mask : {folder / "masks" / (image.name + ".png"),
                                 folder / "masks" / fs::path(image.name).replace_extension(".png")}) {
      if (p.mask.empty() && fs::is_regular_file(mask)) p.mask = mask;
    }
    source.pictures.push_back(std::move(p));
  }
  source.points = std::move(model.points);
  source.colours = std::move(model.colours);
  source.person = fs::weakly_canonical(folder).filename().string();
}

}  // namespace mien::import
