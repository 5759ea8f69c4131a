#include "head/makehuman/source.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <set>

#include "mien/base/error.h"
#include "mien/base/json.h"

namespace fs = std::filesystem;

namespace mien::makehuman {
namespace {

constexpr float kMetresPerUnit = 0.1f;   // MakeHuman counts in decimetres
constexpr float kMetresPerStep = 1e-4f;  // targets: 16-bit steps of 1e-3 decimetres
constexpr int kFaceNumbers = 10;         // type, 4 vertices, material, 4 texture coordinates
constexpr int kFaceType = 11;            // quad + material + texture coordinates, the only kind in these files
constexpr const char* kMend = "the package is not complete: fetch it again with scripts/setup";

[[noreturn]] void damaged(const std::string& where, const std::string& what) {
  throw Error(ErrorCode::kBadFile, fmt::format("{}: {}", where, what), kMend);
}

template <typename Vector>
std::vector<Vector> vectors(const Json& numbers, const std::string& where, float scale) {
  constexpr int kSize = Vector::RowsAtCompileTime;
  const auto flat = numbers.get<std::vector<float>>();
  if (flat.size() % kSize != 0) damaged(where, fmt::format("{} numbers do not make vectors of {}", flat.size(), kSize));
  std::vector<Vector> out(flat.size() / kSize);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = scale * Eigen::Map<const Vector>(flat.data() + i * kSize);
  return out;
}

// Quads with the material of each.
std::vector<std::pair<int, Quad>> read_quads(const Json& numbers, const std::string& where, std::size_t vertices,
                                             std::size_t uvs) {
  const auto flat = numbers.get<std::vector<int>>();
  if (flat.size() % kFaceNumbers != 0) damaged(where, "its face list is cut short");
  std::vector<std::pair<int, Quad>> out;
  for (std::size_t i = 0; i < flat.size(); i += kFaceNumbers) {
    const int* f = flat.data() + i;
    if (f[0] != kFaceType) damaged(where, fmt::format("face type {}, wanted {}", f[0], kFaceType));
    Quad quad = {{f[1], f[2], f[3], f[4]}, {f[6], f[7], f[8], f[9]}};
    for (int k = 0; k < 4; ++k) {
      if (quad.vertex[k] < 0 || static_cast<std::size_t>(quad.vertex[k]) >= vertices || quad.uv[k] < 0 ||
          static_cast<std::size_t>(quad.uv[k]) >= uvs) {
        damaged(where,
                fmt::format("face {} names vertex {} and coordinate {}", i / kFaceNumbers, quad.vertex[k], quad.uv[k]));
      }
    }
    out.emplace_back(f[5], quad);
  }
  return out;
}

}  // namespace

Proxy read_proxy(const fs::path& path, int body_vertices) {
  const Json json = read_json(path);
  const std::string where = path.string();
  Proxy proxy;
  try {
    proxy.uv = vectors<Vec2>(json.at("uvs").at(0), where, 1.0f);
    const auto refs = json.at("ref_vIdxs").get<std::vector<std::array<int, 3>>>();
    const auto weights = json.at("weights").get<std::vector<std::array<float, 3>>>();
    const auto offsets = json.at("offsets").get<std::vector<std::array<float, 3>>>();
    if (refs.size() != weights.size() || refs.size() != offsets.size())
      damaged(where, "its fitting lists differ in length");
    for (std::size_t i = 0; i < refs.size(); ++i) {
      for (const int v : refs[i]) {
        if (v < 0 || v >= body_vertices) damaged(where, fmt::format("hangs on vertex {} of {}", v, body_vertices));
      }
      proxy.body.emplace_back(refs[i][0], refs[i][1], refs[i][2]);
      proxy.weights.emplace_back(weights[i][0], weights[i][1], weights[i][2]);
      proxy.offsets.push_back(kMetresPerUnit * Vec3(offsets[i][0], offsets[i][1], offsets[i][2]));
    }
    for (const auto& [material, quad] : read_quads(json.at("faces"), where, refs.size(), proxy.uv.size()))
      proxy.quads.push_back(quad);
  } catch (const Json::exception& error) {
    damaged(where, error.what());
  }
  return proxy;
}

Source::Source(const fs::path& folder) : folder_(folder) {
  read_mesh();
  read_target_list();
}

void Source::read_mesh() {
  const fs::path path = folder_ / "public/data/models/human_full_size.json";
  const Json json = read_json(path);
  const std::string where = path.string();
  try {
    positions_ = vectors<Vec3>(json.at("vertices"), where, kMetresPerUnit);
    uv_ = vectors<Vec2>(json.at("uvs").at(0), where, 1.0f);
    std::vector<std::string> names;
    for (const Json& material : json.at("materials")) names.push_back(material.at("DbgName").get<std::string>());
    for (const auto& [material, quad] : read_quads(json.at("faces"), where, positions_.size(), uv_.size())) {
      if (material < 0 || static_cast<std::size_t>(material) >= names.size())
        damaged(where, fmt::format("material {}", material));
      groups_[names[static_cast<std::size_t>(material)]].push_back(quad);
    }
    for (const Json& bone : json.at("bones")) {
      bones_.push_back(bone.at("name").get<std::string>());
      bone_parents_.push_back(bone.at("parent").get<int>());
      if (bone_parents_.back() >= static_cast<int>(bones_.size()) - 1 && bone_parents_.back() != -1)
        damaged(where, "bones out of order");
    }
    const auto bones = json.at("skinIndices").get<std::vector<int>>();
    const auto weights = json.at("skinWeights").get<std::vector<float>>();
    if (bones.size() != 4 * positions_.size() || weights.size() != bones.size())
      damaged(where, "its skin weights are cut short");
    for (std::size_t i = 0; i < bones.size(); i += 4) {
      for (std::size_t k = 0; k < 4; ++k) {
        if (bones[i + k] < 0 || static_cast<std::size_t>(bones[i + k]) >= bones_.size())
          damaged(where, "a bone that is not there");
      }
      skin_bones_.push_back({bones[i], bones[i + 1], bones[i + 2], bones[i + 3]});
      skin_weights_.push_back({weights[i], weights[i + 1], weights[i + 2], weights[i + 3]});
    }
  } catch (const Json::exception& error) {
    damaged(where, error.what());
  }
}

void Source::read_target_list() {
  const fs::path path = folder_ / "src/json/targets/target-list.json";
  const Json json = read_json(path);
  const std::string prefix = "data/targets/";
  const std::string suffix = ".target";
  std::set<std::string> names;  // rows of the binary file are in the order of the sorted names
  try {
    for (const auto& [name, ignored] : json.at("targets").items()) names.insert(name);
  } catch (const Json::exception& error) {
    damaged(path.string(), error.what());
  }
  std::int64_t row = 0;
  for (const std::string& name : names) {
    if (name.size() > prefix.size() + suffix.size() && name.starts_with(prefix) && name.ends_with(suffix)) {
      target_rows_[name.substr(prefix.size(), name.size() - prefix.size() - suffix.size())] = row;
    }
    ++row;
  }
}

const std::vector<Quad>& Source::group(const std::string& name) const {
  const auto found = groups_.find(name);
  if (found == groups_.end()) damaged(folder_.string(), fmt::format("the base mesh has no group \"{}\"", name));
  return found->second;
}

std::vector<int> Source::group_vertices(const std::string& name) const {
  std::set<int> vertices;
  for (const Quad& quad : group(name)) vertices.insert(quad.vertex.begin(), quad.vertex.end());
  return {vertices.begin(), vertices.end()};
}

std::vector<float> Source::bone_share(const std::vector<std::string>& bones) const {
  std::vector<bool> chosen(bones_.size(), false);
  for (std::size_t b = 0; b < bones_.size(); ++b) {
    // Each bone is listed twice: "jaw____head" is where it begins, "jaw" where it ends.
    const std::string name = bones_[b].substr(0, bones_[b].find("____"));
    chosen[b] = std::find(bones.begin(), bones.end(), name) != bones.end() ||
                (bone_parents_[b] >= 0 && chosen[static_cast<std::size_t>(bone_parents_[b])]);
  }
  std::vector<float> share(positions_.size(), 0.0f);
  for (std::size_t v = 0; v < share.size(); ++v) {
    float all = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      all += skin_weights_[v][k];
      if (chosen[static_cast<std::size_t>(skin_bones_[v][k])]) share[v] += skin_weights_[v][k];
    }
    if (all > 0) share[v] /= all;
  }
  return share;
}

