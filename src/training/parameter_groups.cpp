#include "avatar_optimiser.h"

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
  if (avatar.g2anet.empty()) return groups;
  for (std::vector<G2aLayer>* stack : {&avatar.g2anet.feature, &avatar.g2anet.rotation}) {
    for (G2aLayer& layer : *stack) {
      groups.push_back({"g2anet." + layer.name + ".weight", &layer.weight, {}, {}});
      groups.push_back({"g2anet." + layer.name + ".bias", &layer.bias, {}, {}});
    }
  }
  return groups;
}

}  // namespace mien
