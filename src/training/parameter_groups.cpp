#include "avatar_optimiser.h"
#include "mien/base/error.h"

namespace mien {

std::vector<ParameterGroup> parameter_groups(GaussianAvatar& avatar, std::vector<float>& sh_base,
                                             std::vector<float>& sh_rest) {
  Gaussians& g = avatar.gaussians;
  std::vector<ParameterGroup> groups = {{"means", &g.means, {}, {}},
                                        {"quats", &g.quats, {}, {}},
                                        {"log_scales", &g.log_scales, {}, {}},
                                        {"opacity_logits", &g.opacity_logits, {}, {}},
                                        {"sh_base", &sh_base, {}, {}},
                                        {"sh_rest", &sh_rest, {}, {}},
                                        {"modes", &avatar.modes.colour, {}, {}}};
  const auto add_layers = [&](const char* prefix, std::vector<G2aLayer>& stack) {
    for (G2aLayer& layer : stack) {
      groups.push_back({prefix + layer.name + ".weight", &layer.weight, {}, {}});
      groups.push_back({prefix + layer.name + ".bias", &layer.bias, {}, {}});
    }
  };
  if (!avatar.g2anet.empty()) {
    add_layers("g2anet.", avatar.g2anet.feature);
    add_layers("g2anet.", avatar.g2anet.rotation);
  }
  Appearances& looks = avatar.looks;
  if (!looks.learns()) return groups;
  for (std::size_t a = 0; a < looks.features.size(); ++a)
    groups.push_back({fmt::format("{}features.{}", kLooksPrefix, a), &looks.features[a], {}, {}});
  add_layers(kLooksPrefix, looks.colour);
  add_layers(kLooksPrefix, looks.density);
  return groups;
}

std::size_t first_look_group(const std::vector<ParameterGroup>& groups) {
  std::size_t at = 0;
  while (at < groups.size() && !groups[at].name.starts_with(kLooksPrefix)) ++at;
  return at;
}

}  // namespace mien
