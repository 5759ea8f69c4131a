// FLAME (Li et al., SIGGRAPH Asia 2017), from the user's own file.
//
// Arrays: v_template [V,3], f [F,3], shapedirs [V,3,300 + E], J_regressor [5,V], weights [V,5], posedirs [V,3,36].
// Joints: root, neck, jaw, left eye, right eye.
#include <Eigen/Dense>
#include <algorithm>

#include "head/outside/flame_expressions.h"
#include "head/outside/number_table.h"
#include "head/outside/overlay.h"
#include "head/outside/placement.h"
#include "mien/base/error.h"
#include "mien/head/outside_builders.h"

namespace mien {

using namespace outside;

namespace {

constexpr std::int64_t kShapes = 300, kJoints = 5, kJaw = 2, kLeftEye = 3, kRightEye = 4;

class Arrays {
 public:
  explicit Arrays(const std::filesystem::path& path) : where_(path.string()), table_(read_number_table(path)) {}

  bool has(const std::string& name) const { return table_.contains(name); }
  // Sizes of -1 may be anything.
  const NumberArray& get(const std::string& name, const std::vector<std::int64_t>& shape) const {
    const auto found = table_.find(name);
    if (found == table_.end()) {
      std::string there;
      for (const auto& [other, array] : table_) there += (there.empty() ? "" : ", ") + other;
      throw Error(ErrorCode::kBadFile,
                  fmt::format("{}: no array \"{}\"; it has {}", where_, name, there.empty() ? "none" : there),
                  "give a file as FLAME's makers publish it");
    }
    const NumberArray& array = found->second;
    bool fits = array.shape.size() == shape.size();
    for (std::size_t d = 0; fits && d < shape.size(); ++d) fits = shape[d] < 0 || array.shape[d] == shape[d];
    if (!fits)
      throw Error(ErrorCode::kBadFile, fmt::format("{}: \"{}\" is [{}], expected is [{}]", where_, name,
                                                   fmt::join(array.shape, ", "), fmt::join(shape, ", ")));
    return array;
  }
  std::vector<int> indices(const std::string& name, const std::vector<std::int64_t>& shape, std::int64_t limit) const {
    std::vector<int> out;
    for (const double value : get(name, shape).values) {
      if (!(value >= 0 && value < static_cast<double>(limit)))
        throw Error(ErrorCode::kBadFile, fmt::format("{}: \"{}\" holds {} of {}", where_, name, value, limit));
      out.push_back(static_cast<int>(value));
    }
    return out;
  }
  const std::string& where() const { return where_; }

 private:
  std::string where_;
  NumberTable table_;
};

Vec3 row(const NumberArray& array, std::int64_t v) {
  const double* at = array.values.data() + 3 * v;
  return Vec3(static_cast<float>(at[0]), static_cast<float>(at[1]), static_cast<float>(at[2]));
}

// Landmarks of the mesh: 105 of MediaPipe's by number, or the 51 of iBUG's face without the jaw line.
std::vector<Anchor> read_anchors(const std::filesystem::path& path, const HeadModel& model, int landmark_count) {
  if (path.empty()) {
    throw Error(
        ErrorCode::kBadArgument, "a FLAME head needs its landmarks",
        "give --landmarks mediapipe_landmark_embedding.npz (or flame_static_embedding.pkl), published with FLAME");
  }
  const Arrays arrays(path);
  const std::vector<int> faces = arrays.indices("lmk_face_idx", {-1}, model.mesh.face_count());
  const auto count = static_cast<std::int64_t>(faces.size());
  const NumberArray& weights = arrays.get("lmk_b_coords", {count, 3});
  std::vector<int> landmarks;
  if (arrays.has("landmark_indices")) {
    landmarks = arrays.indices("landmark_indices", {count}, landmark_count);
  } else if (count == 51) {
    for (int i = 17; i < 68; ++i) landmarks.push_back(landmark_of_68(i));
  } else {
    throw Error(ErrorCode::kBadFile,
                fmt::format("{}: {} landmarks without \"landmark_indices\"", path.string(), count));
  }
  std::vector<Anchor> anchors;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto k = static_cast<std::size_t>(i);
    anchors.push_back({landmarks[k], surface_point(model, {faces[k], row(weights, i)}, model.mesh.positions)});
  }
  // A landmark named twice would make the warp's system singular.
  std::sort(anchors.begin(), anchors.end(), [](const Anchor& a, const Anchor& b) { return a.landmark < b.landmark; });
  anchors.erase(std::unique(anchors.begin(), anchors.end(),
                            [](const Anchor& a, const Anchor& b) { return a.landmark == b.landmark; }),
                anchors.end());
  return anchors;
}

struct Skin {
  std::vector<float> jaw;  // [V] share that follows the jaw
  std::array<Vec3, kJoints> joints;
};

// Mesh, parts and joints, not yet placed.
Skin read_mesh(const Arrays& arrays, HeadModel& model) {
  const NumberArray& positions = arrays.get("v_template", {-1, 3});
  const std::int64_t v = positions.shape[0];
  if (v < 4 || v > 200000) throw Error(ErrorCode::kBadFile, fmt::format("{}: {} vertices", arrays.where(), v));
  for (std::int64_t i = 0; i < v; ++i) model.mesh.positions.push_back(row(positions, i));
  const std::vector<int> corners = arrays.indices("f", {-1, 3}, v);
  for (std::size_t i = 0; i + 2 < corners.size(); i += 3)
    model.mesh.faces.emplace_back(corners[i], corners[i + 1], corners[i + 2]);
  const NumberArray& weights = arrays.get("weights", {v, kJoints});
  const auto weight = [&](std::int64_t vertex, std::int64_t joint) {
    return static_cast<float>(weights.values[static_cast<std::size_t>(vertex * kJoints + joint)]);
  };
  for (const Index3& face : model.mesh.faces) {
    const auto hangs_on = [&](std::int64_t joint) {
      return std::all_of(face.begin(), face.end(), [&](int corner) { return weight(corner, joint) > 0.9f; });
    };
    model.face_part.push_back(hangs_on(kLeftEye)    ? HeadPart::kEyeLeft
                              : hangs_on(kRightEye) ? HeadPart::kEyeRight
                                                    : HeadPart::kSkin);
  }
  const NumberArray& regressor = arrays.get("J_regressor", {kJoints, v});
  Skin skin;
  for (std::int64_t j = 0; j < kJoints; ++j) {
    Eigen::Vector3d sum = Eigen::Vector3d::Zero();
    for (std::int64_t i = 0; i < v; ++i) {
      sum += regressor.values[static_cast<std::size_t>(j * v + i)] *
             model.mesh.positions[static_cast<std::size_t>(i)].cast<double>();
    }
    skin.joints[static_cast<std::size_t>(j)] = sum.cast<float>();
  }
  for (std::int64_t i = 0; i < v; ++i) skin.jaw.push_back(std::clamp(weight(i, kJaw), 0.0f, 1.0f));
  return skin;
}

}  // namespace

