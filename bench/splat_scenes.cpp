#include "splat_scenes.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numbers>

#include "mien/avatar/avatar.h"
#include "mien/base/error.h"
#include "mien/base/random.h"
#include "mien/base/safetensors.h"
#include "mien/gaussian_avatar/gaussian_avatar.h"

namespace mien::bench {

Scene head_like(int count, int size) {
  Scene s;
  s.name = fmt::format("built-in head-like shell of {} Gaussians", count);
  s.camera = look_at({0.12f, 0.05f, 0.75f}, {0, 0, 0}, 0.3f, size, size);
  const float radii[3] = {0.085f, 0.12f, 0.1f};
  const float spacing = std::sqrt(4 * std::numbers::pi_v<float> * 0.1f * 0.1f / static_cast<float>(count));
  Random random(3);
  for (int n = 0; n < count; ++n) {
    const float y = 1 - 2 * (static_cast<float>(n) + 0.5f) / static_cast<float>(count);
    const float angle = static_cast<float>(n) * 2.399963f, ring = std::sqrt(1 - y * y);
    const Vec3 normal(ring * std::cos(angle), y, ring * std::sin(angle));
    const float depth = n % 8 == 0 ? 0.93f : 1.0f + 0.01f * random.normal();
    for (int a = 0; a < 3; ++a) s.means.push_back(radii[a] * depth * normal[a]);
    const Quat q = Quat::FromTwoVectors(Vec3::UnitZ(), normal);
    for (const float v : {q.w(), q.x(), q.y(), q.z()}) s.quats.push_back(v);
    for (int a = 0; a < 3; ++a)
      s.scales.push_back(spacing * (a == 2 ? 0.15f : 0.55f) * std::exp(0.3f * random.normal()));
    s.opacities.push_back(1 / (1 + std::exp(-(2.0f + 1.5f * random.normal()))));
    for (int k = 0; k < 48; ++k) s.sh.push_back((k < 3 ? 0.5f : 0.05f) * random.normal());
  }
  return s;
}

Scene read_scene(const std::string& path) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  Scene s;
  s.name = path;
  s.opacities = file.floats("opacities", {-1});
  const auto n = static_cast<std::int64_t>(s.opacities.size());
  s.means = file.floats("means", {n, 3});
  s.quats = file.floats("quats", {n, 4});
  s.scales = file.floats("scales", {n, 3});
  s.sh = file.floats("sh", {n, 16, 3});
  const auto k = file.floats("K", {3, 3}), view = file.floats("viewmat", {4, 4}), bg = file.floats("bg", {3});
  const auto side = [&](const char* key) {
    const auto found = file.metadata().find(key);
    const int value = found == file.metadata().end() ? 0 : std::atoi(found->second.c_str());
    if (value < 1)
      throw Error(ErrorCode::kBadFile, path + ": no " + key + " in its metadata", "use the reference layout");
    return value;
  };
  s.camera.width = side("width");
  s.camera.height = side("height");
  s.camera.fx = k[0];
  s.camera.fy = k[4];
  s.camera.cx = k[2];
  s.camera.cy = k[5];
  for (int i = 0; i < 16; ++i) s.camera.world_to_camera(i / 4, i % 4) = view[i];
  std::copy(bg.begin(), bg.end(), s.options.background);
  return s;
}

MotionFrame avatar_motion(const HeadModel& head) {
  MotionFrame frame;
  frame.expression.assign(head.expression_names.size(), 0.0f);
  for (std::size_t e = 0; e < head.expression_names.size(); ++e)
    if (head.expression_names[e] == "jawOpen") frame.expression[e] = 0.5f;
  return frame;
}

Scene avatar_scene(const std::string& name, int size) {
  const std::filesystem::path path = find_avatar(name);
  const Avatar avatar = Avatar::load(path);
  const Gaussians& g = avatar.gaussian.gaussians;
  Scene s;
  s.name = fmt::format("avatar {} of {} Gaussians", path.filename().string(), g.count());
  const HeadModel& head = avatar.gaussian.head;
  SurfaceFrames frames(head);
  frames.update(avatar_motion(head));
  deform_gaussians(avatar.gaussian, frames, s.means, s.deformation);
  s.quats = g.quats;
  s.sh = g.sh;
  s.scales = g.log_scales;
  for (float& v : s.scales) v = std::exp(v);
  s.opacities = g.opacity_logits;
  for (float& v : s.opacities) v = 1 / (1 + std::exp(-v));
  s.camera = avatar.front;
  const float zoom = static_cast<float>(size) / static_cast<float>(s.camera.width);
  s.camera.height = static_cast<int>(std::lround(zoom * static_cast<float>(s.camera.height)));
  s.camera.width = size;
  for (float* v : {&s.camera.fx, &s.camera.fy, &s.camera.cx, &s.camera.cy}) *v *= zoom;
  return s;
}

}  // namespace mien::bench
