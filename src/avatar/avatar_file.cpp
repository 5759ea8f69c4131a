#include <algorithm>
#include <cmath>
#include <span>

#include "byte_tensors.h"
#include "field_file.h"
#include "mien/avatar/avatar.h"
#include "mien/base/error.h"
#include "mien/base/safetensors.h"

namespace mien {
namespace {

constexpr const char* kFormat = "mien-avatar";
constexpr int kMaxGaussians = 5'000'000;
constexpr std::size_t kMaxModes = 256;

struct TensorSpec {
  const char* name;
  std::vector<float> Gaussians::*member;
  std::int64_t width;
  bool half;
};
constexpr TensorSpec kTensors[] = {{"gaussians.means", &Gaussians::means, 3, false},
                                   {"gaussians.quats", &Gaussians::quats, 4, true},
                                   {"gaussians.log_scales", &Gaussians::log_scales, 3, true},
                                   {"gaussians.opacity_logits", &Gaussians::opacity_logits, 1, true},
                                   {"gaussians.sh", &Gaussians::sh, std::int64_t{kShCoefficients} * 3, true}};

Json camera_json(const Camera& camera) {
  Json json = {{"width", camera.width}, {"height", camera.height}, {"fx", camera.fx},
               {"fy", camera.fy},       {"cx", camera.cx},         {"cy", camera.cy}};
  for (int r = 0; r < 4; ++r) {
    for (int c = 0; c < 4; ++c) json["world_to_camera"].push_back(camera.world_to_camera(r, c));
  }
  return json;
}

Camera camera_from(const Json& json, const std::string& where) {
  Camera camera;
  camera.width = get_field<int>(json, "width", where);
  camera.height = get_field<int>(json, "height", where);
  camera.fx = get_field<float>(json, "fx", where);
  camera.fy = get_field<float>(json, "fy", where);
  camera.cx = get_field<float>(json, "cx", where);
  camera.cy = get_field<float>(json, "cy", where);
  const auto matrix = get_field<std::vector<float>>(json, "world_to_camera", where);
  const bool sound = matrix.size() == 16 &&
                     std::all_of(matrix.begin(), matrix.end(), [](float v) { return std::isfinite(v); }) &&
                     camera.width > 0 && camera.width <= 16384 && camera.height > 0 && camera.height <= 16384 &&
                     camera.fx > 0 && camera.fy > 0;
  if (!sound) throw_bad_field("camera", where, "is not a usable camera");
  for (int i = 0; i < 16; ++i) camera.world_to_camera(i / 4, i % 4) = matrix[i];
  return camera;
}

Json header_of(const SafetensorsFile& file) {
  const std::string where = file.path().string();
  const auto found = file.metadata().find("mien");
  Json header = found == file.metadata().end() ? Json() : Json::parse(found->second, nullptr, false);
  if (!header.is_object() || get_field_or<std::string>(header, "format", where, "") != kFormat) {
    throw Error(ErrorCode::kBadFile, where + ": is a safetensors file, but not a Mien avatar",
                "avatars are made with: mien train CAPTURE -o NAME.mien");
  }
  const int version = get_field<int>(header, "version", where);
  if (version > kAvatarVersion) {
    throw Error(ErrorCode::kUnsupported,
                fmt::format("{}: avatar file version {}, this program reads up to {}", where, version, kAvatarVersion),
                "use a newer Mien");
  }
  return header;
}

constexpr std::int64_t kRestWidth = std::int64_t{kShCoefficients - 1} * 3;

void save_gaussians(const GaussianAvatar& avatar, bool compact, SafetensorsWriter& writer) {
  const std::int64_t n = avatar.gaussians.count();
  for (const TensorSpec& spec : kTensors) {
    const std::span<const float> values = avatar.gaussians.*spec.member;
    if (compact && spec.member == &Gaussians::sh) {
      std::vector<float> base, rest;
      for (std::int64_t i = 0; i < n; ++i) {
        const float* row = values.data() + i * spec.width;
        base.insert(base.end(), row, row + 3);
        rest.insert(rest.end(), row + 3, row + spec.width);
      }
      writer.add_half("gaussians.sh_base", {n, 3}, base);
      add_bytes(writer, "gaussians.sh_rest", n, kRestWidth, rest);
    } else if (spec.half) {
      writer.add_half(spec.name, {n, spec.width}, values);
    } else {
      writer.add(spec.name, {n, spec.width}, values);
    }
  }
  std::vector<std::int32_t> vertex;
  std::vector<float> weight;
  for (const GaussianAnchor& anchor : avatar.anchors) {
    vertex.insert(vertex.end(), anchor.vertex.begin(), anchor.vertex.end());
    weight.insert(weight.end(), anchor.weight.begin(), anchor.weight.end());
  }
  writer.add("anchors.vertex", {n, kAnchorCount}, vertex);
  writer.add("anchors.weight", {n, kAnchorCount}, weight);
}

// Spherical harmonics [N,48] in either form.
std::vector<float> load_sh(const SafetensorsFile& file, std::int64_t n) {
  if (!file.contains("gaussians.sh_base")) return file.floats("gaussians.sh", {n, std::int64_t{kShCoefficients} * 3});
  const std::vector<float> base = file.floats("gaussians.sh_base", {n, 3});
  const std::vector<float> rest = read_bytes(file, "gaussians.sh_rest", n, kRestWidth);
  std::vector<float> sh;
  sh.reserve(static_cast<std::size_t>(n) * kShCoefficients * 3);
  for (std::int64_t i = 0; i < n; ++i) {
    sh.insert(sh.end(), base.begin() + i * 3, base.begin() + (i + 1) * 3);
    sh.insert(sh.end(), rest.begin() + i * kRestWidth, rest.begin() + (i + 1) * kRestWidth);
  }
  return sh;
}

void load_gaussians(const SafetensorsFile& file, GaussianAvatar& avatar) {
  const std::string where = file.path().string();
  const std::int64_t n = file.view("gaussians.opacity_logits").shape.at(0);
  if (n < 1 || n > kMaxGaussians) throw_bad_field("gaussians", where, fmt::format("holds {} Gaussians", n));
  for (const TensorSpec& spec : kTensors) {
    auto& values = avatar.gaussians.*spec.member;
    values = spec.member == &Gaussians::sh ? load_sh(file, n) : file.floats(spec.name, {n, spec.width});
    if (!std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); })) {
      throw_bad_field(spec.name, where, "holds values that are not numbers");
    }
  }
  const auto vertex = file.ints("anchors.vertex", {n, kAnchorCount});
  const auto weight = file.floats("anchors.weight", {n, kAnchorCount});
  avatar.anchors.resize(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < vertex.size(); ++i) {
    if (vertex[i] < 0 || vertex[i] >= avatar.head.vertex_count() || !std::isfinite(weight[i])) {
      throw_bad_field("anchors.vertex", where,
                      fmt::format("points at vertex {} of {}", vertex[i], avatar.head.vertex_count()));
    }
    avatar.anchors[i / kAnchorCount].vertex[i % kAnchorCount] = vertex[i];
    avatar.anchors[i / kAnchorCount].weight[i % kAnchorCount] = weight[i];
  }
}

