// Checkpoints of the Gaussian trainer: everything that resuming needs, written atomically.
#pragma once

#include <filesystem>

#include "gaussian_step.h"
#include "mien/base/safetensors.h"

namespace mien {

void save_checkpoint(const std::filesystem::path& path, const GaussianAvatar& avatar,
                     const std::vector<GaussianOptimiser::Group>& groups, int step, std::uint64_t fingerprint);

// Returns the step to go on from; 0 and nothing changed when `path` does not exist. Throws kBadFile when it is damaged
// or belongs to another capture or other options (`fingerprint`). `avatar` brings its head, G2ANet's options, and the
// names and options of its appearances along.
int load_checkpoint(const std::filesystem::path& path, GaussianAvatar& avatar, std::uint64_t fingerprint);
// The second half, after the optimiser was built on the loaded avatar.
void load_optimiser_state(const std::filesystem::path& path, std::vector<GaussianOptimiser::Group>& groups);

// What checkpoints of all trainers have in common: Adam's moments, format and fingerprint.
void write_moments(SafetensorsWriter& writer, const std::vector<ParameterGroup>& groups);
// The step of a checkpoint. Throws kBadFile for another format ("not a checkpoint of `what`") or fingerprint.
int checkpoint_step(const SafetensorsFile& file, const std::string& format, const std::string& what,
                    std::uint64_t fingerprint);

}  // namespace mien
