#include "checkpoint.h"

#include "mien/base/error.h"
#include "mien/base/safetensors.h"

namespace mien {
namespace {

constexpr const char* kFormat = "mien-gaussian-checkpoint-2";

struct ArrayName {
  const char* name;
  std::vector<float> Gaussians::*member;
  std::int64_t width;
};
constexpr ArrayName kArrays[] = {{"means", &Gaussians::means, 3},
                                 {"quats", &Gaussians::quats, 4},
                                 {"log_scales", &Gaussians::log_scales, 3},
                                 {"opacity_logits", &Gaussians::opacity_logits, 1},
                                 {"sh", &Gaussians::sh, kShCoefficients * 3}};

// `avatar` knows the names and options of its appearances.
void load_looks(const SafetensorsFile& file, GaussianAvatar& avatar) {
  Appearances& looks = avatar.looks;
  if (looks.empty()) return;
  make_look_layers(looks);
  const auto row = static_cast<std::int64_t>(looks.feature_row());
  const std::int64_t values = row > 0 ? row * avatar.gaussians.count() : kLatent;
  looks.features.clear();
  for (std::size_t a = 0; a < looks.names.size(); ++a)
    looks.features.push_back(file.floats(fmt::format("{}features.{}", kLooksPrefix, a), {values}));
  for (std::vector<G2aLayer>* stack : {&looks.colour, &looks.density}) {
    for (G2aLayer& layer : *stack) {
      const std::string name = kLooksPrefix + layer.name;
      layer.weight = file.floats(name + ".weight", {static_cast<std::int64_t>(layer.weight.size())});
      layer.bias = file.floats(name + ".bias", {static_cast<std::int64_t>(layer.bias.size())});
    }
  }
}

}  // namespace

void write_moments(SafetensorsWriter& writer, const std::vector<ParameterGroup>& groups) {
  for (const ParameterGroup& group : groups) {
    if (group.state.first.empty()) continue;  // not stepped yet
    const auto count = static_cast<std::int64_t>(group.state.first.size());
    writer.add("adam.first." + group.name, {count}, group.state.first);
    writer.add("adam.second." + group.name, {count}, group.state.second);
    writer.metadata("adam.steps." + group.name, std::to_string(group.state.steps));
  }
}

int checkpoint_step(const SafetensorsFile& file, const std::string& format, const std::string& what,
                    std::uint64_t fingerprint) {
  const auto field = [&](const char* key) {
    const auto found = file.metadata().find(key);
    return found == file.metadata().end() ? std::string() : found->second;
  };
  if (field("format") != format) {
    throw Error(ErrorCode::kBadFile, fmt::format("{}: not a checkpoint of {}", file.path().string(), what),
                "remove it to start anew");
  }
  if (field("fingerprint") != std::to_string(fingerprint)) {
    throw Error(ErrorCode::kBadFile, file.path().string() + ": belongs to another capture or other options",
                "remove it to start anew, or give the options it was made with");
  }
  return std::stoi(field("step"));
}

void save_checkpoint(const std::filesystem::path& path, const GaussianAvatar& avatar,
                     const std::vector<GaussianOptimiser::Group>& groups, int step, std::uint64_t fingerprint) {
  SafetensorsWriter writer;
  writer.metadata("format", kFormat);
  writer.metadata("step", std::to_string(step));
  writer.metadata("fingerprint", std::to_string(fingerprint));
  const std::int64_t n = avatar.gaussians.count();
  for (const ArrayName& array : kArrays) writer.add(array.name, {n, array.width}, avatar.gaussians.*array.member);
  std::vector<std::int32_t> vertex;
  std::vector<float> weight;
  for (const GaussianAnchor& anchor : avatar.anchors) {
    vertex.insert(vertex.end(), anchor.vertex.begin(), anchor.vertex.end());
    weight.insert(weight.end(), anchor.weight.begin(), anchor.weight.end());
  }
  writer.add("anchor.vertex", {n, kAnchorCount}, vertex);
  writer.add("anchor.weight", {n, kAnchorCount}, weight);
  if (const ColourModes& modes = avatar.modes; modes.count() > 0) {
    const auto k = static_cast<std::int64_t>(modes.gaussian.size()), m = static_cast<std::int64_t>(modes.count());
    writer.add("modes.gaussian", {k}, std::span<const std::int32_t>(modes.gaussian));
    writer.add("modes.colour", {k, m, 3}, modes.colour);
  }
  if (!avatar.g2anet.empty()) {
    const std::span<const std::int32_t> gaussian(avatar.g2anet.gaussian);
    writer.add("g2anet.gaussian", {static_cast<std::int64_t>(gaussian.size())}, gaussian);
  }
  for (const auto& group : groups) {
    if (group.name.starts_with("g2anet.") || group.name.starts_with(kLooksPrefix)) {
      writer.add(group.name, {static_cast<std::int64_t>(group.parameters->size())}, *group.parameters);
    }
  }
  write_moments(writer, groups);
  writer.write(path);
}

int load_checkpoint(const std::filesystem::path& path, GaussianAvatar& avatar, std::uint64_t fingerprint) {
  if (!std::filesystem::exists(path)) return 0;
  const SafetensorsFile file = SafetensorsFile::open(path);
  const int step = checkpoint_step(file, kFormat, "a Gaussian avatar", fingerprint);
  const std::int64_t n = file.view("means").shape.at(0);
  for (const ArrayName& array : kArrays) avatar.gaussians.*array.member = file.floats(array.name, {n, array.width});
  const auto vertex = file.ints("anchor.vertex", {n, kAnchorCount});
  const auto weight = file.floats("anchor.weight", {n, kAnchorCount});
  avatar.anchors.resize(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n * kAnchorCount; ++i) {
    if (vertex[i] < 0 || vertex[i] >= avatar.head.vertex_count()) {
      throw Error(ErrorCode::kBadFile,
                  fmt::format("{}: anchor on vertex {} of {}", path.string(), vertex[i], avatar.head.vertex_count()));
    }
    avatar.anchors[i / kAnchorCount].vertex[i % kAnchorCount] = vertex[i];
    avatar.anchors[i / kAnchorCount].weight[i % kAnchorCount] = weight[i];
  }
  if (file.contains("modes.gaussian")) {
    avatar.modes = face_colour_modes(avatar.head);
    avatar.modes.gaussian = file.ints("modes.gaussian", {-1});
    avatar.modes.colour =
        file.floats("modes.colour", {static_cast<std::int64_t>(avatar.modes.gaussian.size()), avatar.modes.count(), 3});
    for (const std::int32_t i : avatar.modes.gaussian) {
      if (i < 0 || i >= n) {
        throw Error(ErrorCode::kBadFile, fmt::format("{}: colour modes of Gaussian {} of {}", path.string(), i, n));
      }
    }
  }
  if (file.contains("g2anet.gaussian")) {
    G2aNet& net = avatar.g2anet;
    make_g2a_layers(net);
    net.gaussian = file.ints("g2anet.gaussian", {-1});
    for (const std::int32_t i : net.gaussian) {
      if (i < 0 || i >= n)
        throw Error(ErrorCode::kBadFile, fmt::format("{}: G2ANet of Gaussian {} of {}", path.string(), i, n));
    }
    for (std::vector<G2aLayer>* stack : {&net.feature, &net.rotation}) {
      for (G2aLayer& layer : *stack) {
        const std::string name = "g2anet." + layer.name;
        layer.weight = file.floats(name + ".weight", {static_cast<std::int64_t>(layer.weight.size())});
        layer.bias = file.floats(name + ".bias", {static_cast<std::int64_t>(layer.bias.size())});
      }
    }
  }
  load_looks(file, avatar);
  return step;
}

void load_optimiser_state(const std::filesystem::path& path, std::vector<GaussianOptimiser::Group>& groups) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  for (auto& group : groups) {
    const std::string first = "adam.first." + group.name;
    if (!file.contains(first)) continue;
    const auto count = static_cast<std::int64_t>(group.parameters->size());
    group.state.first = file.floats(first, {count});
    group.state.second = file.floats("adam.second." + group.name, {count});
    group.state.steps = std::stoll(file.metadata().at("adam.steps." + group.name));
  }
}

}  // namespace mien
