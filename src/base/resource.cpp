#include "mien/base/resource.h"

#include <cstdlib>

namespace fs = std::filesystem;

namespace mien {
namespace {

const char* environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != 0 ? value : nullptr;
}

}  // namespace

std::vector<fs::path> model_folders() {
  if (const char* named = environment("MIEN_MODELS")) return {named};
  std::vector<fs::path> folders;
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (!error) folders.push_back(program.parent_path().parent_path() / "share" / "mien" / "models");
  folders.push_back(fs::path(MIEN_SOURCE_DIR) / "models");
  return folders;
}

fs::path cache_folder() {
  const char* cache = environment("MIEN_CACHE");
  return cache != nullptr ? fs::path(cache) : fs::path(MIEN_SOURCE_DIR) / ".cache";
}

}  // namespace mien
