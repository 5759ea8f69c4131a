// The head model on disk: tensors in a safetensors file, small enough to travel inside an avatar.
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <limits>

#include "mien/base/error.h"
#include "mien/base/json.h"
#include "mien/base/resource.h"
#include "mien/base/safetensors.h"
#include "mien/head/head_model.h"

namespace fs = std::filesystem;

namespace mien {
namespace {

constexpr int kFormat = 1;
constexpr std::size_t kMaxVertices = 1'000'000;
constexpr std::size_t kMaxModes = 1000;

[[noreturn]] void damaged(const SafetensorsFile& file, const std::string& what) {
  throw Error(ErrorCode::kBadFile, fmt::format("{}: damaged head model: {}", file.path().string(), what),
              "make it again with scripts/setup, or copy it again");
}

template <typename Vector>
std::vector<float> flat(const std::vector<Vector>& values) {
  std::vector<float> out;
  out.reserve(values.size() * Vector::RowsAtCompileTime);
  for (const Vector& v : values) out.insert(out.end(), v.data(), v.data() + Vector::RowsAtCompileTime);
  return out;
}

std::vector<std::int32_t> flat(const std::vector<Index3>& values) {
  std::vector<std::int32_t> out;
  for (const Index3& v : values) out.insert(out.end(), v.data(), v.data() + 3);
  return out;
}

std::vector<std::int32_t> flat(const std::vector<std::array<int, 2>>& pairs) {
  std::vector<std::int32_t> out;
  for (const auto& [upper, lower] : pairs) out.insert(out.end(), {upper, lower});
  return out;
}

// A basis is kept for those vertices only that any mode moves: expressions leave the skull and shoulders alone.
void save_basis(SafetensorsWriter& writer, const std::string& name, const std::vector<Vec3>& basis,
                std::size_t vertices) {
  const std::size_t modes = vertices == 0 ? 0 : basis.size() / vertices;
  std::vector<std::int32_t> rows;
  for (std::size_t v = 0; v < vertices; ++v) {
    bool moves = false;
    for (std::size_t m = 0; m < modes && !moves; ++m) moves = basis[m * vertices + v].squaredNorm() > 1e-14f;
    if (moves) rows.push_back(static_cast<std::int32_t>(v));
  }
  std::vector<float> values;
  values.reserve(modes * rows.size() * 3);
  for (std::size_t m = 0; m < modes; ++m) {
    for (const std::int32_t v : rows) {
      const Vec3& d = basis[m * vertices + static_cast<std::size_t>(v)];
      values.insert(values.end(), d.data(), d.data() + 3);
    }
  }
  const auto row_count = static_cast<std::int64_t>(rows.size());
  writer.add(name + "_rows", {row_count}, rows);
  writer.add_half(name, {static_cast<std::int64_t>(modes), row_count, 3}, values);
}

// Reads one model; every index and number is checked here, so that nothing after it needs to.
class Reader {
 public:
  Reader(const SafetensorsFile& file, const std::string& prefix) : file_(file), prefix_(prefix) {}

  Json header() {
    const auto found = file_.metadata().find(prefix_ + "head_model");
    if (found == file_.metadata().end()) damaged(file_, fmt::format("no \"{}head_model\" in its metadata", prefix_));
    const Json json = Json::parse(found->second, nullptr, false);
    if (!json.is_object()) damaged(file_, "its head_model metadata is not a JSON object");
    const int format = get_field<int>(json, "format", where());
    if (format != kFormat) {
      throw Error(ErrorCode::kUnsupported,
                  fmt::format("{}: head model format {}, this program reads {}", where(), format, kFormat),
                  "use the matching version of mien, or make the head again with scripts/setup");
    }
    return json;
  }
  std::string where() const { return file_.path().string(); }

  std::vector<std::string> names(const Json& header, const char* key) {
    auto list = get_field<std::vector<std::string>>(header, key, where());
    if (list.size() > kMaxModes) damaged(file_, fmt::format("{} {}", list.size(), key));
    return list;
  }

