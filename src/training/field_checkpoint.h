// Checkpoints of the field trainer: everything that resuming needs, written atomically.
#pragma once

#include <filesystem>

#include "field_optimiser.h"

namespace mien {

void save_field_checkpoint(const std::filesystem::path& path, const std::vector<ParameterGroup>& groups,
                           const FieldState& state, int step, std::uint64_t fingerprint);

// Returns the step to go on from; 0 and nothing changed when `path` does not exist. Throws kBadFile when it is damaged
// or belongs to another capture or other options (`fingerprint`). The groups' arrays have their sizes already.
int load_field_checkpoint(const std::filesystem::path& path, std::vector<ParameterGroup>& groups, FieldState& state,
                          std::uint64_t fingerprint);

}  // namespace mien
