#include "mien/splat/ply.h"

#include <charconv>
#include <cmath>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "mien/base/error.h"
#include "mien/base/file.h"

namespace mien {
namespace {

constexpr std::size_t kMaxHeader = 64 << 10;
constexpr int kSh = 3 * kShCoefficients;  // values a Gaussian
constexpr int kRest = kSh - 3;

// Where a value of a Gaussian goes: its name in the file, the array, the place in the array's row.
struct Property {
  std::string name;
  std::vector<float> Gaussians::*array;
  int width, place;
};

// In the order in which files are written; normals apart, which are not kept.
std::vector<Property> properties(int rest) {
  std::vector<Property> out;
  out.reserve(14 + rest);
  const char* axes[] = {"x", "y", "z"};
  for (int a = 0; a < 3; ++a) out.push_back({axes[a], &Gaussians::means, 3, a});
  for (int c = 0; c < 3; ++c) out.push_back({fmt::format("f_dc_{}", c), &Gaussians::sh, kSh, c});
  const int each = rest / 3;
  for (int i = 0; i < rest; ++i)
    out.push_back({fmt::format("f_rest_{}", i), &Gaussians::sh, kSh, 3 * (1 + i % each) + i / each});
  out.push_back({"opacity", &Gaussians::opacity_logits, 1, 0});
  for (int a = 0; a < 3; ++a) out.push_back({fmt::format("scale_{}", a), &Gaussians::log_scales, 3, a});
  for (int a = 0; a < 4; ++a) out.push_back({fmt::format("rot_{}", a), &Gaussians::quats, 4, a});
  return out;
}

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& why) {
  throw Error(ErrorCode::kBadFile, fmt::format("{}: {}", path.string(), why),
              "give a binary little-endian PLY of Gaussians as 3DGS tools write it");
}

std::size_t type_size(std::string_view type) {
  if (type == "char" || type == "uchar" || type == "int8" || type == "uint8") return 1;
  if (type == "short" || type == "ushort" || type == "int16" || type == "uint16") return 2;
  if (type == "int" || type == "uint" || type == "float" || type == "int32" || type == "uint32" || type == "float32")
    return 4;
  return type == "double" || type == "float64" ? 8 : 0;
}

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> out;
  while (!line.empty()) {
    const std::size_t start = line.find_first_not_of(" \t\r");
    if (start == std::string_view::npos) break;
    line.remove_prefix(start);
    const std::size_t end = std::min(line.find_first_of(" \t\r"), line.size());
    out.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
  return out;
}

struct Field {
  std::string_view name;
  std::size_t offset;
  bool is_float;
};
struct Header {
  std::size_t data = 0;   // offset of the first row
  std::size_t count = 0;  // rows
  std::size_t row = 0;    // bytes
  std::vector<Field> fields;
};

Header parse_header(const std::filesystem::path& path, std::string_view text) {
  Header header;
  std::size_t at = 0;
  bool vertex = false, format = false;
  for (int number = 1;; ++number) {
    const std::size_t end = text.find('\n', at);
    if (end == std::string_view::npos) fail(path, "the header has no end");
    const auto words = words_of(text.substr(at, end - at));
    at = end + 1;
    if (number == 1) {
      if (words.size() != 1 || words[0] != "ply") fail(path, "not a PLY file");
    } else if (words.empty() || words[0] == "comment" || words[0] == "obj_info") {
      continue;
    } else if (words[0] == "end_header") {
      break;
    } else if (words[0] == "format" && words.size() == 3) {
      if (words[1] != "binary_little_endian") fail(path, "is " + std::string(words[1]));
      format = true;
    } else if (words[0] == "element" && words.size() == 3) {
      if (vertex) fail(path, "has the element " + std::string(words[1]) + " beside vertex");
      if (words[1] != "vertex") fail(path, "its first element is " + std::string(words[1]));
      const auto [last, error] = std::from_chars(words[2].begin(), words[2].end(), header.count);
      if (error != std::errc() || last != words[2].end()) fail(path, "bad number of vertices");
      vertex = true;
    } else if (words[0] == "property" && words.size() == 3 && vertex) {
      const std::size_t size = type_size(words[1]);
      if (size == 0) fail(path, "property of unknown type " + std::string(words[1]));
      header.fields.push_back({words[2], header.row, words[1] == "float" || words[1] == "float32"});
      header.row += size;
    } else {
      fail(path, fmt::format("line {} of the header is not understood", number));
    }
  }
  if (!format || !vertex || header.row == 0) fail(path, "the header lacks format, vertices or properties");
  header.data = at;
  return header;
}

const Field* find_field(const Header& header, std::string_view name) {
  for (const Field& field : header.fields)
    if (field.name == name) return &field;
  return nullptr;
}

Gaussians sized(std::size_t n) {
  Gaussians g;
  g.means.resize(3 * n);
  g.quats.resize(4 * n);
  g.log_scales.resize(3 * n);
  g.opacity_logits.resize(n);
  g.sh.resize(kSh * n);
  return g;
}

}  // namespace

void write_ply(const std::filesystem::path& path, const Gaussians& gaussians) {
  const std::size_t n = gaussians.opacity_logits.size();
  if (gaussians.means.size() != 3 * n || gaussians.quats.size() != 4 * n || gaussians.log_scales.size() != 3 * n ||
      gaussians.sh.size() != kSh * n)
    throw Error(ErrorCode::kBadArgument, fmt::format("{}: arrays of unequal numbers of Gaussians", path.string()),
                "give all five arrays for the same N");
  const auto list = properties(kRest);
  std::string header = fmt::format("ply\nformat binary_little_endian 1.0\nelement vertex {}\n", n);
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (i == 3) header += "property float nx\nproperty float ny\nproperty float nz\n";
    header += "property float " + list[i].name + "\n";
  }
  header += "end_header\n";
  std::vector<float> rows;
  rows.reserve(n * (list.size() + 3));
  for (std::size_t r = 0; r < n; ++r)
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (i == 3) rows.insert(rows.end(), 3, 0.0f);
      rows.push_back((gaussians.*list[i].array)[r * list[i].width + list[i].place]);
    }
  AtomicFile file(path);
  file.write(header);
  file.write(rows.data(), rows.size() * sizeof(float));
  file.commit();
}

Gaussians read_ply(const std::filesystem::path& path) {
  const std::vector<std::uint8_t> bytes = read_file(path);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), std::min(bytes.size(), kMaxHeader));
  const Header header = parse_header(path, text);
  if (header.count > (bytes.size() - header.data) / header.row)
    fail(path, fmt::format("states {} Gaussians of {} bytes, but holds {} bytes", header.count, header.row,
                           bytes.size() - header.data));
  int rest = 0;
  while (rest <= kRest && find_field(header, fmt::format("f_rest_{}", rest)) != nullptr) ++rest;
  if (rest != 0 && rest != 9 && rest != 24 && rest != kRest)
    fail(path, fmt::format("has {} f_rest properties, which is no SH degree up to 3", rest));
  Gaussians out = sized(header.count);
  for (const Property& property : properties(rest)) {
    const Field* field = find_field(header, property.name);
    if (field == nullptr || !field->is_float) fail(path, "lacks the float property " + property.name);
    std::vector<float>& array = out.*property.array;
    for (std::size_t r = 0; r < header.count; ++r) {
      float value;
      std::memcpy(&value, bytes.data() + header.data + r * header.row + field->offset, sizeof value);
      if (!std::isfinite(value)) fail(path, fmt::format("{} of Gaussian {} is not finite", property.name, r));
      array[r * property.width + property.place] = value;
    }
  }
  return out;
}

}  // namespace mien
