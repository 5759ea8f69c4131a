#include "speech/corpus/face_track.h"

#include <algorithm>
#include <map>
#include <sstream>

#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/head/head_model.h"
#include "speech/corpus/npy.h"

namespace mien {
namespace {

constexpr std::size_t kMostText = 1u << 20;

[[noreturn]] void bad_line(const std::filesystem::path& path, int line, const std::string& what,
                           const std::string& mend) {
  throw Error(ErrorCode::kBadFile, fmt::format("{}:{}: {}", path.string(), line, what), mend);
}

// "A name", without blanks and carriage returns around it.
std::string trimmed(const std::string& text) {
  const std::size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

// For messages: a hostile file may hold anything.
std::string shown(const std::string& text) {
  std::string out;
  for (const char c : text.substr(0, 60)) out += c >= ' ' && c < 127 ? c : '?';
  return out;
}

std::map<std::string, int> read_columns(const std::filesystem::path& path) {
  std::istringstream in(read_text(path, kMostText));
  std::map<std::string, int> columns;
  int number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    const std::string name = trimmed(line);
    if (name.empty()) bad_line(path, number, "a column without a name", "give one name a line");
    if (!columns.emplace(name, number - 1).second) {
      bad_line(path, number, fmt::format("column \"{}\" is there twice", shown(name)), "give each its own name");
    }
  }
  return columns;
}

struct Mapping {
  std::string name;
  std::vector<int> columns;
};

std::vector<Mapping> read_map(const std::filesystem::path& path, const std::map<std::string, int>& columns) {
  std::istringstream in(read_text(path, kMostText));
  std::vector<Mapping> map;
  int number = 0;
  for (std::string line; std::getline(in, line);) {
    if (++number == 1 || trimmed(line).empty()) continue;  // the heading
    const std::size_t comma = line.find(',');
    if (comma == std::string::npos) {
      bad_line(path, number, fmt::format("\"{}\" has no comma", shown(line)), "write ARKit name,columns");
    }
    Mapping mapping{trimmed(line.substr(0, comma)), {}};
    if (arkit_index(mapping.name) < 0) {
      bad_line(path, number, fmt::format("\"{}\" is no ARKit name", shown(mapping.name)),
               "use the 52 names, jawOpen and so on");
    }
    if (std::any_of(map.begin(), map.end(), [&](const Mapping& m) { return m.name == mapping.name; })) {
      bad_line(path, number, fmt::format("\"{}\" is there twice", mapping.name), "put its columns into one line");
    }
    std::istringstream names(line.substr(comma + 1));
    for (std::string name; names >> name;) {
      const auto found = columns.find(name);
      if (found == columns.end()) {
        bad_line(path, number, fmt::format("the track has no column \"{}\"", shown(name)),
                 "compare with the file of column names");
      }
      mapping.columns.push_back(found->second);
    }
    if (mapping.columns.empty()) bad_line(path, number, mapping.name + " has no columns", "name at least one");
    map.push_back(std::move(mapping));
  }
  if (map.empty()) bad_line(path, number, "no ARKit weight is mapped", "write lines of ARKit name,columns");
  return map;
}

}  // namespace

FaceTrack read_face_track(const std::filesystem::path& track, const std::filesystem::path& columns,
                          const std::filesystem::path& map) {
  const std::map<std::string, int> names = read_columns(columns);
  const std::vector<Mapping> mappings = read_map(map, names);
  const NpyMatrix matrix = read_npy(track);
  if (matrix.columns != static_cast<std::int64_t>(names.size())) {
    throw Error(
        ErrorCode::kBadFile,
        fmt::format("{}: {} columns, {} names {}", track.string(), matrix.columns, columns.string(), names.size()),
        "give the column names of this track");
  }
  FaceTrack out;
  for (const Mapping& m : mappings) out.names.push_back(m.name);
  out.values.reserve(static_cast<std::size_t>(matrix.rows) * mappings.size());
  for (std::int64_t r = 0; r < matrix.rows; ++r) {
    const float* row = matrix.values.data() + r * matrix.columns;
    for (const Mapping& m : mappings) {
      float most = 0;
      for (const int c : m.columns) most = std::max(most, row[c]);
      out.values.push_back(std::min(most, 1.0f));
    }
  }
  return out;
}

std::vector<std::string> moving_names(const std::vector<FaceTrack>& tracks, float least) {
  std::vector<std::string> moving;
  for (const FaceTrack& track : tracks) {
    const std::size_t width = track.names.size();
    for (std::size_t n = 0; n < width; ++n) {
      float low = 1;
      float high = 0;
      for (std::size_t at = n; at < track.values.size(); at += width) {
        low = std::min(low, track.values[at]);
        high = std::max(high, track.values[at]);
      }
      if (high - low > least && std::find(moving.begin(), moving.end(), track.names[n]) == moving.end()) {
        moving.push_back(track.names[n]);
      }
    }
  }
  return moving;
}

}  // namespace mien
