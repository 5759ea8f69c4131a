// Scenes for the tests: published ones from disk, and small random ones.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "mien/base/random.h"
#include "mien/base/safetensors.h"
#include "mien/splat/gaussians.h"
#include "splat/reference.h"

namespace mien::splat {

// Activated values, owned, and what a test needs beside them.
struct TestScene {
  std::vector<float> means, quats, scales, opacities, sh, deformation;
  Camera camera;
  SplatOptions options;
  int sh_degree = 3;

  int count() const { return static_cast<int>(opacities.size()); }
  std::size_t pixels() const { return static_cast<std::size_t>(camera.width) * camera.height; }
  SplatInput input() const {
    return {count(),
            means.data(),
            quats.data(),
            scales.data(),
            opacities.data(),
            sh.data(),
            deformation.empty() ? nullptr : deformation.data(),
            sh_degree};
  }
};

struct TestGradients {
  std::vector<float> means, quats, scales, opacities, sh, mean2d_norm;
  explicit TestGradients(int n) : means(3 * n), quats(4 * n), scales(3 * n), opacities(n), sh(48 * n), mean2d_norm(n) {}
  SplatGradients pointers() {
    return {means.data(), quats.data(), scales.data(), opacities.data(), sh.data(), mean2d_norm.data()};
  }
};

// The folder of the published results, if this machine has it.
inline std::optional<std::filesystem::path> shared_folder() {
  std::vector<std::filesystem::path> places;
  if (const char* variable = std::getenv("MIEN_SHARED")) places.emplace_back(variable);
  places.emplace_back(std::filesystem::path(MIEN_SOURCE_DIR) / "../shared");
  for (const auto& place : places)
    if (std::filesystem::exists(place / "reference/splat")) return place;
  return std::nullopt;
}

inline TestScene read_scene(const SafetensorsFile& file) {
  TestScene s;
  s.means = file.floats("means", {-1, 3});
  s.quats = file.floats("quats", {-1, 4});
  s.scales = file.floats("scales", {-1, 3});
  s.opacities = file.floats("opacities", {-1});
  s.sh = file.floats("sh", {-1, 16, 3});
  s.camera.width = std::stoi(file.metadata().at("width"));
  s.camera.height = std::stoi(file.metadata().at("height"));
  const auto k = file.floats("K", {3, 3}), view = file.floats("viewmat", {4, 4}), background = file.floats("bg", {3});
  s.camera.fx = k[0];
  s.camera.fy = k[4];
  s.camera.cx = k[2];
  s.camera.cy = k[5];
  for (int i = 0; i < 16; ++i) s.camera.world_to_camera(i / 4, i % 4) = view[i];
  for (int i = 0; i < 3; ++i) s.options.background[i] = background[i];
  return s;
}

// A cloud of `count` Gaussians in a ball before a camera, with everything off its default: oblique camera, background,
// quaternions of any length, some opaque Gaussians.
inline TestScene random_scene(int count, int width, int height, std::uint64_t seed, bool deformed = false) {
  Random random(seed);
  TestScene s;
  s.camera = look_at({0.3f, 0.2f, 1.4f}, {0, 0, 0}, 0.6f, width, height);
  s.camera.cx += 1.7f;
  s.camera.fy *= 1.1f;
  s.options.background[0] = 0.2f;
  s.options.background[2] = 0.7f;
  for (int n = 0; n < count; ++n) {
    for (int a = 0; a < 3; ++a) s.means.push_back(0.25f * random.normal());
    for (int a = 0; a < 4; ++a) s.quats.push_back(0.8f * random.normal() + (a == 0 ? 0.3f : 0.0f));
    for (int a = 0; a < 3; ++a) s.scales.push_back(0.04f * std::exp(0.6f * random.normal()));
    s.opacities.push_back(n % 4 == 0 ? 0.997f : random.uniform(0.02f, 0.95f));
    for (int k = 0; k < 48; ++k) s.sh.push_back((k < 3 ? 0.7f : 0.2f) * random.normal());
    for (int k = 0; k < 9 && deformed; ++k)
      s.deformation.push_back((k % 4 == 0 ? 1.1f : 0.0f) + 0.3f * random.normal());
  }
  return s;
}

// The same scene and camera for the oracle.
template <typename T>
ReferenceScene<T> reference_scene(const TestScene& s) {
  auto convert = [](const std::vector<float>& v) { return std::vector<T>(v.begin(), v.end()); };
  return {convert(s.means), convert(s.quats),       convert(s.scales), convert(s.opacities),
          convert(s.sh),    convert(s.deformation), s.sh_degree};
}

template <typename T>
ReferenceCamera<T> reference_camera(const TestScene& s) {
  ReferenceCamera<T> c{s.camera.width, s.camera.height, s.camera.fx, s.camera.fy, s.camera.cx, s.camera.cy};
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) c.rotation[3 * i + j] = s.camera.world_to_camera(i, j);
    c.translation[i] = s.camera.world_to_camera(i, 3);
    c.background[i] = s.options.background[i];
  }
  return c;
}

inline std::vector<float> random_values(std::size_t count, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> out(count);
  for (float& v : out) v = random.normal();
  return out;
}

}  // namespace mien::splat
