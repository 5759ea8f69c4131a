// Files that belong to the program: shipped models, the head asset.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace mien {

// The folders that are searched, in this order: $MIEN_HOME when set (then nothing else); share/mien beside the folder
// of the program (an installed Mien); the source tree that the program was built from.
std::vector<std::filesystem::path> resource_folders();

// The first existing `relative` in those folders, e.g. "models/ada.mien". Throws kNotFound naming the places and
// `mend`.
std::filesystem::path find_resource(const std::string& relative,
                                    const std::string& mend = "set MIEN_HOME to the folder that holds it");

// Where downloads and built assets go: $MIEN_CACHE, else .cache of the source tree.
std::filesystem::path cache_folder();

}  // namespace mien
