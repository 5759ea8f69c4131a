#include "mien/base/resource.h"

#include <cstdlib>

#include "mien/base/error.h"

namespace fs = std::filesystem;

namespace mien {

std::vector<fs::path> resource_folders() {
  if (const char* home = std::getenv("MIEN_HOME"); home != nullptr && *home != 0) return {home};
  std::vector<fs::path> folders;
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (!error) folders.push_back(program.parent_path().parent_path() / "share" / "mien");
  folders.emplace_back(MIEN_SOURCE_DIR);
  return folders;
}

fs::path find_resource(const std::string& relative, const std::string& mend) {
  std::string places;
  for (const fs::path& folder : resource_folders()) {
    fs::path path = folder / relative;
    std::error_code error;
    if (fs::exists(path, error)) return path;
    places += (places.empty() ? "" : " and ") + folder.string();
  }
  throw Error(ErrorCode::kNotFound, fmt::format("{} is not there (looked in {})", relative, places), mend);
}

fs::path cache_folder() {
  const char* cache = std::getenv("MIEN_CACHE");
  return cache != nullptr && *cache != 0 ? fs::path(cache) : fs::path(MIEN_SOURCE_DIR) / ".cache";
}

}  // namespace mien
