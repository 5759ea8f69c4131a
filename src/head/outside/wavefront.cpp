#include "head/outside/wavefront.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>

#include "mien/base/error.h"
#include "mien/base/file.h"

namespace mien::outside {
namespace {

constexpr std::size_t kMaxBytes = 64u << 20;
constexpr float kMaxCoordinate = 1e4f;

std::string_view next_word(std::string_view& line) {
  while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
  const std::size_t end = std::min(line.find_first_of(" \t"), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(end);
  return word;
}

class Parser {
 public:
  explicit Parser(const std::filesystem::path& path) : path_(path), text_(read_text(path, kMaxBytes)) {}

  Wavefront parse(bool positions_only) {
    std::string_view rest = text_;
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      std::string_view line = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      ++line_;
      if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
      const std::string_view kind = next_word(line);
      if (kind == "v") {
        const float x = number(line), y = number(line), z = number(line);
        mesh_.positions.emplace_back(x, y, z);
      } else if (positions_only) {
        continue;
      } else if (kind == "vt") {
        const float u = number(line), v = number(line);
        mesh_.uv.emplace_back(u, v);
      } else if (kind == "f") {
        polygon(line);
      } else if (kind == "usemtl") {
        material(std::string(next_word(line)));
      }
    }
    if (mesh_.positions.empty()) fail("no vertices");
    if (mesh_.face_uv.size() != mesh_.faces.size()) mesh_.face_uv.clear();
    for (const Index3& face : mesh_.faces) check(face, mesh_.positions.size(), "vertex");
    for (const Index3& face : mesh_.face_uv) check(face, mesh_.uv.size(), "texture coordinate");
    return std::move(mesh_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorCode::kBadFile, fmt::format("{}: line {}: {}", path_.string(), line_, what),
                "fetch the file again");
  }
  void check(const Index3& face, std::size_t limit, const char* what) const {
    if (face.minCoeff() < 0 || face.maxCoeff() >= static_cast<int>(limit))
      fail(fmt::format("a face names {} {}, there are {}", what, face.maxCoeff() + 1, limit));
  }
  float number(std::string_view& line) const {
    const std::string_view word = next_word(line);
    float value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc() || end != word.data() + word.size() || !(std::abs(value) <= kMaxCoordinate))
      fail(fmt::format("\"{}\" is no coordinate", word.substr(0, 40)));
    return value;
  }
  int index(std::string_view word) const {
    int value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc() || end != word.data() + word.size() || value < 1)
      fail(fmt::format("\"{}\" is no index", word.substr(0, 40)));
    return value - 1;
  }
  void polygon(std::string_view line) {
    std::vector<int> corners, textures;
    for (std::string_view word = next_word(line); !word.empty(); word = next_word(line)) {
      const std::size_t slash = word.find('/');
      corners.push_back(index(word.substr(0, slash)));
      if (slash == std::string_view::npos) continue;
      const std::string_view after = word.substr(slash + 1, word.find('/', slash + 1) - slash - 1);
      if (!after.empty()) textures.push_back(index(after));
    }
    if (corners.size() < 3 || corners.size() > 64) fail(fmt::format("a face of {} corners", corners.size()));
    for (std::size_t k = 1; k + 1 < corners.size(); ++k) {
      mesh_.faces.emplace_back(corners[0], corners[k], corners[k + 1]);
      mesh_.material.push_back(current_);
      if (textures.size() == corners.size()) mesh_.face_uv.emplace_back(textures[0], textures[k], textures[k + 1]);
    }
  }
  void material(const std::string& name) {
    const auto found = std::find(mesh_.materials.begin(), mesh_.materials.end(), name);
    current_ = static_cast<int>(found - mesh_.materials.begin());
    if (found == mesh_.materials.end()) mesh_.materials.push_back(name);
    if (mesh_.materials.size() > 1000) fail("more than 1000 materials");
  }

  const std::filesystem::path& path_;
  std::string text_;
  Wavefront mesh_;
  int line_ = 0, current_ = -1;
};

}  // namespace

Wavefront read_wavefront(const std::filesystem::path& path, bool positions_only) {
  return Parser(path).parse(positions_only);
}

}  // namespace mien::outside
