#include "mien/head/head_motion.h"

#include <cmath>

#include "mien/base/error.h"
#include "mien/base/json.h"
#include "mien/base/safetensors.h"

namespace mien {
namespace {

constexpr int kFormat = 1;
constexpr std::size_t kMaxExpressions = 1000;

[[noreturn]] void damaged(const SafetensorsFile& file, const std::string& what) {
  throw Error(ErrorCode::kBadFile, fmt::format("{}: damaged motion: {}", file.path().string(), what),
              "make or copy it again");
}

std::vector<float> finite(const SafetensorsFile& file, const std::string& name, std::vector<std::int64_t> shape) {
  std::vector<float> values = file.floats(name, std::move(shape));
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) damaged(file, fmt::format("{} holds {} at position {}", name, values[i], i));
  }
  return values;
}

Quat rotation_at(const SafetensorsFile& file, const char* name, const std::vector<float>& values, std::size_t frame) {
  const float* q = values.data() + 4 * frame;
  Quat rotation(q[0], q[1], q[2], q[3]);
  const float norm = rotation.norm();
  if (std::abs(norm - 1) > 1e-2f) {
    damaged(file, fmt::format("{} of frame {} is no rotation (quaternion of length {})", name, frame, norm));
  }
  if (std::abs(norm - 1) > 1e-6f) rotation.normalize();  // an exact file stays exact
  return rotation;
}

void append(std::vector<float>& out, const Quat& q) {
  out.insert(out.end(), {q.w(), q.x(), q.y(), q.z()});
}

}  // namespace

void HeadMotion::vertices(const HeadModel& model, int frame, std::vector<Vec3>& out) const {
  MIEN_CHECK(frame >= 0 && frame < frame_count(), "frame {} of {}", frame, frame_count());
  const MotionFrame& f = frames[frame];
  const bool has_offsets = !f.offsets.empty();
  if (static_cast<int>(f.expression.size()) > model.expression_count() ||
      (has_offsets && f.offsets.size() != model.mesh.positions.size())) {
    throw Error(
        ErrorCode::kBadFile,
        fmt::format("frame {} has {} expressions and {} offsets; the head {} has {} and {} vertices", frame,
                    f.expression.size(), f.offsets.size(), model.id, model.expression_count(), model.vertex_count()),
        "the motion was made for another head model");
  }
  model.deform(f.expression.data(), static_cast<int>(f.expression.size()), has_offsets ? f.offsets.data() : nullptr,
               out);
  model.pose(f.pose, out);
}

void HeadMotion::save(const std::filesystem::path& path) const {
  const auto t = static_cast<std::int64_t>(frames.size());
  const auto e = static_cast<std::int64_t>(expression_names.size());
  std::size_t vertices = 0;
  for (const MotionFrame& f : frames) vertices = std::max(vertices, f.offsets.size());
  std::vector<float> expression, head, neck, root, translation, gaze, emotion, offsets;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const MotionFrame& f = frames[i];
    MIEN_CHECK(f.expression.size() <= expression_names.size(), "frame {}: {} weights, {} names", i, f.expression.size(),
               e);
    MIEN_CHECK(f.offsets.empty() || f.offsets.size() == vertices, "frame {}: {} offsets of {}", i, f.offsets.size(),
               vertices);
    expression.insert(expression.end(), f.expression.begin(), f.expression.end());
    expression.resize((i + 1) * expression_names.size(), 0.0f);
    append(head, f.pose.head);
    append(neck, f.pose.neck);
    append(root, f.pose.root);
    translation.insert(translation.end(), f.pose.translation.data(), f.pose.translation.data() + 3);
    gaze.insert(gaze.end(), {f.pose.gaze_left[0], f.pose.gaze_left[1], f.pose.gaze_right[0], f.pose.gaze_right[1]});
    emotion.insert(emotion.end(), f.emotion.begin(), f.emotion.end());
    for (const Vec3& offset : f.offsets) offsets.insert(offsets.end(), offset.data(), offset.data() + 3);
    offsets.resize((i + 1) * vertices * 3, 0.0f);
  }
  SafetensorsWriter writer;
  const Json header = {{"format", kFormat},
                       {"head_model", head_model},
                       {"fps", fps},
                       {"start", start},
                       {"expression_names", expression_names}};
  writer.metadata("motion", header.dump());
  writer.add("expression", {t, e}, expression);
  writer.add("head", {t, 4}, head);
  writer.add("neck", {t, 4}, neck);
  writer.add("root", {t, 4}, root);
  writer.add("translation", {t, 3}, translation);
  writer.add("gaze", {t, 4}, gaze);
  writer.add("emotion", {t, kEmotionCount}, emotion);
  if (vertices > 0) writer.add_half("offsets", {t, static_cast<std::int64_t>(vertices), 3}, offsets);
  writer.write(path);
}