void check_ascending(const std::vector<std::int32_t>& gaussians, int count, const char* name,
                     const std::string& where) {
  std::int32_t last = -1;
  for (const std::int32_t i : gaussians) {
    if (i <= last || i >= count) {
      throw_bad_field(name, where, fmt::format("names Gaussian {} after {} of {}", i, last, count));
    }
    last = i;
  }
}

void load_modes(const SafetensorsFile& file, const Json& header, GaussianAvatar& avatar) {
  const std::string where = file.path().string();
  ColourModes& modes = avatar.modes;
  modes.names = get_field_or<std::vector<std::string>>(header, "colour_modes", where, {});
  if (modes.names.empty()) return;
  if (modes.names.size() > kMaxModes) throw_bad_field("colour_modes", where, fmt::format("has {}", modes.names.size()));
  const auto m = static_cast<std::int64_t>(modes.names.size());
  modes.drivers = file.floats("colour_modes.drivers", {m, avatar.head.expression_count()});
  modes.gaussian = file.ints("colour_modes.gaussian", {-1});
  const auto k = static_cast<std::int64_t>(modes.gaussian.size());
  modes.colour = file.contains("colour_modes.colour.scale") ? read_bytes(file, "colour_modes.colour", k, m * 3)
                                                            : file.floats("colour_modes.colour", {k, m * 3});
  const auto finite = [](float v) { return std::isfinite(v); };
  if (!std::all_of(modes.drivers.begin(), modes.drivers.end(), finite) ||
      !std::all_of(modes.colour.begin(), modes.colour.end(), finite)) {
    throw_bad_field("colour_modes", where, "holds values that are not numbers");
  }
  check_ascending(modes.gaussian, avatar.gaussians.count(), "colour_modes.gaussian", where);
}

Json g2anet_json(const G2aNet& net) {
  const G2aOptions& o = net.options;
  Json json = {{"width", o.width},
               {"frequencies", o.frequencies},
               {"feature_net", o.feature_net},
               {"emotion", o.emotion},
               {"dynamic_opacity", o.dynamic_opacity}};
  if (!o.geometry()) json.update({{"sound", o.sound}, {"hears", net.hears}});
  return json;
}

