// What lies in the folders that are to be imported, before anything is planned or written.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "capture/import/layout.h"
#include "capture/import/plan.h"
#include "mien/capture/import.h"

namespace mien::import {

// Reads all folders, which must be of one layout; says which. Throws kNotFound, kBadFile, kBadArgument.
Source read_sources(const std::vector<std::filesystem::path>& folders, const ImportOptions& options,
                    std::string& layout_name);

// Throws kBadArgument for a camera that is none, kBadFile when nothing is left.
void leave_out_cameras(Source& source, const std::vector<std::string>& ids);

// Sound that does not last as long as the pictures means a wrong frame rate: kBadFile.
void check_sound(const std::filesystem::path& path, const PlannedSequence& sequence, double fps);

}  // namespace mien::import
