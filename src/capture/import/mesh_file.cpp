#include "capture/import/mesh_file.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <string_view>

#include "mien/base/error.h"
#include "mien/base/file.h"

namespace fs = std::filesystem;

namespace mien::import {
namespace {

constexpr std::size_t kMostVertices = 5'000'000;
constexpr std::int64_t kMostCorners = 64;

[[noreturn]] void damaged(const fs::path& path, const std::string& what) {
  throw Error(ErrorCode::kBadFile, fmt::format("{}: {}", path.string(), what), "export the mesh again");
}

std::string_view next_word(std::string_view& line) {
  const std::size_t begin = std::min(line.find_first_not_of(" \t\r"), line.size());
  const std::size_t end = std::min(line.find_first_of(" \t\r", begin), line.size());
  const std::string_view word = line.substr(begin, end - begin);
  line.remove_prefix(end);
  return word;
}

std::string_view next_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

template <typename T>
bool parse(std::string_view word, T& value) {
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  return error == std::errc() && end == word.data() + word.size();
}

void add_polygon(const fs::path& path, const std::vector<std::int64_t>& corners, TriangleMesh& mesh) {
  for (const std::int64_t corner : corners) {
    if (corner < 0 || corner >= mesh.vertex_count()) {
      damaged(path, fmt::format("face {} names vertex {} of {}", mesh.face_count(), corner, mesh.vertex_count()));
    }
  }
  for (std::size_t i = 2; i < corners.size(); ++i) {
    mesh.faces.emplace_back(static_cast<int>(corners[0]), static_cast<int>(corners[i - 1]),
                            static_cast<int>(corners[i]));
  }
}

void check_vertices(const fs::path& path, const TriangleMesh& mesh) {
  for (std::size_t i = 0; i < mesh.positions.size(); ++i) {
    if (!mesh.positions[i].allFinite()) damaged(path, fmt::format("vertex {} is not finite", i));
  }
}

MeshFile read_obj(const fs::path& path) {
  const std::string content = read_text(path);
  std::string_view text = content;
  MeshFile out;
  for (std::size_t number = 1; !text.empty(); ++number) {
    std::string_view line = next_line(text);
    const std::string_view kind = next_word(line);
    if (kind == "v") {
      Vec3 p;
      for (int i = 0; i < 3; ++i) {
        if (!parse(next_word(line), p[i])) damaged(path, fmt::format("line {} is no vertex", number));
      }
      out.mesh.positions.push_back(p);
      if (out.mesh.positions.size() > kMostVertices) damaged(path, "too many vertices");
    } else if (kind == "f") {
      std::vector<std::int64_t> corners;
      for (std::string_view word = next_word(line); !word.empty(); word = next_word(line)) {
        std::int64_t corner = 0;
        if (!parse(word.substr(0, word.find('/')), corner) || corners.size() == kMostCorners) {
          damaged(path, fmt::format("line {} is no face", number));
        }
        corners.push_back(corner < 0 ? out.mesh.vertex_count() + corner : corner - 1);
      }
      add_polygon(path, corners, out.mesh);
    }
  }
  check_vertices(path, out.mesh);
  return out;
}

struct PlyProperty {
  std::string name, type, count_type;  // count_type: of lists
};
struct PlyElement {
  std::string name;
  std::size_t count = 0;
  std::vector<PlyProperty> properties;
};

// Values of a PLY body one after the other, as doubles.
class PlyBody {
 public:
  PlyBody(const fs::path& path, std::string_view data, bool ascii) : path_(path), data_(data), ascii_(ascii) {}
  double next(std::string_view type) {
    if (ascii_) {
      while (!data_.empty() && (data_[0] == '\n' || data_[0] == ' ' || data_[0] == '\r' || data_[0] == '\t')) {
        data_.remove_prefix(1);
      }
      const std::size_t end = std::min(data_.find_first_of(" \t\r\n"), data_.size());
      double value = 0;
      if (!parse(data_.substr(0, end), value)) damaged(path_, "ends early, or holds something other than numbers");
      data_.remove_prefix(end);
      return value;
    }
    if (type == "float" || type == "float32") return take<float>();
    if (type == "double" || type == "float64") return take<double>();
    if (type == "uchar" || type == "uint8") return take<std::uint8_t>();
    if (type == "char" || type == "int8") return take<std::int8_t>();
    if (type == "ushort" || type == "uint16") return take<std::uint16_t>();
    if (type == "short" || type == "int16") return take<std::int16_t>();
    if (type == "uint" || type == "uint32") return take<std::uint32_t>();
    if (type == "int" || type == "int32") return take<std::int32_t>();
    damaged(path_, fmt::format("property type \"{}\"", type));
  }
  std::size_t left() const { return data_.size(); }

