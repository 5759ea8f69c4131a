#include "actor/stage/lights.h"

#include <cmath>

#include "mien/actor/wardrobe.h"
#include "mien/base/error.h"

namespace mien {

std::vector<std::string> light_names() {
  return stage::light_setup_names();
}

namespace stage {
namespace {

std::array<float, 9> basis(const Vec3& d) {
  const float x = d.x(), y = d.y(), z = d.z();
  return {0.282095f,
          0.488603f * y,
          0.488603f * z,
          0.488603f * x,
          1.092548f * x * y,
          1.092548f * y * z,
          0.315392f * (3 * z * z - 1),
          1.092548f * x * z,
          0.546274f * (x * x - y * y)};
}

Lamp lamp(float azimuth_degrees, float elevation_degrees, float distance, float radius, const Rgb& colour) {
  const float a = azimuth_degrees * 0.0174533f, e = elevation_degrees * 0.0174533f;
  const Vec3 direction(std::cos(e) * std::sin(a), std::sin(e), std::cos(e) * std::cos(a));
  return {direction * distance, colour, radius};
}

}  // namespace

std::vector<Vec3> sphere_directions(int count) {
  std::vector<Vec3> directions;
  for (int i = 0; i < count; ++i) {
    const float y = 1 - 2 * (static_cast<float>(i) + 0.5f) / static_cast<float>(count);
    const float r = std::sqrt(1 - y * y);
    const float a = 2.39996323f * static_cast<float>(i);
    directions.emplace_back(r * std::cos(a), y, r * std::sin(a));
  }
  return directions;
}

Environment::Environment(const Rgb& up, const Rgb& front, const Rgb& back, const Rgb& down) {
  constexpr int kDirections = 1024;
  // Cosine lobe per band, divided by pi; and a gentle window against ringing in the mirror image.
  constexpr std::array<float, 9> kCosine = {1, 0.6667f, 0.6667f, 0.6667f, 0.25f, 0.25f, 0.25f, 0.25f, 0.25f};
  constexpr std::array<float, 9> kWindow = {1, 0.85f, 0.85f, 0.85f, 0.55f, 0.55f, 0.55f, 0.55f, 0.55f};
  std::array<Rgb, 9> radiance;
  radiance.fill(Rgb::Zero());
  for (const Vec3& d : sphere_directions(kDirections)) {
    const Rgb horizon = mix(back, front, smoothstep(-1, 1, d.z()));
    const Rgb colour =
        d.y() >= 0 ? mix(horizon, up, smoothstep(0, 1, d.y())) : mix(horizon, down, smoothstep(0, 0.8f, -d.y()));
    const std::array<float, 9> b = basis(d);
    for (int k = 0; k < 9; ++k) radiance[k] += colour * (b[k] * 12.5663706f / kDirections);
  }
  for (int k = 0; k < 9; ++k) {
    diffuse_[k] = radiance[k] * kCosine[k];
    mirror_[k] = radiance[k] * kWindow[k];
  }
}

Rgb Environment::evaluate(const std::array<Rgb, 9>& coefficients, const Vec3& d) {
  const std::array<float, 9> b = basis(d);
  Rgb sum = coefficients[0] * b[0];
  for (int k = 1; k < 9; ++k) sum += coefficients[k] * b[k];
  return sum;
}

const std::vector<std::string>& light_setup_names() {
  static const std::vector<std::string> names = {"studio", "soft", "window", "warm", "cool"};
  return names;
}

LightSetup make_light_setup(const std::string& name, float scale) {
  LightSetup s;
  Rgb up, front, back, down;
  if (name == "studio") {
    s.lamps = {lamp(35, 38, 1.8f, 0.22f, Rgb(0.86f, 0.82f, 0.76f)),
               lamp(-52, 16, 1.9f, 0.35f, Rgb(0.20f, 0.22f, 0.25f)),
               lamp(-150, 35, 1.8f, 0.16f, Rgb(0.62f, 0.64f, 0.68f))};
    up = {0.42f, 0.43f, 0.46f}, front = {0.24f, 0.24f, 0.25f}, back = {0.16f, 0.17f, 0.19f},
    down = {0.13f, 0.11f, 0.10f};
  } else if (name == "soft") {
    s.lamps = {lamp(18, 48, 1.8f, 0.5f, Rgb(0.52f, 0.51f, 0.49f)), lamp(-40, 20, 1.9f, 0.5f, Rgb(0.22f, 0.22f, 0.23f))};
    up = {0.62f, 0.62f, 0.63f}, front = {0.42f, 0.42f, 0.42f}, back = {0.36f, 0.36f, 0.37f},
    down = {0.22f, 0.21f, 0.2f};
  } else if (name == "window") {
    s.lamps = {lamp(-62, 22, 1.8f, 0.35f, Rgb(0.88f, 0.93f, 1.0f)), lamp(60, 10, 2.0f, 0.4f, Rgb(0.16f, 0.14f, 0.12f)),
               lamp(140, 30, 1.8f, 0.2f, Rgb(0.25f, 0.22f, 0.19f))};
    up = {0.30f, 0.31f, 0.33f}, front = {0.24f, 0.24f, 0.25f}, back = {0.15f, 0.14f, 0.13f},
    down = {0.14f, 0.12f, 0.10f};
  } else if (name == "warm") {
    s.lamps = {lamp(-38, 35, 1.8f, 0.2f, Rgb(0.92f, 0.74f, 0.54f)), lamp(48, 14, 1.9f, 0.35f, Rgb(0.22f, 0.17f, 0.13f)),
               lamp(155, 35, 1.8f, 0.16f, Rgb(0.66f, 0.50f, 0.34f))};
    up = {0.34f, 0.29f, 0.24f}, front = {0.25f, 0.21f, 0.18f}, back = {0.18f, 0.15f, 0.12f},
    down = {0.15f, 0.11f, 0.08f};
  } else if (name == "cool") {
    s.lamps = {lamp(45, 30, 1.8f, 0.2f, Rgb(0.68f, 0.80f, 0.95f)), lamp(-55, 14, 1.9f, 0.35f, Rgb(0.15f, 0.19f, 0.27f)),
               lamp(-145, 32, 1.8f, 0.16f, Rgb(0.75f, 0.62f, 0.5f))};
    up = {0.32f, 0.36f, 0.43f}, front = {0.2f, 0.22f, 0.26f}, back = {0.15f, 0.17f, 0.20f},
    down = {0.10f, 0.11f, 0.13f};
  } else {
    throw Error(ErrorCode::kBadArgument, fmt::format("there is no light \"{}\"", name),
                fmt::format("choose one of {}", fmt::join(light_setup_names(), ", ")));
  }
  s.environment = Environment(up * scale, front * scale, back * scale, down * scale);
  for (Lamp& l : s.lamps) l.colour *= scale;
  return s;
}

}  // namespace stage
}  // namespace mien
