#include "mien/avatar/avatar.h"

#include <cmath>
#include <system_error>

#include "mien/base/error.h"
#include "mien/base/resource.h"

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
  Gaussians& g = avatar.gaussians;
  const int before = g.count();
  int kept = 0;
  for (int i = 0; i < before; ++i) {
    if (g.opacity_logits[i] < least_logit) continue;
    const auto move = [&](std::vector<float>& values, int width) {
      for (int k = 0; k < width; ++k)
        values[static_cast<std::size_t>(kept) * width + k] = values[static_cast<std::size_t>(i) * width + k];
    };
    move(g.means, 3);
    move(g.quats, 4);
    move(g.log_scales, 3);
    move(g.sh, kShCoefficients * 3);
    g.opacity_logits[kept] = g.opacity_logits[i];
    avatar.anchors[kept] = avatar.anchors[i];
    ++kept;
  }
  const auto n = static_cast<std::size_t>(kept);
  g.means.resize(n * 3);
  g.quats.resize(n * 4);
  g.log_scales.resize(n * 3);
  g.sh.resize(n * kShCoefficients * 3);
  g.opacity_logits.resize(n);
  avatar.anchors.resize(n);
  return before - kept;
}

fs::path find_model(const std::string& file_name) {
  for (const fs::path& folder : model_folders()) {
    if (fs::exists(folder / file_name)) return folder / file_name;
  }
  throw Error(ErrorCode::kNotFound, fmt::format("the shipped file {} was not found", file_name),
              "set MIEN_MODELS to the folder that holds it, or run: mien doctor");
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
