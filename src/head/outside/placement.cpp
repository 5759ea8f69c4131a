#include "head/outside/placement.h"

#include <algorithm>

#include "head/outside/overlay.h"
#include "mien/base/error.h"
#include "mien/base/safetensors.h"
#include "mien/head/head_assets.h"
#include "mien/head/outside_builders.h"

namespace mien {

void save_head(const OutsideHead& head, const std::filesystem::path& path) {
  SafetensorsWriter writer;
  head.model.save(writer, "");
  HeadAssets().save(writer);
  writer.write(path);
}

namespace outside {

std::vector<int> vertices_of(const HeadModel& model, HeadPart part) {
  std::vector<int> out;
  for (int f = 0; f < model.mesh.face_count(); ++f) {
    if (model.face_part[static_cast<std::size_t>(f)] != part) continue;
    const Index3& face = model.mesh.faces[static_cast<std::size_t>(f)];
    out.insert(out.end(), face.begin(), face.end());
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

void place_at(HeadModel& model, const Vec3& left_eye, const Vec3& right_eye, const std::string& where) {
  constexpr float kBehindEyes = 0.080f;  // head_model.h
  const Vec3 between = left_eye - right_eye;
  if (!(between.x() > 0.045f && between.x() < 0.085f)) {
    throw Error(ErrorCode::kBadFile,
                fmt::format("{}: the left eye lies {:.1f} mm beside the right one", where, 1000 * between.x()),
                "the model must look along +z, y up, in the unit that it is published in");
  }
  const Vec3 origin = 0.5f * (left_eye + right_eye) - Vec3(0, 0, kBehindEyes);
  for (Vec3& p : model.mesh.positions) p -= origin;
  model.joints[static_cast<std::size_t>(HeadJoint::kEyeLeft)] = left_eye - origin;
  model.joints[static_cast<std::size_t>(HeadJoint::kEyeRight)] = right_eye - origin;
}

void place_by_eyes(HeadModel& model, const std::string& where) {
  std::array<Vec3, 2> centres;
  for (const bool is_left : {true, false}) {
    std::vector<Vec3> points;
    for (const int v : vertices_of(model, is_left ? HeadPart::kEyeLeft : HeadPart::kEyeRight))
      points.push_back(model.mesh.positions[static_cast<std::size_t>(v)]);
    if (points.empty())
      throw Error(ErrorCode::kBadFile, fmt::format("{}: no {} eyeball", where, is_left ? "left" : "right"));
    centres[is_left ? 0 : 1] = sphere_centre(points);
  }
  place_at(model, centres[0], centres[1], where);
}

void add_identity_mode(const std::string& name, std::vector<Vec3> displacement, HeadModel& model) {
  const auto mean = [&](const std::vector<int>& vertices) {
    Vec3 sum = Vec3::Zero();
    for (const int v : vertices) sum += displacement[static_cast<std::size_t>(v)];
    return Vec3(sum / static_cast<float>(std::max<std::size_t>(vertices.size(), 1)));
  };
  // Joints inside the neck move as the skin around them.
  const auto around = [&](HeadJoint joint) {
    constexpr std::size_t kNearest = 64;
    std::vector<std::pair<float, int>> by_distance;
    for (int v = 0; v < model.vertex_count(); ++v) {
      by_distance.emplace_back(
          (model.mesh.positions[static_cast<std::size_t>(v)] - model.joints[static_cast<std::size_t>(joint)])
              .squaredNorm(),
          v);
    }
    const std::size_t count = std::min(kNearest, by_distance.size());
    std::partial_sort(by_distance.begin(), by_distance.begin() + static_cast<std::ptrdiff_t>(count), by_distance.end());
    std::vector<int> vertices;
    for (std::size_t i = 0; i < count; ++i) vertices.push_back(by_distance[i].second);
    return mean(vertices);
  };
  const Vec3 left = mean(vertices_of(model, HeadPart::kEyeLeft)), right = mean(vertices_of(model, HeadPart::kEyeRight));
  const Vec3 drift = 0.5f * (left + right);
  model.joint_identity.push_back(
      {around(HeadJoint::kNeck) - drift, around(HeadJoint::kHead) - drift, left - drift, right - drift});
  for (Vec3& v : displacement) v -= drift;
  model.identity_names.push_back(name);
  model.identity.insert(model.identity.end(), displacement.begin(), displacement.end());
}

}  // namespace outside
}  // namespace mien