OutsideHead build_flame_head(const FlameOptions& options, const HeadModel& reference) {
  const Arrays arrays(options.model);
  OutsideHead out;
  HeadModel& model = out.model;
  model.id = "flame-1";
  const Skin skin = read_mesh(arrays, model);
  const std::int64_t v = model.vertex_count();
  const NumberArray& shapes = arrays.get("shapedirs", {v, 3, -1});
  const std::int64_t columns = shapes.shape[2];
  if (columns <= kShapes) {
    throw Error(ErrorCode::kUnsupported,
                fmt::format("{}: \"shapedirs\" has {} columns; FLAME has {} of shape and then those of expression",
                            arrays.where(), columns, kShapes));
  }
  const auto column = [&](std::int64_t c) {
    std::vector<Vec3> field(static_cast<std::size_t>(v));
    for (std::int64_t i = 0; i < v; ++i) {
      for (int k = 0; k < 3; ++k)
        field[static_cast<std::size_t>(i)][k] =
            static_cast<float>(shapes.values[static_cast<std::size_t>((3 * i + k) * columns + c)]);
    }
    return field;
  };
  const std::vector<Anchor> placed_later =
      read_anchors(options.landmarks, model, static_cast<int>(reference.landmarks.size()));
  const Vec3 before = model.mesh.positions[0];
  place_at(model, skin.joints[kLeftEye], skin.joints[kRightEye], arrays.where());
  const Vec3 shift = model.mesh.positions[0] - before;
  std::vector<Anchor> anchors = placed_later;
  for (Anchor& anchor : anchors) anchor.place += shift;

  const Overlay overlay(reference, model, skin.jaw, anchors, arrays.where());
  overlay.label(model);

  FlameMovements movements;
  for (std::int64_t c = kShapes; c < columns; ++c) movements.expressions.push_back(column(c));
  movements.jaw_joint = skin.joints[kJaw] + shift;
  movements.jaw_share = skin.jaw;
  if (arrays.has("posedirs")) {
    const NumberArray& corrections = arrays.get("posedirs", {v, 3, 9 * (kJoints - 1)});
    constexpr std::int64_t kFirst = 9 * (kJaw - 1), kAll = 9 * (kJoints - 1);
    for (std::int64_t i = 0; i < 3 * v; ++i) {
      for (std::int64_t k = 0; k < 9; ++k)
        movements.jaw_corrections.push_back(
            static_cast<float>(corrections.values[static_cast<std::size_t>(i * kAll + kFirst + k)]));
    }
  }
  make_arkit_expressions(movements, reference, overlay, out);
  for (std::int64_t c = 0; c < std::min<std::int64_t>(kShapes, options.identity_modes); ++c)
    add_identity_mode(fmt::format("shape{:03}", c), column(c), model);
  out.notes.emplace_back("FLAME has no teeth, tongue or inside of the mouth: an avatar on it has to paint them");
  out.notes.emplace_back("neck and head turn as the default head's, not by FLAME's own skinning");
  return out;
}

}  // namespace mien
