#include "field_checkpoint.h"

#include "checkpoint.h"
#include "mien/base/error.h"
#include "mien/base/safetensors.h"

namespace mien {
namespace {

constexpr const char* kFormat = "mien-field-checkpoint-1";

std::int64_t size_of(const std::vector<float>& values) {
  return static_cast<std::int64_t>(values.size());
}

}  // namespace

void save_field_checkpoint(const std::filesystem::path& path, const std::vector<ParameterGroup>& groups,
                           const FieldState& state, int step, std::uint64_t fingerprint) {
  SafetensorsWriter writer;
  writer.metadata("format", kFormat);
  writer.metadata("step", std::to_string(step));
  writer.metadata("fingerprint", std::to_string(fingerprint));
  for (const ParameterGroup& group : groups) writer.add(group.name, {size_of(*group.parameters)}, *group.parameters);
  writer.add("occupancy", {size_of(state.occupancy)}, state.occupancy);
  write_moments(writer, groups);
  writer.write(path);
}

int load_field_checkpoint(const std::filesystem::path& path, std::vector<ParameterGroup>& groups, FieldState& state,
                          std::uint64_t fingerprint) {
  if (!std::filesystem::exists(path)) return 0;
  const SafetensorsFile file = SafetensorsFile::open(path);
  const int step = checkpoint_step(file, kFormat, "a field avatar", fingerprint);
  for (ParameterGroup& group : groups) *group.parameters = file.floats(group.name, {size_of(*group.parameters)});
  state.occupancy = file.floats("occupancy", {size_of(state.occupancy)});
  load_optimiser_state(path, groups);
  return step;
}

}  // namespace mien