 private:
  template <typename T>
  double take() {
    if (data_.size() < sizeof(T)) damaged(path_, "ends early");
    T value;
    std::memcpy(&value, data_.data(), sizeof(T));
    data_.remove_prefix(sizeof(T));
    return static_cast<double>(value);
  }
  const fs::path& path_;
  std::string_view data_;
  bool ascii_;
};

void read_vertices(const fs::path& path, const PlyElement& element, PlyBody& body, MeshFile& out) {
  const char* wanted[] = {"x", "y", "z", "red", "green", "blue"};
  double values[6] = {};
  int colours = 0;
  for (const PlyProperty& p : element.properties) colours += p.name == "red" || p.name == "green" || p.name == "blue";
  for (std::size_t i = 0; i < element.count; ++i) {
    for (const PlyProperty& p : element.properties) {
      if (!p.count_type.empty()) damaged(path, "lists of vertices are not understood");
      const double value = body.next(p.type);
      for (int k = 0; k < 6; ++k) {
        if (p.name == wanted[k]) values[k] = value;
      }
    }
    out.mesh.positions.emplace_back(static_cast<float>(values[0]), static_cast<float>(values[1]),
                                    static_cast<float>(values[2]));
    if (colours == 3) {
      const auto byte = [](double v) { return static_cast<std::uint8_t>(std::clamp(v, 0.0, 255.0)); };
      out.colours.push_back({byte(values[3]), byte(values[4]), byte(values[5])});
    }
  }
}

void read_faces(const fs::path& path, const PlyElement& element, PlyBody& body, MeshFile& out) {
  for (std::size_t i = 0; i < element.count; ++i) {
    for (const PlyProperty& p : element.properties) {
      if (p.count_type.empty()) {
        body.next(p.type);
        continue;
      }
      const double count = body.next(p.count_type);
      if (!(count >= 0 && count <= kMostCorners)) damaged(path, fmt::format("face {} has {} corners", i, count));
      std::vector<std::int64_t> corners(static_cast<std::size_t>(count));
      for (std::int64_t& corner : corners) corner = static_cast<std::int64_t>(body.next(p.type));
      if (p.name == "vertex_indices" || p.name == "vertex_index") add_polygon(path, corners, out.mesh);
    }
  }
}

MeshFile read_ply_mesh(const fs::path& path) {
  const std::string content = read_text(path, std::size_t{2} << 30);
  std::string_view text = content;
  if (!next_line(text).starts_with("ply")) damaged(path, "is no PLY file");
  std::vector<PlyElement> elements;
  bool ascii = false, done = false;
  for (int lines = 0; !text.empty() && !done && lines < 1000; ++lines) {
    std::string_view line = next_line(text);
    const std::string_view kind = next_word(line);
    if (kind == "format") {
      const std::string_view format = next_word(line);
      ascii = format == "ascii";
      if (!ascii && format != "binary_little_endian") damaged(path, fmt::format("format {}", format));
    } else if (kind == "element") {
      PlyElement element;
      element.name = next_word(line);
      if (!parse(next_word(line), element.count)) damaged(path, "an element without a count");
      elements.push_back(element);
    } else if (kind == "property") {
      if (elements.empty()) damaged(path, "a property before the first element");
      PlyProperty property;
      property.type = next_word(line);
      if (property.type == "list") {
        property.count_type = next_word(line);
        property.type = next_word(line);
      }
      property.name = next_word(line);
      elements.back().properties.push_back(property);
    }
    done = kind == "end_header";
  }
  if (!done) damaged(path, "its header does not end");
  PlyBody body(path, text, ascii);
  MeshFile out;
  for (const PlyElement& element : elements) {
    // Every record takes at least a byte, or two as text.
    if (element.count > body.left() || element.properties.empty()) {
      damaged(path, fmt::format("claims {} of \"{}\", more than it can hold", element.count, element.name));
    }
    if (element.name == "vertex") {
      if (element.count > kMostVertices) damaged(path, "too many vertices");
      read_vertices(path, element, body, out);
    } else if (element.name == "face") {
      read_faces(path, element, body, out);
    } else {
      break;  // edges, materials: nothing that we need comes after
    }
  }
  check_vertices(path, out.mesh);
  return out;
}

}  // namespace

MeshFile read_mesh_file(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  if (extension == ".obj") return read_obj(path);
  if (extension == ".ply") return read_ply_mesh(path);
  throw Error(ErrorCode::kUnsupported, path.string() + ": mesh format \"" + extension + "\"", "give OBJ or PLY");
}

}  // namespace mien::import