std::vector<Vec3> Source::target(const std::string& name) const {
  const auto found = target_rows_.find(name);
  if (found == target_rows_.end()) damaged(folder_.string(), fmt::format("there is no morph target \"{}\"", name));
  const fs::path path = folder_ / "public/data/targets/targets.bin";
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (!file) throw Error(ErrorCode::kNotFound, fmt::format("{}: cannot open", path.string()), kMend);
  const std::size_t numbers = positions_.size() * 3;
  std::vector<std::int16_t> steps(numbers);  // little-endian, as are all machines Mien runs on
  if (std::fseek(file.get(), static_cast<long>(found->second) * static_cast<long>(numbers) * 2, SEEK_SET) != 0 ||
      std::fread(steps.data(), 2, numbers, file.get()) != numbers) {
    damaged(path.string(), fmt::format("ends before target \"{}\"", name));
  }
  std::vector<Vec3> out(positions_.size());
  for (std::size_t v = 0; v < out.size(); ++v)
    out[v] = kMetresPerStep * Vec3(steps[3 * v], steps[3 * v + 1], steps[3 * v + 2]);
  return out;
}

void add_scaled(std::vector<Vec3>& to, const std::vector<Vec3>& from, float scale) {
  for (std::size_t i = 0; i < to.size(); ++i) to[i] += scale * from[i];
}

}  // namespace mien::makehuman
