#include "mien/base/leftovers.h"

#include <sys/types.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <string>
#include <vector>

namespace mien {

namespace fs = std::filesystem;

void remove_leftovers(const fs::path& path) {
  std::error_code ignored;
  const std::string prefix = path.filename().string() + ".part";
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  std::vector<fs::path> found;
  for (fs::directory_iterator at(folder, ignored), end; !ignored && at != end; at.increment(ignored)) {
    const std::string name = at->path().filename().string();
    if (!name.starts_with(prefix)) continue;
    pid_t writer = 0;
    const char* last = name.data() + name.size();
    const auto parsed = std::from_chars(name.data() + prefix.size(), last, writer);
    if (parsed.ec != std::errc() || parsed.ptr != last || writer <= 0) continue;
    if (::kill(writer, 0) != 0 && errno == ESRCH) found.push_back(at->path());
  }
  for (const fs::path& leftover : found) fs::remove(leftover, ignored);
}

}  // namespace mien