void load_g2anet(const SafetensorsFile& file, const Json& header, GaussianAvatar& avatar) {
  if (!header.contains("g2anet")) return;
  const std::string where = file.path().string();
  const Json json = get_field<Json>(header, "g2anet", where);
  G2aNet& net = avatar.g2anet;
  G2aOptions& o = net.options;
  o.width = get_field<int>(json, "width", where);
  o.frequencies = get_field<int>(json, "frequencies", where);
  o.feature_net = get_field<bool>(json, "feature_net", where);
  o.emotion = get_field<bool>(json, "emotion", where);
  o.dynamic_opacity = get_field<bool>(json, "dynamic_opacity", where);
  o.sound = get_field_or<int>(json, "sound", where, 0);
  net.hears = get_field_or<std::string>(json, "hears", where, "");
  if (o.geometry() != net.hears.empty()) {
    throw_bad_field("g2anet", where, fmt::format("hears {} features \"{}\" of the sound", o.sound, net.hears));
  }
  try {
    make_g2a_layers(net);
  } catch (const Error& error) {
    throw_bad_field("g2anet", where, error.what());
  }
  net.gaussian = file.ints("g2anet.gaussian", {-1});
  check_ascending(net.gaussian, avatar.gaussians.count(), "g2anet.gaussian", where);
  for (std::vector<G2aLayer>* stack : {&net.feature, &net.rotation}) {
    for (G2aLayer& layer : *stack) {
      const std::string name = "g2anet." + layer.name;
      layer.weight = file.floats(name + ".weight", {layer.outputs, layer.inputs});
      layer.bias = file.floats(name + ".bias", {layer.outputs});
      for (const std::vector<float>* values : {&layer.weight, &layer.bias}) {
        if (!std::all_of(values->begin(), values->end(), [](float v) { return std::isfinite(v); }))
          throw_bad_field(name, where, "holds values that are not numbers");
      }
    }
  }
}

void save_g2anet(const G2aNet& net, SafetensorsWriter& writer) {
  writer.add("g2anet.gaussian", {static_cast<std::int64_t>(net.gaussian.size())},
             std::span<const std::int32_t>(net.gaussian));
  for (const std::vector<G2aLayer>* stack : {&net.feature, &net.rotation}) {
    for (const G2aLayer& layer : *stack) {
      writer.add_half("g2anet." + layer.name + ".weight", {layer.outputs, layer.inputs}, layer.weight);
      writer.add_half("g2anet." + layer.name + ".bias", {layer.outputs}, layer.bias);
    }
  }
}

void load_looks(const SafetensorsFile& file, Avatar& avatar) {
  if (!file.contains("appearances.0") && !file.contains("appearances.0.scale")) return;
  const std::string where = file.path().string();
  Appearances& looks = avatar.gaussian.looks;
  const std::int64_t n = avatar.gaussian.gaussians.count();
  for (std::size_t a = 0; a < avatar.appearances.size(); ++a) {
    const std::string name = fmt::format("appearances.{}", a);
    looks.names.push_back(avatar.appearances[a].name);
    looks.shift.push_back(file.contains(name + ".scale") ? read_bytes(file, name, n, kLookRow)
                                                         : file.floats(name, {n, kLookRow}));
    if (!std::all_of(looks.shift.back().begin(), looks.shift.back().end(), [](float v) { return std::isfinite(v); }))
      throw_bad_field(name, where, "holds values that are not numbers");
  }
}

void save_looks(const Appearances& looks, std::int64_t n, bool compact, SafetensorsWriter& writer) {
  for (std::size_t a = 0; a < looks.names.size(); ++a) {
    const std::string name = fmt::format("appearances.{}", a);
    if (compact) {
      add_bytes(writer, name, n, kLookRow, looks.shift[a]);
    } else {
      writer.add_half(name, {n, kLookRow}, looks.shift[a]);
    }
  }
}

}  // namespace

Json read_avatar_header(const std::filesystem::path& path) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  Json header = header_of(file);
  header["gaussians"] =
      file.contains("gaussians.opacity_logits") ? file.view("gaussians.opacity_logits").shape.at(0) : 0;
  header["bytes"] = std::filesystem::file_size(path);
  return header;
}

