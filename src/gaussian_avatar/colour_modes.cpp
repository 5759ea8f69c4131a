#include "mien/gaussian_avatar/colour_modes.h"

#include <algorithm>
#include <array>

#include "mien/base/error.h"
#include "mien/base/parallel.h"
#include "mien/splat/gaussians.h"

namespace mien {
namespace {

struct Driver {
  const char* expression;
  float weight;
};
struct Movement {
  const char* name;
  std::array<Driver, 4> drivers;  // unused ones have no name
};

// Movements that wrinkle, stretch or shade skin. Both sides share a mode where they mostly go together.
constexpr Movement kMovements[] = {
    {"jaw_open", {{{"jawOpen", 1}, {"mouthClose", -1}}}},
    {"brow_inner_up", {{{"browInnerUp", 1}}}},
    {"brow_outer_up", {{{"browOuterUpLeft", 0.5f}, {"browOuterUpRight", 0.5f}}}},
    {"brow_down", {{{"browDownLeft", 0.5f}, {"browDownRight", 0.5f}}}},
    {"squint",
     {{{"eyeSquintLeft", 0.25f}, {"eyeSquintRight", 0.25f}, {"cheekSquintLeft", 0.25f}, {"cheekSquintRight", 0.25f}}}},
    {"blink", {{{"eyeBlinkLeft", 0.5f}, {"eyeBlinkRight", 0.5f}}}},
    {"smile_left", {{{"mouthSmileLeft", 0.75f}, {"mouthDimpleLeft", 0.25f}}}},
    {"smile_right", {{{"mouthSmileRight", 0.75f}, {"mouthDimpleRight", 0.25f}}}},
    {"sneer",
     {{{"noseSneerLeft", 0.3f}, {"noseSneerRight", 0.3f}, {"mouthUpperUpLeft", 0.2f}, {"mouthUpperUpRight", 0.2f}}}},
    {"frown",
     {{{"mouthFrownLeft", 0.35f},
       {"mouthFrownRight", 0.35f},
       {"mouthStretchLeft", 0.15f},
       {"mouthStretchRight", 0.15f}}}},
    {"pucker", {{{"mouthPucker", 0.5f}, {"mouthFunnel", 0.5f}}}},
    {"press",
     {{{"mouthPressLeft", 0.25f}, {"mouthPressRight", 0.25f}, {"mouthRollLower", 0.25f}, {"mouthRollUpper", 0.25f}}}},
    {"lower_down", {{{"mouthLowerDownLeft", 0.5f}, {"mouthLowerDownRight", 0.5f}}}},
};

}  // namespace

std::vector<float> ColourModes::activations(const std::vector<float>& expression) const {
  const std::size_t modes = names.size();
  const std::size_t expressions = modes == 0 ? 0 : drivers.size() / modes;
  std::vector<float> a(modes, 0.0f);
  for (std::size_t m = 0; m < modes; ++m) {
    for (std::size_t e = 0; e < std::min(expressions, expression.size()); ++e) {
      a[m] += drivers[m * expressions + e] * expression[e];
    }
    a[m] = std::clamp(a[m], 0.0f, 1.0f);
  }
  return a;
}

ColourModes face_colour_modes(const HeadModel& head) {
  ColourModes modes;
  const auto expressions = static_cast<std::size_t>(head.expression_count());
  for (const Movement& movement : kMovements) {
    std::vector<float> row(expressions, 0.0f);
    bool known = false;
    for (const Driver& driver : movement.drivers) {
      if (driver.expression == nullptr) continue;
      const auto found = std::find(head.expression_names.begin(), head.expression_names.end(), driver.expression);
      if (found == head.expression_names.end()) continue;
      row[static_cast<std::size_t>(found - head.expression_names.begin())] = driver.weight;
      known = known || driver.weight > 0;
    }
    if (!known) continue;
    modes.names.emplace_back(movement.name);
    modes.drivers.insert(modes.drivers.end(), row.begin(), row.end());
  }
  return modes;
}

void add_colour_modes(const ColourModes& modes, const std::vector<float>& activations, std::vector<float>& sh) {
  const std::size_t count = activations.size();
  MIEN_CHECK(count == modes.names.size() && modes.colour.size() == modes.gaussian.size() * count * 3,
             "modes {} activations {} colours {} Gaussians {}", modes.names.size(), count, modes.colour.size(),
             modes.gaussian.size());
  parallel_for(static_cast<std::int64_t>(modes.gaussian.size()), 2048, [&](std::int64_t k) {
    const float* colour = &modes.colour[static_cast<std::size_t>(k) * count * 3];
    float sum[3] = {0, 0, 0};
    for (std::size_t m = 0; m < count; ++m) {
      for (int c = 0; c < 3; ++c) sum[c] += activations[m] * colour[m * 3 + c];
    }
    float* base = &sh[static_cast<std::size_t>(modes.gaussian[k]) * kShCoefficients * 3];
    for (int c = 0; c < 3; ++c) base[c] += sum[c];
  });
}

}  // namespace mien
