// What killed processes leave beside a file that they were writing.
#pragma once

#include <filesystem>

namespace mien {

// Removes the temporary files of AtomicFile for `path` whose process no longer exists (on this host). For files that
// one process writes again and again, such as checkpoints. Never throws.
void remove_leftovers(const std::filesystem::path& path);

}  // namespace mien
