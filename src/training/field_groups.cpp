#include <algorithm>
#include <cmath>

#include "field_optimiser.h"
#include "mien/base/error.h"

namespace mien {

std::vector<ParameterGroup> field_groups(FieldAvatar& avatar, FieldState& state, const FieldTrainOptions& options) {
  std::vector<ParameterGroup> groups;
  const auto add = [&groups](const char* name, std::vector<float>& parameters) {
    groups.push_back({name, &parameters, {}, {}});
  };
  FieldParameters<float>& p = avatar.parameters;
  add("table", p.table);
  add("density", p.density);
  if (!p.offset.empty()) add("offset", p.offset);
  add("colour", p.colour);
  if (avatar.settings.latents != FieldLatents::kNone) add("latents", p.latents);
  if (options.exposure) add("exposure", state.exposure);
  return groups;
}

float rate_of(const FieldRates& rates, const std::string& group) {
  if (group == "table") return rates.table;
  if (group == "offset") return rates.offset;
  if (group == "exposure") return rates.exposure;
  return rates.networks;
}

void require_numbers(const std::vector<ParameterGroup>& groups, double loss, int step) {
  for (const ParameterGroup& group : groups) {
    if (std::all_of(group.parameters->begin(), group.parameters->end(), [](float v) { return std::isfinite(v); }))
      continue;
    throw Error(ErrorCode::kInternal, fmt::format("field training: {} is not a number at step {}", group.name, step),
                "train with a lower rate, and report the capture that does this");
  }
  if (std::isfinite(loss)) return;
  throw Error(ErrorCode::kInternal, fmt::format("field training: the loss is not a number at step {}", step),
              "train with a lower rate, and report the capture that does this");
}

}  // namespace mien
