// ICT-FaceKit (Li et al., CVPR 2020; MIT): a folder of OBJ files, one a shape, all with the same vertices.
#include <algorithm>
#include <map>
#include <numeric>

#include "head/outside/overlay.h"
#include "head/outside/placement.h"
#include "head/outside/wavefront.h"
#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/base/json.h"
#include "mien/head/outside_builders.h"

namespace mien {

using namespace outside;
namespace fs = std::filesystem;

namespace {

constexpr float kCentimetre = 0.01f;
constexpr int kLandmarks = 68;

struct Source {
  fs::path folder;
  Wavefront neutral;
  std::vector<int> kept;  // [V] vertices of ours -> theirs
  std::vector<int> landmarks;
};

fs::path model_folder(const fs::path& given) {
  for (const fs::path& folder : {given / "FaceXModel", given}) {
    if (fs::is_regular_file(folder / "generic_neutral_mesh.obj")) return folder;
  }
  throw Error(ErrorCode::kNotFound, fmt::format("{}: no FaceXModel/generic_neutral_mesh.obj in it", given.string()),
              "give a clone of https://github.com/ICT-VGL/ICT-FaceKit");
}

std::vector<int> read_landmarks(const fs::path& path, int vertices) {
  const Json json = read_json(path, 16u << 20);
  const auto found = json.find("idx_to_landmark_verts");
  if (found == json.end() || !found->is_array() || found->size() != kLandmarks)
    throw Error(ErrorCode::kBadFile, fmt::format("{}: no 68 \"idx_to_landmark_verts\"", path.string()));
  std::vector<int> out;
  for (const Json& item : *found) {
    const auto v = item.is_number_integer() ? item.get<std::int64_t>() : -1;
    if (v < 0 || v >= vertices)
      throw Error(ErrorCode::kBadFile, fmt::format("{}: landmark vertex {} of {}", path.string(), v, vertices));
    out.push_back(static_cast<int>(v));
  }
  return out;
}

// Faces that have a part of ours. Shells of tear fluid and shadow over the eyes are for other renderers.
bool is_left_out(const std::string& material) {
  return material == "M_EyeBlend" || material == "M_EyeOcclusion" || material == "M_LacrimalFluid";
}

HeadPart part_of(const std::string& material) {
  static const std::map<std::string, HeadPart> parts = {
      {"M_GumsTongue", HeadPart::kGums},  {"M_Teeth", HeadPart::kTeethUpper},     {"M_ScleraLeft", HeadPart::kEyeLeft},
      {"M_IrisLeft", HeadPart::kEyeLeft}, {"M_ScleraRight", HeadPart::kEyeRight}, {"M_IrisRight", HeadPart::kEyeRight},
      {"M_EyeLashes", HeadPart::kLashes}};
  const auto found = parts.find(material);
  return found == parts.end() ? HeadPart::kSkin : found->second;
}

// Mesh and parts, with only the vertices that are used, in metres, not yet placed.
HeadModel take_mesh(Source& source) {
  const Wavefront& from = source.neutral;
  HeadModel model;
  std::vector<int> ours(from.positions.size(), -1);
  for (std::size_t f = 0; f < from.faces.size(); ++f) {
    const std::string& material =
        from.material[f] < 0 ? "" : from.materials[static_cast<std::size_t>(from.material[f])];
    if (is_left_out(material)) continue;
    Index3 face;
    for (int k = 0; k < 3; ++k) {
      int& v = ours[static_cast<std::size_t>(from.faces[f][k])];
      if (v < 0) {
        v = static_cast<int>(source.kept.size());
        source.kept.push_back(from.faces[f][k]);
      }
      face[k] = v;
    }
    model.mesh.faces.push_back(face);
    if (!from.face_uv.empty()) model.mesh.face_uv.push_back(from.face_uv[f]);
    model.face_part.push_back(part_of(material));
  }
  if (!from.face_uv.empty()) model.mesh.uv = from.uv;
  for (const int v : source.kept)
    model.mesh.positions.push_back(kCentimetre * from.positions[static_cast<std::size_t>(v)]);
  for (int& v : source.landmarks) {
    v = ours[static_cast<std::size_t>(v)];
    if (v < 0) throw Error(ErrorCode::kBadFile, fmt::format("{}: a landmark on no face", source.folder.string()));
  }
  return model;
}

// Displacements from the neutral face to another file of the folder.
std::vector<Vec3> read_shape(const Source& source, const fs::path& path) {
  const Wavefront shape = read_wavefront(path, true);
  if (shape.positions.size() != source.neutral.positions.size()) {
    throw Error(ErrorCode::kBadFile,
                fmt::format("{}: {} vertices, the neutral face has {}", path.string(), shape.positions.size(),
                            source.neutral.positions.size()),
                "all files must come from one version of ICT-FaceKit");
  }
  std::vector<Vec3> out;
  for (const int v : source.kept) {
    out.push_back(kCentimetre * (shape.positions[static_cast<std::size_t>(v)] -
                                 source.neutral.positions[static_cast<std::size_t>(v)]));
  }
  return out;
}

// Theirs for one of ARKit's names: "browDownLeft" is browDown_L; the two that ARKit has whole are in halves.
std::vector<std::string> file_names(const std::string& arkit) {
  const auto ends = [&](std::string_view what) { return arkit.ends_with(what); };
  if (arkit == "browInnerUp" || arkit == "cheekPuff") return {arkit + "_L", arkit + "_R"};
  if (ends("Left") && arkit != "jawLeft" && arkit != "mouthLeft") return {arkit.substr(0, arkit.size() - 4) + "_L"};
  if (ends("Right") && arkit != "jawRight" && arkit != "mouthRight") return {arkit.substr(0, arkit.size() - 5) + "_R"};
  return {arkit};
}

void read_expressions(const Source& source, OutsideHead& out) {
  HeadModel& model = out.model;
  const std::size_t n = model.mesh.positions.size();
  std::vector<bool> is_eye(n, false);
  for (int f = 0; f < model.mesh.face_count(); ++f) {
    const HeadPart part = model.face_part[static_cast<std::size_t>(f)];
    if (part != HeadPart::kEyeLeft && part != HeadPart::kEyeRight) continue;
    for (const int v : model.mesh.faces[static_cast<std::size_t>(f)]) is_eye[static_cast<std::size_t>(v)] = true;
  }
  for (const char* name : kArkitNames) {
    std::vector<Vec3> field(n, Vec3::Zero());
    bool is_there = false;
    for (const std::string& file : file_names(name)) {
      const fs::path path = source.folder / (file + ".obj");
      if (!fs::is_regular_file(path)) continue;
      is_there = true;
      const std::vector<Vec3> shape = read_shape(source, path);
      for (std::size_t v = 0; v < n; ++v) {
        if (!is_eye[v]) field[v] += shape[v];  // eyeballs turn by the pose's gaze
      }
    }
    if (!is_there) out.missing.emplace_back(name);
    model.expression_names.emplace_back(name);
    model.expression.insert(model.expression.end(), field.begin(), field.end());
  }
}

// Teeth of the lower jaw are those that jawOpen takes along, each tooth as a whole; the tongue is the part of the
// material M_GumsTongue that touches the teeth least.
void tell_mouth_parts_apart(HeadModel& model) {
  const std::size_t n = model.mesh.positions.size();
  std::vector<int> parent(n);
  std::iota(parent.begin(), parent.end(), 0);
  const auto root = [&](int v) {
    while (parent[static_cast<std::size_t>(v)] != v) {
      auto& up = parent[static_cast<std::size_t>(v)];
      up = parent[static_cast<std::size_t>(up)];
      v = up;
    }
    return v;
  };
  for (const Index3& face : model.mesh.faces) {
    for (int k = 1; k < 3; ++k) parent[static_cast<std::size_t>(root(face[k]))] = root(face[0]);
  }
  const Vec3* jaw = model.expression.data() + static_cast<std::size_t>(arkit_index("jawOpen")) * n;
  struct Piece {
    float drop = 0;
    int vertices = 0, near = 0;
  };
  std::map<int, Piece> teeth, gums;
  std::vector<Vec3> teeth_places;
  std::vector<bool> is_seen(n, false);
  const auto visit = [&](HeadPart part, const auto& body) {
    for (int f = 0; f < model.mesh.face_count(); ++f) {
      if (model.face_part[static_cast<std::size_t>(f)] != part) continue;
      for (const int v : model.mesh.faces[static_cast<std::size_t>(f)]) {
        if (is_seen[static_cast<std::size_t>(v)]) continue;
        is_seen[static_cast<std::size_t>(v)] = true;
        body(v);
      }
    }
  };
  visit(HeadPart::kTeethUpper, [&](int v) {
    Piece& piece = teeth[root(v)];
    piece.drop -= jaw[v].y();
    ++piece.vertices;
    teeth_places.push_back(model.mesh.positions[static_cast<std::size_t>(v)]);
  });
  constexpr float kTouching = 0.002f, kDrop = 0.002f;  // metres
  visit(HeadPart::kGums, [&](int v) {
    Piece& piece = gums[root(v)];
    ++piece.vertices;
    const Vec3& p = model.mesh.positions[static_cast<std::size_t>(v)];
    piece.near += std::any_of(teeth_places.begin(), teeth_places.end(),
                              [&](const Vec3& tooth) { return (tooth - p).squaredNorm() < kTouching * kTouching; });
  });
  const auto touching = [](const Piece& piece) {
    return static_cast<float>(piece.near) / static_cast<float>(std::max(piece.vertices, 1));
  };
  float most = 0;
  for (const auto& [number, piece] : gums) most = std::max(most, touching(piece));
  for (int f = 0; f < model.mesh.face_count(); ++f) {
    HeadPart& part = model.face_part[static_cast<std::size_t>(f)];
    const int piece = root(model.mesh.faces[static_cast<std::size_t>(f)][0]);
    if (part == HeadPart::kTeethUpper && teeth[piece].drop > kDrop * static_cast<float>(teeth[piece].vertices))
      part = HeadPart::kTeethLower;
    if (part == HeadPart::kGums && touching(gums[piece]) < 0.6f * most) part = HeadPart::kTongue;
  }
}

}  // namespace

OutsideHead build_ict_head(const IctOptions& options, const HeadModel& reference) {
  Source source;
  source.folder = model_folder(options.folder);
  source.neutral = read_wavefront(source.folder / "generic_neutral_mesh.obj");
  source.landmarks =
      read_landmarks(source.folder / "vertex_indices.json", static_cast<int>(source.neutral.positions.size()));
  OutsideHead out;
  HeadModel& model = out.model;
  model = take_mesh(source);
  model.id = "ict-facekit-1";
  place_by_eyes(model, source.folder.string());
  read_expressions(source, out);
  tell_mouth_parts_apart(model);

  std::vector<Anchor> anchors;
  for (int i = 0; i < kLandmarks; ++i) {
    if (landmark_of_68(i) >= 0)
      anchors.push_back(
          {landmark_of_68(i),
           model.mesh.positions[static_cast<std::size_t>(source.landmarks[static_cast<std::size_t>(i)])]});
  }
  const std::size_t n = model.mesh.positions.size();
  const Vec3* jaw = model.expression.data() + static_cast<std::size_t>(arkit_index("jawOpen")) * n;
  const Overlay overlay(reference, model, jaw_share_of(jaw, model.vertex_count()), anchors, source.folder.string());
  overlay.label(model);

  for (int i = 0; i < options.identity_modes; ++i) {
    const fs::path path = source.folder / fmt::format("identity{:03}.obj", i);
    if (!fs::is_regular_file(path)) break;
    add_identity_mode(fmt::format("identity{:03}", i), read_shape(source, path), model);
  }
  if (model.identity_count() == 0) out.notes.emplace_back("no identity000.obj: the head has one shape only");
  out.notes.emplace_back("shells of tear fluid and shadow over the eyes are left out; eyeballs turn by gaze alone");
  return out;
}

}  // namespace mien
