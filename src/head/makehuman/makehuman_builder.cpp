#include "mien/head/makehuman_builder.h"

#include "head/makehuman/expressions.h"
#include "head/makehuman/landmarks.h"
#include "head/makehuman/people.h"
#include "head/makehuman/regions.h"
#include "head/makehuman/wardrobe.h"
#include "mien/base/error.h"
#include "mien/base/safetensors.h"

namespace mien {

using namespace makehuman;

namespace {

constexpr float kOriginBehindEyes = 0.080f;  // head_model.h

std::vector<Field> in_order(const Expressions& fields, std::vector<std::string>& names) {
  names.assign(kArkitNames.begin(), kArkitNames.end());
  names.insert(names.end(), kExtraExpressions.begin(), kExtraExpressions.end());
  std::vector<Field> ordered;
  for (const std::string& name : names) {
    MIEN_CHECK(fields.count(name) == 1, "no expression {} among {}", name, fields.size());
    ordered.push_back(fields.at(name));
  }
  return ordered;
}

Vec3 mean_of(const std::vector<Vec3>& body, const std::vector<int>& vertices) {
  Vec3 sum = Vec3::Zero();
  for (const int v : vertices) sum += body[v];
  return sum / static_cast<float>(vertices.size());
}

}  // namespace

BuiltHead build_makehuman_head(const MakeHumanOptions& options) {
  const Source source(options.package);
  const std::vector<Vec3> body = base_person(source);
  const Assembly assembly = assemble(source, body);
  std::vector<Vec3> rest = assembly.positions(body);
  const FaceMap map = map_face(source, assembly, rest);
  seal_lips(map, rest);
  for (int side = 0; side < 2; ++side) clear_eyeball(map, side, 0.0002f, rest);
  const Sculptor sculptor(source, assembly, map, rest);

  BuiltHead built;
  HeadModel& model = built.model;
  model.id = "makehuman-1";
  model.mesh = {rest, assembly.faces, assembly.uv, assembly.face_uv};
  model.face_part = assembly.face_part;

  Expressions fields;
  add_eye_expressions(sculptor, fields);
  add_brow_expressions(sculptor, fields);
  add_jaw_expressions(sculptor, fields);
  add_mouth_expressions(sculptor, fields);
  for (Field& field : in_order(fields, model.expression_names)) {
    carry_along(assembly, map, rest, field);
    model.expression.insert(model.expression.end(), field.begin(), field.end());
  }

  const std::vector<int> neck = source.group_vertices("joint-neck");
  const std::vector<int> head = source.group_vertices("joint-head");
  model.joints = {mean_of(body, neck), mean_of(body, head), map.eyes[0].centre, map.eyes[1].centre};
  for (const IdentityMode& mode : identity_modes(source)) {
    model.identity_names.push_back(mode.name);
    Field field = assembly.displacements(mode.displacement);
    const Vec3 left = mean_of(field, map.eyes[0].eyeball), right = mean_of(field, map.eyes[1].eyeball);
    // Closed lips stay closed on every face: the lip line moves as one.
    std::vector<Vec3> moved = rest + field;
    seal_lips(map, moved);
    field = moved - rest;
    // Heads stay where the contract wants them: the middle of the eyes does not move.
    const Vec3 drift = 0.5f * (left + right);
    for (Vec3& v : field) v -= drift;
    model.joint_identity.push_back({mean_of(mode.displacement, neck) - drift, mean_of(mode.displacement, head) - drift,
                                    left - drift, right - drift});
    model.identity.insert(model.identity.end(), field.begin(), field.end());
  }

  const Vec3 origin = 0.5f * (map.eyes[0].centre + map.eyes[1].centre) - Vec3(0, 0, kOriginBehindEyes);
  for (Vec3& v : model.mesh.positions) v -= origin;
  for (Vec3& joint : model.joints) joint -= origin;
  label_regions(source, assembly, map, model);
  if (!options.landmarks.empty()) model.landmarks = place_landmarks(options.landmarks, map, model);
  built.assets = make_wardrobe(source, body, origin, assembly, model);
  return built;
}

void save_head(const BuiltHead& head, const std::filesystem::path& path) {
  SafetensorsWriter writer;
  writer.metadata("licence", "made from MakeHuman assets (CC0 1.0)");
  head.model.save(writer, "");
  head.assets.save(writer);
  writer.write(path);
}

}  // namespace mien
