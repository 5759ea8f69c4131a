#include "capture/capture_json.h"

#include <cmath>
#include <set>

#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/head/emotion_json.h"

namespace mien::capture {
namespace {

constexpr int kMaxSide = 16384;
constexpr int kMaxFrames = 10'000'000;

[[noreturn]] void refuse(const std::string& where, const std::string& what, const std::string& mend) {
  throw Error(ErrorCode::kBadFile, where + ": " + what, mend);
}

// Runs `body`; what it throws becomes a problem at `where`.
template <typename Body>
void guarded(const std::string& where, const ProblemSink& sink, const Body& body) {
  try {
    body();
  } catch (const Error& error) {
    std::string what = error.message();
    if (what.starts_with(where + ": ")) what = what.substr(where.size() + 2);
    sink({where, what, error.mend().empty() ? "correct capture.json (docs/capture.md has its format)" : error.mend()});
  }
}

const Json& list_of(const Json& json, const char* key, const std::string& where) {
  if (!json.contains(key)) throw_bad_field(key, where, "is missing");
  if (!json[key].is_array()) throw_bad_field(key, where, "is no list");
  return json[key];
}

CaptureCamera parse_camera(const Json& json, const std::string& where) {
  CaptureCamera out;
  out.id = get_field<std::string>(json, "id", where);
  if (out.id.empty()) throw_bad_field("id", where, "is empty");
  Camera& c = out.camera;
  c.width = get_field<int>(json, "width", where);
  c.height = get_field<int>(json, "height", where);
  if (c.width < 1 || c.height < 1 || c.width > kMaxSide || c.height > kMaxSide) {
    refuse(where, fmt::format("a size of {}x{} pixels", c.width, c.height), fmt::format("use 1 to {}", kMaxSide));
  }
  c.fx = get_field<float>(json, "fx", where);
  c.fy = get_field<float>(json, "fy", where);
  c.cx = get_field<float>(json, "cx", where);
  c.cy = get_field<float>(json, "cy", where);
  c.distortion = get_field_or<std::array<float, 5>>(json, "distortion", where, {});
  bool sound =
      std::isfinite(c.fx) && std::isfinite(c.fy) && c.fx > 0 && c.fy > 0 && std::isfinite(c.cx) && std::isfinite(c.cy);
  for (const float k : c.distortion) sound = sound && std::isfinite(k);
  if (!sound) {
    refuse(where, fmt::format("intrinsics fx {}, fy {}, cx {}, cy {} are impossible", c.fx, c.fy, c.cx, c.cy),
           "give focal lengths above 0, all in pixels");
  }
  out.moving = get_field_or<bool>(json, "moving", where, false);
  if (!out.moving) {
    if (!json.contains("world_to_camera")) throw_bad_field("world_to_camera", where, "is missing");
    c.world_to_camera = rigid_from_json(json["world_to_camera"], where);
  }
  out.background = get_field_or<std::array<float, 3>>(json, "background", where, {0, 0, 0});
  for (const float value : out.background) {
    if (!(value >= 0 && value <= 1)) refuse(where, fmt::format("background {} is no colour", value), "use 0 to 1");
  }
  return out;
}

CaptureView parse_view(const Json& json, const Capture& capture, const std::string& where) {
  CaptureView view;
  view.camera = get_field<std::string>(json, "camera", where);
  const CaptureCamera& camera = capture.camera(view.camera);
  view.images = get_field<std::string>(json, "images", where);
  path_inside(capture.folder, view.images, where);
  view.masks = get_field_or<std::string>(json, "masks", where, "");
  if (!view.masks.empty()) path_inside(capture.folder, view.masks, where);
  view.labels = get_field_or<std::string>(json, "labels", where, "");
  if (!view.labels.empty()) path_inside(capture.folder, view.labels, where);
  view.camera_path = get_field_or<std::string>(json, "camera_path", where, "");
  if (camera.moving && view.camera_path.empty()) {
    refuse(where, "the camera moves, but the view has no camera_path", "name a JSON file with a matrix for each frame");
  }
  if (!view.camera_path.empty()) path_inside(capture.folder, view.camera_path, where);
  return view;
}

CaptureSequence parse_sequence(const Json& json, const Capture& capture, const std::string& where,
                               const ProblemSink& sink) {
  CaptureSequence s;
  s.id = get_field<std::string>(json, "id", where);
  if (s.id.empty()) throw_bad_field("id", where, "is empty");
  s.appearance = get_field_or<std::string>(json, "appearance", where, "default");
  if (json.contains("emotion")) s.emotion = emotion_track_from_json(json["emotion"], where);
  s.fps = get_field<double>(json, "fps", where);
  if (!(s.fps > 0 && s.fps <= 1000)) refuse(where, fmt::format("{} frames/s", s.fps), "use a rate up to 1000");
  s.frames = get_field<int>(json, "frames", where);
  if (s.frames < 1 || s.frames > kMaxFrames) refuse(where, fmt::format("{} frames", s.frames), "use at least 1");
  s.transcript = get_field_or<std::string>(json, "transcript", where, "");
  s.split = get_field_or<std::string>(json, "split", where, "train");
  if (s.split != "train" && s.split != "test")
    refuse(where, "split \"" + s.split + "\"", "write \"train\" or \"test\"");
  for (const auto& [key, field] : {std::pair{"audio", &s.audio}, {"phones", &s.phones}, {"motion", &s.motion}}) {
    *field = get_field_or<std::string>(json, key, where, "");
    if (!field->empty()) guarded(where, sink, [&, f = field] { path_inside(capture.folder, *f, where); });
  }
  std::set<std::string> seen;
  std::size_t index = 0;
  for (const Json& view : list_of(json, "views", where)) {
    const std::string at = fmt::format("{}, view {}", where, index++);
    guarded(at, sink, [&] {
      CaptureView parsed = parse_view(view, capture, at);
      if (!seen.insert(parsed.camera).second) {
        refuse(at, fmt::format("camera \"{}\" occurs twice", parsed.camera), "give each camera one view a sequence");
      }
      s.views.push_back(std::move(parsed));
    });
  }
  return s;
}

// "happy:0.5,sad:0.25"; the shortest text that reads back as the same numbers.
std::string emotion_text(const EmotionVector& value) {
  std::string text;
  for (int i = 1; i < kEmotionCount; ++i) {
    if (value[i] > 0) text += fmt::format("{}{}:{}", text.empty() ? "" : ",", kEmotionNames[i], value[i]);
  }
  return text.empty() ? "neutral" : text;
}

}  // namespace

Json matrix_to_json(const Mat4& matrix) {
  Json rows = Json::array();
  for (int r = 0; r < 4; ++r) rows.push_back({matrix(r, 0), matrix(r, 1), matrix(r, 2), matrix(r, 3)});
  return rows;
}

Mat4 rigid_from_json(const Json& json, const std::string& where) {
  std::vector<float> values;
  const auto add = [&](const Json& list) {
    for (const Json& value : list) {
      if (!value.is_number())
        refuse(where, "world_to_camera holds something other than numbers", "write four rows of four");
      values.push_back(value.get<float>());
    }
  };
  if (json.is_array() && !json.empty() && json[0].is_array()) {
    for (const Json& row : json) add(row);
  } else if (json.is_array()) {
    add(json);
  }
  if (values.size() != 16) {
    refuse(where, fmt::format("world_to_camera has {} numbers", values.size()), "write four rows of four");
  }
  Mat4 matrix;
  for (int i = 0; i < 16; ++i) matrix(i / 4, i % 4) = values[i];
  const auto rotation = matrix.topLeftCorner<3, 3>();
  const float skew = (rotation * rotation.transpose() - Eigen::Matrix3f::Identity()).cwiseAbs().maxCoeff();
  const bool last_row = matrix(3, 0) == 0 && matrix(3, 1) == 0 && matrix(3, 2) == 0 && matrix(3, 3) == 1;
  if (!matrix.allFinite() || !(skew < 1e-3f) || !last_row) {
    refuse(where, fmt::format("world_to_camera is not rigid (its axes are off by {:.3g})", skew),
           "give a rotation and a translation in metres, last row 0 0 0 1");
  }
  if (rotation.determinant() < 0) {
    refuse(where, "world_to_camera mirrors the world", "use a right-handed world and OpenCV's axes (x right, y down)");
  }
  return matrix;
}

Capture parse_capture(const Json& json, const std::filesystem::path& folder, const ProblemSink& sink) {
  const std::string file = (folder / "capture.json").string();
  Capture capture;
  capture.folder = folder;
  if (get_field<std::string>(json, "format", file) != kFormatName) {
    throw_bad_field("format", file, fmt::format("is not \"{}\"", kFormatName));
  }
  const int version = get_field<int>(json, "version", file);
  if (version != kFormatVersion) {
    throw Error(ErrorCode::kUnsupported,
                fmt::format("{}: capture format version {}; this program reads {}", file, version, kFormatVersion),
                "use a newer mien");
  }
  guarded(file, sink, [&] {
    capture.person = get_field<std::string>(json, "person", file);
    capture.head_model = get_field_or<std::string>(json, "head_model", file, "");
    if (!capture.head_model.empty()) path_inside(folder, capture.head_model, file);
    capture.tracked = get_field_or<bool>(json, "tracked", file, true);
    capture.points = get_field_or<std::string>(json, "points", file, "");
    if (!capture.points.empty()) path_inside(folder, capture.points, file);
  });
  std::set<std::string> ids;
  std::size_t index = 0;
  for (const Json& camera : list_of(json, "cameras", file)) {
    const std::string where = fmt::format("{}, camera {}", file, index++);
    guarded(where, sink, [&] {
      CaptureCamera parsed = parse_camera(camera, where);
      if (!ids.insert(parsed.id).second)
        refuse(where, "a second camera \"" + parsed.id + "\"", "give it a name of its own");
      capture.cameras.push_back(std::move(parsed));
    });
  }
  ids.clear();
  index = 0;
  for (const Json& sequence : list_of(json, "sequences", file)) {
    std::string where = fmt::format("{}, sequence {}", file, index++);
    if (sequence.is_object() && sequence.contains("id") && sequence["id"].is_string()) {
      where = fmt::format("{}, sequence {}", file, sequence["id"].get<std::string>());
    }
    guarded(where, sink, [&] {
      CaptureSequence parsed = parse_sequence(sequence, capture, where, sink);
      if (!ids.insert(parsed.id).second) {
        refuse(where, "a second sequence \"" + parsed.id + "\"", "give it a name of its own");
      }
      capture.sequences.push_back(std::move(parsed));
    });
  }
  return capture;
}

Json to_json(const Capture& capture) {
  Json json = {{"format", kFormatName},    {"version", kFormatVersion},
               {"person", capture.person}, {"head_model", capture.head_model},
               {"cameras", Json::array()}, {"sequences", Json::array()}};
  if (!capture.tracked) json["tracked"] = false;
  if (!capture.points.empty()) json["points"] = capture.points;
  for (const CaptureCamera& c : capture.cameras) {
    Json camera = {{"id", c.id},
                   {"width", c.camera.width},
                   {"height", c.camera.height},
                   {"fx", c.camera.fx},
                   {"fy", c.camera.fy},
                   {"cx", c.camera.cx},
                   {"cy", c.camera.cy},
                   {"moving", c.moving},
                   {"distortion", c.camera.distortion},
                   {"background", c.background}};
    if (!c.moving) camera["world_to_camera"] = matrix_to_json(c.camera.world_to_camera);
    json["cameras"].push_back(std::move(camera));
  }
  for (const CaptureSequence& s : capture.sequences) {
    Json sequence = {{"id", s.id},         {"appearance", s.appearance}, {"fps", s.fps},
                     {"frames", s.frames}, {"split", s.split},           {"transcript", s.transcript},
                     {"audio", s.audio},   {"phones", s.phones},         {"motion", s.motion}};
    if (!s.emotion.keys.empty()) {
      sequence["emotion"] = Json::array();
      for (const EmotionTrack::Key& key : s.emotion.keys) {
        sequence["emotion"].push_back({{"time", key.time}, {"emotion", emotion_text(key.value)}});
      }
    }
    sequence["views"] = Json::array();
    for (const CaptureView& v : s.views) {
      Json view = {{"camera", v.camera}, {"images", v.images}, {"masks", v.masks}};
      if (!v.labels.empty()) view["labels"] = v.labels;
      if (!v.camera_path.empty()) view["camera_path"] = v.camera_path;
      sequence["views"].push_back(std::move(view));
    }
    json["sequences"].push_back(std::move(sequence));
  }
  return json;
}

}  // namespace mien::capture
