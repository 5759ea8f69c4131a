#include "mien/head/head_assets.h"

#include <algorithm>
#include <cmath>

#include "head/pose_math.h"
#include "mien/base/error.h"
#include "mien/base/json.h"
#include "mien/base/safetensors.h"

namespace mien {
namespace {

constexpr std::array<const char*, 6> kKindNames = {"hair", "beard", "moustache", "brows", "lashes", "clothes"};
constexpr std::size_t kMaxItems = 1000;

[[noreturn]] void damaged(const SafetensorsFile& file, const std::string& what) {
  throw Error(ErrorCode::kBadFile, fmt::format("{}: damaged head wardrobe: {}", file.path().string(), what),
              "make it again with scripts/setup, or copy it again");
}

void save_texture(SafetensorsWriter& writer, const std::string& key, const HeadTexture& texture) {
  writer.add(key + ".colour", texture.colour);
  if (!texture.alpha.empty()) writer.add(key + ".alpha", texture.alpha);
}

HeadTexture load_texture(const SafetensorsFile& file, const std::string& key, const std::string& name) {
  HeadTexture texture;
  texture.name = name;
  texture.colour = file.bytes(key + ".colour");
  if (file.contains(key + ".alpha")) texture.alpha = file.bytes(key + ".alpha");
  return texture;
}

std::vector<float> finite(const SafetensorsFile& file, const std::string& name, std::vector<std::int64_t> shape) {
  std::vector<float> values = file.floats(name, std::move(shape));
  for (const float value : values) {
    if (!std::isfinite(value) || std::abs(value) > 100) damaged(file, fmt::format("{} holds {}", name, value));
  }
  return values;
}

std::vector<Index3> triples(const SafetensorsFile& file, const std::string& name, std::int64_t count,
                            std::size_t limit) {
  const std::vector<std::int32_t> values = file.ints(name, {count, 3});
  std::vector<Index3> out;
  for (std::size_t i = 0; i < values.size(); i += 3) out.emplace_back(values[i], values[i + 1], values[i + 2]);
  for (const std::int32_t value : values) {
    if (value < 0 || static_cast<std::size_t>(value) >= limit)
      damaged(file, fmt::format("{} holds {}, limit {}", name, value, limit));
  }
  return out;
}

void save_style(SafetensorsWriter& writer, const std::string& key, const HeadStyle& style) {
  std::vector<std::int32_t> vertices, faces, face_uv;
  std::vector<float> weights, offsets, shares, uv;
  for (const StyleBinding& b : style.binding) {
    vertices.insert(vertices.end(), b.vertices.data(), b.vertices.data() + 3);
    weights.insert(weights.end(), b.weights.data(), b.weights.data() + 3);
    offsets.insert(offsets.end(), b.offset.data(), b.offset.data() + 3);
    shares.insert(shares.end(), b.skin_weights.begin(), b.skin_weights.end());
  }
  for (const Index3& f : style.faces) faces.insert(faces.end(), f.data(), f.data() + 3);
  for (const Index3& f : style.face_uv) face_uv.insert(face_uv.end(), f.data(), f.data() + 3);
  for (const Vec2& p : style.uv) uv.insert(uv.end(), p.data(), p.data() + 2);
  const auto s = static_cast<std::int64_t>(style.binding.size());
  const auto f = static_cast<std::int64_t>(style.faces.size());
  writer.add(key + ".vertices", {s, 3}, vertices);
  writer.add(key + ".weights", {s, 3}, weights);
  writer.add(key + ".offsets", {s, 3}, offsets);
  writer.add_half(key + ".skin_weights", {s, 2}, shares);
  writer.add(key + ".faces", {f, 3}, faces);
  writer.add(key + ".face_uv", {f, 3}, face_uv);
  writer.add_half(key + ".uv", {static_cast<std::int64_t>(style.uv.size()), 2}, uv);
  writer.add(key + ".hidden_faces", {static_cast<std::int64_t>(style.hidden_faces.size())},
             std::span<const std::int32_t>(style.hidden_faces));
  save_texture(writer, key, style.texture);
}

HeadStyle load_style(const SafetensorsFile& file, const std::string& key, const HeadModel& model) {
  HeadStyle style;
  const auto head_vertices = static_cast<std::size_t>(model.vertex_count());
  const std::vector<Index3> vertices = triples(file, key + ".vertices", -1, head_vertices);
  const auto s = static_cast<std::int64_t>(vertices.size());
  const std::vector<float> weights = finite(file, key + ".weights", {s, 3});
  const std::vector<float> offsets = finite(file, key + ".offsets", {s, 3});
  const std::vector<float> shares = finite(file, key + ".skin_weights", {s, 2});
  for (std::size_t i = 0; i < vertices.size(); ++i) {
    style.binding.push_back({vertices[i],
                             Eigen::Map<const Vec3>(weights.data() + 3 * i),
                             Eigen::Map<const Vec3>(offsets.data() + 3 * i),
                             {shares[2 * i], shares[2 * i + 1]}});
  }
  style.faces = triples(file, key + ".faces", -1, vertices.size());
  const std::vector<float> uv = finite(file, key + ".uv", {-1, 2});
  for (std::size_t i = 0; i < uv.size(); i += 2) style.uv.emplace_back(uv[i], uv[i + 1]);
  style.face_uv = triples(file, key + ".face_uv", static_cast<std::int64_t>(style.faces.size()), style.uv.size());
  style.hidden_faces = file.ints(key + ".hidden_faces", {-1});
  for (const int face : style.hidden_faces) {
    if (face < 0 || face >= model.mesh.face_count()) damaged(file, fmt::format("{} hides face {}", key, face));
  }
  return style;
}

template <typename Items>
std::string names_of(const Items& items) {
  std::vector<std::string> names;
  for (const auto& item : items) names.push_back(item.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

const HeadTexture& find_texture(const std::vector<HeadTexture>& textures, const char* what, const std::string& name) {
  const auto found =
      std::find_if(textures.begin(), textures.end(), [&](const HeadTexture& t) { return t.name == name; });
  if (found == textures.end()) {
    throw Error(ErrorCode::kBadArgument, fmt::format("there is no {} \"{}\"", what, name),
                "choose one of " + names_of(textures));
  }
  return *found;
}

}  // namespace

const char* style_kind_name(StyleKind kind) {
  return kKindNames[static_cast<std::size_t>(kind)];
}

const HeadTexture& HeadAssets::skin(const std::string& name) const {
  return find_texture(skins, "skin", name);
}
const HeadTexture& HeadAssets::iris(const std::string& name) const {
  return find_texture(irises, "iris", name);
}

std::vector<std::string> HeadAssets::style_names(StyleKind kind) const {
  std::vector<std::string> names;
  for (const HeadStyle& s : styles) {
    if (s.kind == kind) names.push_back(s.name);
  }
  return names;
}

const HeadStyle& HeadAssets::style(StyleKind kind, const std::string& name) const {
  for (const HeadStyle& s : styles) {
    if (s.kind == kind && s.name == name) return s;
  }
  throw Error(ErrorCode::kBadArgument, fmt::format("there is no {} \"{}\"", style_kind_name(kind), name),
              fmt::format("choose one of {}", fmt::join(style_names(kind), ", ")));
}

void HeadAssets::save(SafetensorsWriter& writer) const {
  Json header = {{"skins", Json::array()}, {"irises", Json::array()}, {"styles", Json::array()}};
  for (const HeadTexture& skin : skins) {
    header["skins"].push_back(skin.name);
    save_texture(writer, "skin." + skin.name, skin);
  }
  for (const HeadTexture& iris : irises) {
    header["irises"].push_back(iris.name);
    save_texture(writer, "iris." + iris.name, iris);
  }
  save_texture(writer, "part.teeth", teeth);
  save_texture(writer, "part.tongue", tongue);
  save_texture(writer, "part.lashes", lashes);
  save_texture(writer, "part.brows", brows);
  for (const HeadStyle& style : styles) {
    header["styles"].push_back({{"kind", style_kind_name(style.kind)}, {"name", style.name}});
    save_style(writer, fmt::format("style.{}.{}", style_kind_name(style.kind), style.name), style);
  }
  writer.metadata("head_assets", header.dump());
}

HeadAssets HeadAssets::load(const SafetensorsFile& file, const HeadModel& model) {
  const auto found = file.metadata().find("head_assets");
  if (found == file.metadata().end()) damaged(file, "no \"head_assets\" in its metadata");
  const Json header = Json::parse(found->second, nullptr, false);
  if (!header.is_object()) damaged(file, "its head_assets metadata is not a JSON object");
  const std::string where = file.path().string();
  HeadAssets assets;
  const auto skins = get_field<std::vector<std::string>>(header, "skins", where);
  const auto irises = get_field<std::vector<std::string>>(header, "irises", where);
  const auto styles = get_field<std::vector<Json>>(header, "styles", where);
  if (skins.size() > kMaxItems || irises.size() > kMaxItems || styles.size() > kMaxItems)
    damaged(file, "too many items");
  for (const std::string& name : skins) assets.skins.push_back(load_texture(file, "skin." + name, name));
  for (const std::string& name : irises) assets.irises.push_back(load_texture(file, "iris." + name, name));
  assets.teeth = load_texture(file, "part.teeth", "teeth");
  assets.tongue = load_texture(file, "part.tongue", "tongue");
  assets.lashes = load_texture(file, "part.lashes", "lashes");
  assets.brows = load_texture(file, "part.brows", "brows");
  for (const Json& entry : styles) {
    const auto kind = get_field<std::string>(entry, "kind", where);
    const auto name = get_field<std::string>(entry, "name", where);
    const auto* kind_name = std::find(kKindNames.begin(), kKindNames.end(), kind);
    if (kind_name == kKindNames.end()) damaged(file, fmt::format("unknown kind of style \"{}\"", kind));
    const std::string key = fmt::format("style.{}.{}", kind, name);
    HeadStyle style = load_style(file, key, model);
    style.name = name;
    style.kind = static_cast<StyleKind>(kind_name - kKindNames.begin());
    style.texture = load_texture(file, key, name);
    assets.styles.push_back(std::move(style));
  }
  return assets;
}

HeadAssets HeadAssets::load(const std::filesystem::path& path, const HeadModel& model) {
  return load(SafetensorsFile::open(path), model);
}

void evaluate_style(const HeadModel& model, const HeadStyle& style, const std::vector<Vec3>& head_space,
                    const HeadPose& pose, std::vector<Vec3>& out) {
  MIEN_CHECK(head_space.size() == model.mesh.positions.size(), "{} vertices for a head of {}", head_space.size(),
             model.mesh.positions.size());
  const Poser poser(model, pose);
  out.resize(style.binding.size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    const StyleBinding& b = style.binding[i];
    Vec3 p = b.offset;
    for (int k = 0; k < 3; ++k) p += b.weights[k] * head_space[b.vertices[k]];
    out[i] = poser(p, b.skin_weights);
  }
}

}  // namespace mien