HeadMotion HeadMotion::load(const std::filesystem::path& path) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  const auto found = file.metadata().find("motion");
  if (found == file.metadata().end())
    damaged(file, "no \"motion\" in its metadata; this is some other safetensors file");
  const Json header = Json::parse(found->second, nullptr, false);
  if (!header.is_object()) damaged(file, "its metadata is not a JSON object");
  const std::string where = path.string();
  const int format = get_field<int>(header, "format", where);
  if (format != kFormat) {
    throw Error(ErrorCode::kUnsupported,
                fmt::format("{}: motion format {}, this program reads {}", where, format, kFormat),
                "use the matching version of mien");
  }
  HeadMotion motion;
  motion.head_model = get_field<std::string>(header, "head_model", where);
  motion.fps = get_field<double>(header, "fps", where);
  motion.start = get_field<double>(header, "start", where);
  motion.expression_names = get_field<std::vector<std::string>>(header, "expression_names", where);
  if (!(motion.fps > 0 && motion.fps <= 1000) || !std::isfinite(motion.start)) {
    damaged(file, fmt::format("{} frames a second from {} s on", motion.fps, motion.start));
  }
  if (motion.expression_names.size() > kMaxExpressions)
    damaged(file, fmt::format("{} expressions", motion.expression_names.size()));
  const std::vector<float> head = finite(file, "head", {-1, 4});
  const auto t = static_cast<std::int64_t>(head.size() / 4);  // bounded by the size of the file
  const auto e = static_cast<std::int64_t>(motion.expression_names.size());
  const std::vector<float> neck = finite(file, "neck", {t, 4});
  const std::vector<float> root = finite(file, "root", {t, 4});
  const std::vector<float> translation = finite(file, "translation", {t, 3});
  const std::vector<float> gaze = finite(file, "gaze", {t, 4});
  const std::vector<float> emotion = finite(file, "emotion", {t, kEmotionCount});
  const std::vector<float> expression = finite(file, "expression", {t, e});
  const bool has_offsets = file.contains("offsets");
  const std::vector<float> offsets = has_offsets ? finite(file, "offsets", {t, -1, 3}) : std::vector<float>();
  const std::size_t vertices = t == 0 ? 0 : offsets.size() / (3 * static_cast<std::size_t>(t));
  motion.frames.resize(static_cast<std::size_t>(t));
  for (std::size_t i = 0; i < motion.frames.size(); ++i) {
    MotionFrame& f = motion.frames[i];
    f.expression.assign(expression.begin() + static_cast<std::ptrdiff_t>(i) * e,
                        expression.begin() + static_cast<std::ptrdiff_t>(i + 1) * e);
    f.pose.head = rotation_at(file, "head", head, i);
    f.pose.neck = rotation_at(file, "neck", neck, i);
    f.pose.root = rotation_at(file, "root", root, i);
    f.pose.translation = Eigen::Map<const Vec3>(translation.data() + 3 * i);
    f.pose.gaze_left = {gaze[4 * i], gaze[4 * i + 1]};
    f.pose.gaze_right = {gaze[4 * i + 2], gaze[4 * i + 3]};
    std::copy_n(emotion.begin() + static_cast<std::ptrdiff_t>(i) * kEmotionCount, kEmotionCount, f.emotion.begin());
    f.offsets.reserve(vertices);
    for (std::size_t v = 0; v < vertices; ++v)
      f.offsets.emplace_back(Eigen::Map<const Vec3>(offsets.data() + 3 * (i * vertices + v)));
  }
  return motion;
}

}  // namespace mien