  template <typename Vector>
  std::vector<Vector> vectors(const std::string& name, std::int64_t count = -1) {
    constexpr int kSize = Vector::RowsAtCompileTime;
    const std::vector<float> values = floats(name, {count, kSize});
    std::vector<Vector> out(values.size() / kSize);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = Eigen::Map<const Vector>(values.data() + i * kSize);
    return out;
  }
  std::vector<float> floats(const std::string& name, std::vector<std::int64_t> shape) {
    std::vector<float> values = file_.floats(prefix_ + name, std::move(shape));
    for (const float value : values) {
      if (!std::isfinite(value) || std::abs(value) > 1e4f) damaged(file_, fmt::format("{} holds {}", name, value));
    }
    return values;
  }
  std::vector<std::int32_t> ints(const std::string& name, std::vector<std::int64_t> shape, std::int64_t limit) {
    std::vector<std::int32_t> values = file_.ints(prefix_ + name, std::move(shape));
    for (const std::int32_t value : values) {
      if (value < 0 || value >= limit)
        damaged(file_, fmt::format("{} holds {}, allowed are 0 to {}", name, value, limit - 1));
    }
    return values;
  }
  std::vector<Index3> triples(const std::string& name, std::int64_t count, std::int64_t limit) {
    const std::vector<std::int32_t> values = ints(name, {count, 3}, limit);
    std::vector<Index3> out(values.size() / 3);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = Eigen::Map<const Index3>(values.data() + 3 * i);
    return out;
  }
  std::vector<std::array<int, 2>> pairs(const std::string& name, std::int64_t limit) {
    const std::vector<std::int32_t> values = ints(name, {-1, 2}, limit);
    std::vector<std::array<int, 2>> out(values.size() / 2);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = {values[2 * i], values[2 * i + 1]};
    return out;
  }
  template <typename Label>
  std::vector<Label> labels(const std::string& name, std::int64_t count, int limit) {
    const std::vector<std::int32_t> values = ints(name, {count}, limit);
    std::vector<Label> out(values.size());
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<Label>(values[i]);
    return out;
  }
  std::vector<Vec3> basis(const std::string& name, std::size_t modes, std::size_t vertices) {
    const std::vector<std::int32_t> rows = ints(name + "_rows", {-1}, static_cast<std::int64_t>(vertices));
    if (rows.size() > vertices) damaged(file_, fmt::format("{} rows for {} vertices", rows.size(), vertices));
    const std::vector<float> values =
        floats(name, {static_cast<std::int64_t>(modes), static_cast<std::int64_t>(rows.size()), 3});
    std::vector<Vec3> out(modes * vertices, Vec3::Zero());
    const float* at = values.data();
    for (std::size_t m = 0; m < modes; ++m) {
      for (const std::int32_t v : rows) {
        out[m * vertices + static_cast<std::size_t>(v)] = Eigen::Map<const Vec3>(at);
        at += 3;
      }
    }
    return out;
  }

