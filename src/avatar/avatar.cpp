#include "mien/avatar/avatar.h"

#include <cmath>
#include <system_error>

#include "mien/base/error.h"
#include "mien/base/resource.h"
#include "mien/gaussian_avatar/initialise.h"

namespace fs = std::filesystem;

namespace mien {
namespace {

std::string shipped_avatars() {
  std::string names;
  for (const fs::path& folder : model_folders()) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      if (entry.path().extension() == ".mien") names += (names.empty() ? "" : ", ") + entry.path().stem().string();
    }
  }
  return names.empty() ? "none" : names;
}

}  // namespace

std::vector<std::string> Avatar::appearance_names() const {
  std::vector<std::string> names;
  for (const AvatarAppearance& appearance : appearances) names.push_back(appearance.name);
  return names;
}

AppearanceMix Avatar::appearance_mix(const std::string& text) const {
  const std::vector<std::string> names = appearance_names();
  return parse_appearance_mix(text.empty() ? names.front() : text, names);
}

int Avatar::appearance_index(const std::string& wanted) const {
  std::string names;
  for (std::size_t i = 0; i < appearances.size(); ++i) {
    if (appearances[i].name == wanted) return static_cast<int>(i);
    names += (i == 0 ? "" : ", ") + appearances[i].name;
  }
  throw Error(ErrorCode::kBadArgument, fmt::format("{} has no appearance \"{}\"", name, wanted), "it has: " + names);
}

int prune_gaussians(GaussianAvatar& avatar, float least_opacity) {
  const float least_logit = std::log(least_opacity / (1 - least_opacity));
  const int before = avatar.gaussians.count();
  std::vector<bool> keep;
  for (int i = 0; i < before; ++i)
    keep.push_back(most_opaque_logit(avatar, static_cast<std::size_t>(i)) >= least_logit);
  keep_gaussians(avatar, keep);
  return before - avatar.gaussians.count();
}

fs::path find_model(const std::string& file_name) {
  for (const fs::path& folder : model_folders()) {
    if (fs::exists(folder / file_name)) return folder / file_name;
  }
  throw Error(ErrorCode::kNotFound, fmt::format("the shipped file {} was not found", file_name),
              "set MIEN_MODELS to the folder that holds it, or run: mien doctor");
}

std::shared_ptr<const SoundContext> find_sound_context(const GaussianAvatar& avatar) {
  const G2aNet& net = avatar.g2anet;
  if (net.empty() || net.options.geometry()) return nullptr;
  const fs::path path = find_model("speech.safetensors");
  std::shared_ptr<const SoundContext> context = SoundContext::load(path);
  if (context->name() == net.hears && context->count() == net.options.sound) return context;
  throw Error(ErrorCode::kUnsupported,
              fmt::format("the avatar hears {} features \"{}\", {} makes {} \"{}\"", net.options.sound, net.hears,
                          path.string(), context->count(), context->name()),
              "train it again (mien train --no-geometry), or use the Mien that it was trained with");
}

fs::path own_speech_networks(const fs::path& avatar) {
  return fs::path(avatar).replace_extension(".speech.safetensors");
}

fs::path find_avatar(const std::string& name_or_path) {
  if (fs::exists(name_or_path)) return name_or_path;
  const fs::path as_path(name_or_path);
  if (as_path.has_parent_path() || as_path.extension() == ".mien") {
    throw Error(ErrorCode::kNotFound, fmt::format("{}: no such avatar file", name_or_path),
                "shipped avatars: " + shipped_avatars());
  }
  for (const fs::path& folder : model_folders()) {
    const fs::path candidate = folder / (name_or_path + ".mien");
    if (fs::exists(candidate)) return candidate;
  }
  throw Error(ErrorCode::kNotFound, fmt::format("there is no avatar \"{}\"", name_or_path),
              "shipped avatars: " + shipped_avatars() + "; or give the path of a .mien file");
}

}  // namespace mien