Avatar Avatar::load(const std::filesystem::path& path) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  const std::string where = path.string();
  const Json header = header_of(file);
  Avatar avatar;
  avatar.name = get_field<std::string>(header, "name", where);
  avatar.renderer = get_field<std::string>(header, "renderer", where);
  if (avatar.renderer != "gaussians" && avatar.renderer != "field") {
    throw Error(ErrorCode::kUnsupported,
                fmt::format("{}: renderer \"{}\" is unknown to this program", where, avatar.renderer),
                "use a newer Mien");
  }
  avatar.licence = get_field_or<std::string>(header, "licence", where, "not stated");
  avatar.consent = get_field_or<std::string>(header, "consent", where, "");
  avatar.front = camera_from(get_field<Json>(header, "front", where), where);
  const auto focus = get_field<std::vector<float>>(header, "focus", where);
  if (focus.size() != 3) throw_bad_field("focus", where, "needs three numbers");
  avatar.focus = Vec3(focus[0], focus[1], focus[2]);
  avatar.training = get_field_or<Json>(header, "training", where, Json::object());
  avatar.metrics = get_field_or<Json>(header, "metrics", where, Json::object());
  for (const Json& entry : get_field<Json>(header, "appearances", where)) {
    AvatarAppearance appearance;
    appearance.name = get_field<std::string>(entry, "name", where);
    const std::string tensor = "thumbnail." + appearance.name;
    if (file.contains(tensor)) {
      const TensorView view = file.view(tensor);
      appearance.thumbnail = decode_image(view.data, view.bytes, fmt::format("{}: {}", where, tensor));
    }
    avatar.appearances.push_back(std::move(appearance));
  }
  if (avatar.appearances.empty()) throw_bad_field("appearances", where, "is empty");
  std::vector<std::string> names = avatar.appearance_names();
  std::sort(names.begin(), names.end());
  if (const auto twice = std::adjacent_find(names.begin(), names.end()); twice != names.end())
    throw_bad_field("appearances", where, "names \"" + *twice + "\" twice");
  if (avatar.renderer == "field") {
    avatar.field = load_field(file, header, static_cast<int>(avatar.appearances.size()));
    return avatar;
  }
  avatar.gaussian.head = HeadModel::load(file, "head.");
  load_gaussians(file, avatar.gaussian);
  float& filter = avatar.gaussian.pixel_filter;
  filter = get_field_or<float>(header, "pixel_filter", where, filter);
  if (!(filter >= 0 && filter <= 100)) throw_bad_field("pixel_filter", where, "is not between 0 and 100");
  load_modes(file, header, avatar.gaussian);
  load_g2anet(file, header, avatar.gaussian);
  load_looks(file, avatar);
  return avatar;
}

void Avatar::save(const std::filesystem::path& path) const {
  SafetensorsWriter writer;
  const bool compact = gaussian.gaussians.count() >= kCompactFrom;
  const bool filtered = !field && gaussian.pixel_filter != GaussianAvatar().pixel_filter;
  const bool dressed = !gaussian.looks.empty();
  MIEN_CHECK(!dressed || gaussian.looks.names == appearance_names(), "{} appearances and {} in the Gaussians",
             appearances.size(), gaussian.looks.count());
  const bool hears = !gaussian.g2anet.empty() && !gaussian.g2anet.options.geometry();
  Json header = {{"format", kFormat},
                 {"version", field                        ? 8
                             : dressed                    ? 7
                             : filtered                   ? 6
                             : hears                      ? 5
                             : compact                    ? 4
                             : !gaussian.g2anet.empty()   ? 3
                             : gaussian.modes.count() > 0 ? 2
                                                          : 1},
                 {"name", name},
                 {"renderer", renderer},
                 {"licence", licence},
                 {"consent", consent},
                 {"front", camera_json(front)},
                 {"focus", {focus.x(), focus.y(), focus.z()}},
                 {"training", training},
                 {"metrics", metrics},
                 {"head_model", head().id}};
  header["emotions"] = kEmotionNames;
  if (field) header["field"] = field_json(*field);
  if (filtered) header["pixel_filter"] = gaussian.pixel_filter;
  if (gaussian.modes.count() > 0) header["colour_modes"] = gaussian.modes.names;
  if (!gaussian.g2anet.empty()) header["g2anet"] = g2anet_json(gaussian.g2anet);
  for (const AvatarAppearance& appearance : appearances) {
    header["appearances"].push_back({{"name", appearance.name}});
    if (appearance.thumbnail.width > 0) writer.add("thumbnail." + appearance.name, encode_png(appearance.thumbnail));
  }
  writer.metadata("mien", header.dump());
  head().save(writer, "head.");
  if (field) {
    save_field(*field, writer);
    writer.write(path);
    return;
  }
  save_gaussians(gaussian, compact, writer);
  if (const ColourModes& modes = gaussian.modes; modes.count() > 0) {
    const auto m = static_cast<std::int64_t>(modes.count()), k = static_cast<std::int64_t>(modes.gaussian.size());
    writer.add("colour_modes.drivers", {m, gaussian.head.expression_count()}, modes.drivers);
    writer.add("colour_modes.gaussian", {k}, std::span<const std::int32_t>(modes.gaussian));
    if (compact) {
      add_bytes(writer, "colour_modes.colour", k, m * 3, modes.colour);
    } else {
      writer.add_half("colour_modes.colour", {k, m * 3}, modes.colour);
    }
  }
  if (!gaussian.g2anet.empty()) save_g2anet(gaussian.g2anet, writer);
  save_looks(gaussian.looks, gaussian.gaussians.count(), compact, writer);
  writer.write(path);
}

}  // namespace mien