 private:
  const SafetensorsFile& file_;
  const std::string& prefix_;
};

}  // namespace

void HeadModel::save(SafetensorsWriter& writer, const std::string& prefix) const {
  const Json header = {
      {"format", kFormat}, {"id", id}, {"identity_names", identity_names}, {"expression_names", expression_names}};
  writer.metadata(prefix + "head_model", header.dump());
  const auto v = static_cast<std::int64_t>(mesh.positions.size());
  const auto f = static_cast<std::int64_t>(mesh.faces.size());
  writer.add(prefix + "positions", {v, 3}, flat(mesh.positions));
  writer.add(prefix + "faces", {f, 3}, flat(mesh.faces));
  writer.add(prefix + "uv", {static_cast<std::int64_t>(mesh.uv.size()), 2}, flat(mesh.uv));
  writer.add(prefix + "face_uv", {static_cast<std::int64_t>(mesh.face_uv.size()), 3}, flat(mesh.face_uv));
  writer.add(prefix + "face_part", {reinterpret_cast<const std::uint8_t*>(face_part.data()), face_part.size()});
  writer.add(prefix + "region", {reinterpret_cast<const std::uint8_t*>(region.data()), region.size()});
  save_basis(writer, prefix + "identity", identity, mesh.positions.size());
  save_basis(writer, prefix + "expression", expression, mesh.positions.size());
  writer.add(prefix + "joints", {kHeadJointCount, 3}, flat(std::vector<Vec3>(joints.begin(), joints.end())));
  std::vector<Vec3> joint_modes;
  for (const auto& mode : joint_identity) joint_modes.insert(joint_modes.end(), mode.begin(), mode.end());
  writer.add(prefix + "joint_identity", {static_cast<std::int64_t>(joint_modes.size()), 3}, flat(joint_modes));
  std::vector<float> skin;
  for (const auto& [neck, head] : skin_weights) skin.insert(skin.end(), {neck, head});
  writer.add(prefix + "skin_weights", {v, 2}, skin);
  std::vector<std::int32_t> landmark_faces;
  std::vector<Vec3> landmark_weights;
  for (const SurfacePoint& point : landmarks) {
    landmark_faces.push_back(point.face);
    landmark_weights.push_back(point.barycentric);
  }
  const auto l = static_cast<std::int64_t>(landmarks.size());
  writer.add(prefix + "landmark_faces", {l}, landmark_faces);
  writer.add(prefix + "landmark_weights", {l, 3}, flat(landmark_weights));
  const auto add_pairs = [&](const char* name, const std::vector<std::array<int, 2>>& pairs) {
    writer.add(prefix + name, {static_cast<std::int64_t>(pairs.size()), 2}, flat(pairs));
  };
  add_pairs("contour_lips", contours.lips);
  add_pairs("contour_lids_left", contours.lids_left);
  add_pairs("contour_lids_right", contours.lids_right);
  const auto add_line = [&](const char* name, const std::vector<int>& line) {
    writer.add(prefix + name, {static_cast<std::int64_t>(line.size())}, std::span<const std::int32_t>(line));
  };
  add_line("contour_upper_teeth", contours.upper_teeth);
  add_line("contour_lower_teeth", contours.lower_teeth);
  if (contours.mouth_corners[0] >= 0) add_pairs("contour_mouth_corners", {contours.mouth_corners});
}

HeadModel HeadModel::load(const SafetensorsFile& file, const std::string& prefix) {
  Reader in(file, prefix);
  const Json header = in.header();
  HeadModel model;
  model.id = get_field<std::string>(header, "id", in.where());
  model.identity_names = in.names(header, "identity_names");
  model.expression_names = in.names(header, "expression_names");
  if (model.expression_count() < kArkitCount) damaged(file, fmt::format("{} expressions", model.expression_count()));
  for (int i = 0; i < kArkitCount; ++i) {
    if (model.expression_names[i] != kArkitNames[i]) {
      damaged(file, fmt::format("expression {} is {}, not {}", i, model.expression_names[i], kArkitNames[i]));
    }
  }
  TriangleMesh& mesh = model.mesh;
  mesh.positions = in.vectors<Vec3>("positions");
  const auto v = static_cast<std::int64_t>(mesh.positions.size());
  if (mesh.positions.empty() || mesh.positions.size() > kMaxVertices) damaged(file, fmt::format("{} vertices", v));
  mesh.faces = in.triples("faces", -1, v);
  const auto f = static_cast<std::int64_t>(mesh.faces.size());
  mesh.uv = in.vectors<Vec2>("uv");
  mesh.face_uv = in.triples("face_uv", mesh.uv.empty() ? 0 : f, static_cast<std::int64_t>(mesh.uv.size()));
  model.face_part = in.labels<HeadPart>("face_part", f, static_cast<int>(HeadPart::kBrows) + 1);
  model.region = in.labels<HeadRegion>("region", v, kHeadRegionCount);
  model.identity = in.basis("identity", model.identity_names.size(), mesh.positions.size());
  model.expression = in.basis("expression", model.expression_names.size(), mesh.positions.size());
  const std::vector<Vec3> joint_rows = in.vectors<Vec3>("joints", kHeadJointCount);
  std::copy(joint_rows.begin(), joint_rows.end(), model.joints.begin());
  const std::vector<Vec3> joint_modes = in.vectors<Vec3>("joint_identity", model.identity_count() * kHeadJointCount);
  model.joint_identity.resize(model.identity_names.size());
  for (std::size_t i = 0; i < joint_modes.size(); ++i)
    model.joint_identity[i / kHeadJointCount][i % kHeadJointCount] = joint_modes[i];
  for (const Vec2& shares : in.vectors<Vec2>("skin_weights", v)) {
    if (shares.minCoeff() < 0 || shares.maxCoeff() > 1) damaged(file, "a skin weight outside 0 to 1");
    model.skin_weights.push_back({shares.x(), shares.y()});
  }
  const std::vector<std::int32_t> landmark_faces = in.ints("landmark_faces", {-1}, f);
  const std::vector<Vec3> landmark_weights =
      in.vectors<Vec3>("landmark_weights", static_cast<std::int64_t>(landmark_faces.size()));
  for (std::size_t i = 0; i < landmark_faces.size(); ++i)
    model.landmarks.push_back({landmark_faces[i], landmark_weights[i]});
  model.contours.lips = in.pairs("contour_lips", v);
  model.contours.lids_left = in.pairs("contour_lids_left", v);
  model.contours.lids_right = in.pairs("contour_lids_right", v);
  model.contours.upper_teeth = in.ints("contour_upper_teeth", {-1}, v);
  model.contours.lower_teeth = in.ints("contour_lower_teeth", {-1}, v);
  if (file.contains(prefix + "contour_mouth_corners")) {
    const auto corners = in.pairs("contour_mouth_corners", v);
    if (corners.size() != 1) damaged(file, fmt::format("{} pairs of mouth corners", corners.size()));
    model.contours.mouth_corners = corners[0];
  }
  return model;
}

HeadModel HeadModel::load(const fs::path& path) {
  return load(SafetensorsFile::open(path), "");
}

fs::path find_head_asset() {
  constexpr const char* kName = "head.safetensors";
  std::vector<fs::path> candidates;
  if (const char* given = std::getenv("MIEN_HEAD"); given != nullptr && *given != 0) {
    candidates.emplace_back(given);
  } else {
    std::error_code error;
    const fs::path program = fs::read_symlink("/proc/self/exe", error);
    if (!error) candidates.push_back(program.parent_path() / ".." / "share" / "mien" / kName);
    candidates.push_back(cache_folder() / kName);
  }
  for (const fs::path& path : candidates) {
    std::error_code error;
    if (fs::is_regular_file(path, error)) return path;
  }
  throw Error(ErrorCode::kNotFound, fmt::format("the head model {} is not there", candidates.back().string()),
              "run scripts/setup");
}

}  // namespace mien
