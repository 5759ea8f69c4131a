// Lights of the stage: small area lights with soft shadows, and an environment as spherical harmonics.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "actor/stage/colour.h"
#include "mien/geometry/camera.h"

namespace mien::stage {

// A round lamp that shines at the head from `position`. `colour` is the radiance a white matt surface at the origin,
// facing the lamp, would send back.
struct Lamp {
  Vec3 position;
  Rgb colour;
  float radius;  // metres, of the lamp's disc: sets the softness of its shadows and the size of its reflections
};

// Radiance of the surroundings, order-2 spherical harmonics.
class Environment {
 public:
  Environment() = default;
  // From the colours straight up, at the horizon in front and behind, and straight down.
  Environment(const Rgb& up, const Rgb& front, const Rgb& back, const Rgb& down);
  // Radiance that a white matt surface with this unit normal sends back (Ramamoorthi and Hanrahan 2001).
  Rgb diffuse(const Vec3& normal) const { return evaluate(diffuse_, normal); }
  // Blurred mirror image in a unit direction, not below 0.
  Rgb mirror(const Vec3& direction) const { return evaluate(mirror_, direction).max(0.0f); }

 private:
  static Rgb evaluate(const std::array<Rgb, 9>& coefficients, const Vec3& d);
  std::array<Rgb, 9> diffuse_ = {};
  std::array<Rgb, 9> mirror_ = {};
};

struct LightSetup {
  std::vector<Lamp> lamps;  // at most kMaxLamps; the first is the key light
  Environment environment;
};
constexpr int kMaxLamps = 3;

const std::vector<std::string>& light_setup_names();
LightSetup make_light_setup(const std::string& name, float scale);  // throws kBadArgument

// Unit vectors spread evenly over the sphere (Fibonacci lattice).
std::vector<Vec3> sphere_directions(int count);

}  // namespace mien::stage
