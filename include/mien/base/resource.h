// Files that belong to the program: shipped models, downloads, built assets.
#pragma once

#include <filesystem>
#include <vector>

namespace mien {

// Where shipped avatars and networks are looked for: $MIEN_MODELS when set (and nowhere else); otherwise
// share/mien/models beside the folder of the program (an installed Mien), then models/ of the source tree that it was
// built from.
std::vector<std::filesystem::path> model_folders();

// Where downloads and built assets go: $MIEN_CACHE, else .cache of the source tree.
std::filesystem::path cache_folder();

}  // namespace mien
