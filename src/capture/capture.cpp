#include "mien/capture/capture.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "capture/capture_json.h"
#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/base/safetensors.h"

namespace fs = std::filesystem;

namespace mien {

// Camera paths by file, read once.
class CameraPathCache {
 public:
  std::shared_ptr<const std::vector<Mat4>> get(const fs::path& path) {
    const std::lock_guard lock(mutex_);
    std::shared_ptr<const std::vector<Mat4>>& entry = paths_[path.string()];
    if (!entry) entry = std::make_shared<const std::vector<Mat4>>(read_camera_path(path));
    return entry;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const std::vector<Mat4>>> paths_;
};

namespace {

template <typename T>
const T& find_by_id(const std::vector<T>& items, const std::string& id, const char* kind) {
  std::string known;
  for (const T& item : items) {
    if (item.id == id) return item;
    known += (known.empty() ? "" : ", ") + item.id;
  }
  throw Error(ErrorCode::kBadArgument, fmt::format("the capture has no {} \"{}\"", kind, id),
              known.empty() ? fmt::format("it has no {}s at all", kind) : fmt::format("it has {}", known));
}

}  // namespace

Capture Capture::load(const fs::path& folder) {
  const Json json = read_json(folder / "capture.json");
  Capture capture = capture::parse_capture(json, folder, [](const CaptureProblem& problem) {
    throw Error(ErrorCode::kBadFile, problem.where + ": " + problem.what, problem.mend);
  });
  capture.camera_paths = std::make_shared<CameraPathCache>();
  return capture;
}

void Capture::save() const {
  make_output_folder(folder);
  write_json(folder / "capture.json", capture::to_json(*this));
}

const CaptureCamera& Capture::camera(const std::string& id) const {
  return find_by_id(cameras, id, "camera");
}

const CaptureSequence& Capture::sequence(const std::string& id) const {
  return find_by_id(sequences, id, "sequence");
}

HeadModel Capture::load_head_model() const {
  const std::string where = (folder / "capture.json").string();
  if (!tracked && head_model.empty()) {
    throw Error(ErrorCode::kBadArgument, where + ": pictures without tracking: there is no head model and no motion",
                "still scenes are trained with: mien scene train; docs/import.md says how video gets its motion");
  }
  if (head_model.empty()) throw_bad_field("head_model", where, "is missing");
  return HeadModel::load(path_inside(folder, head_model, where));
}

HeadMotion Capture::load_motion(const CaptureSequence& sequence) const {
  const std::string where = fmt::format("{}, sequence {}", (folder / "capture.json").string(), sequence.id);
  if (sequence.motion.empty()) throw_bad_field("motion", where, "is missing");
  return HeadMotion::load(path_inside(folder, sequence.motion, where));
}

CapturePoints Capture::load_points() const {
  CapturePoints out;
  if (points.empty()) return out;
  const fs::path path = path_inside(folder, points, (folder / "capture.json").string());
  const SafetensorsFile file = SafetensorsFile::open(path);
  const std::vector<float> positions = file.floats("positions", {-1, 3});
  const std::vector<std::int32_t> colours = file.ints("colours", {static_cast<std::int64_t>(positions.size())});
  for (std::size_t i = 0; i < positions.size(); i += 3) {
    out.positions.emplace_back(positions[i], positions[i + 1], positions[i + 2]);
    if (!out.positions.back().allFinite()) {
      throw Error(ErrorCode::kBadFile, fmt::format("{}: point {} is not finite", path.string(), i / 3),
                  "import the capture again");
    }
    std::array<std::uint8_t, 3>& colour = out.colours.emplace_back();
    for (std::size_t c = 0; c < 3; ++c) colour[c] = static_cast<std::uint8_t>(std::clamp(colours[i + c], 0, 255));
  }
  return out;
}

void write_capture_points(const fs::path& path, const CapturePoints& points) {
  std::vector<float> positions;
  std::vector<std::uint8_t> colours;
  for (std::size_t i = 0; i < points.positions.size(); ++i) {
    positions.insert(positions.end(), points.positions[i].data(), points.positions[i].data() + 3);
    colours.insert(colours.end(), points.colours[i].begin(), points.colours[i].end());
  }
  SafetensorsWriter writer;
  writer.add("positions", {static_cast<std::int64_t>(points.positions.size()), 3}, std::span<const float>(positions));
  writer.add("colours", std::span<const std::uint8_t>(colours));
  writer.write(path);
}

Camera Capture::camera_at(const CaptureSequence& sequence, const CaptureView& view, int frame) const {
  const CaptureCamera& found = camera(view.camera);
  if (frame < 0 || frame >= sequence.frames) {
    throw Error(ErrorCode::kBadArgument,
                fmt::format("frame {} of sequence {}, which has {}", frame, sequence.id, sequence.frames));
  }
  Camera out = found.camera;
  if (!found.moving) return out;
  const fs::path path = path_inside(folder, view.camera_path, fmt::format("sequence {}", sequence.id));
  const auto matrices =
      camera_paths ? camera_paths->get(path) : std::make_shared<const std::vector<Mat4>>(read_camera_path(path));
  if (static_cast<std::size_t>(frame) >= matrices->size()) {
    throw Error(ErrorCode::kBadFile,
                fmt::format("{}: has {} matrices, sequence {} has {} frames", path.string(), matrices->size(),
                            sequence.id, sequence.frames),
                "write one for each frame");
  }
  out.world_to_camera = (*matrices)[frame];
  return out;
}

std::string frame_name(int frame) {
  return fmt::format("{:06d}", frame);
}

fs::path Capture::image_path(const CaptureView& view, int frame) const {
  const fs::path base = path_inside(folder, view.images, "view of camera " + view.camera) / frame_name(frame);
  for (const char* extension : {".jpg", ".png", ".jpeg"}) {
    fs::path path = base;
    path += extension;
    if (fs::exists(path)) return path;
  }
  throw Error(ErrorCode::kNotFound, base.string() + ".jpg or .png: no such file",
              "`mien capture check` lists what misses");
}

fs::path Capture::mask_path(const CaptureView& view, int frame) const {
  if (view.masks.empty()) return {};
  return path_inside(folder, view.masks, "view of camera " + view.camera) / (frame_name(frame) + ".png");
}

fs::path Capture::labels_path(const CaptureView& view, int frame) const {
  if (view.labels.empty()) return {};
  return path_inside(folder, view.labels, "view of camera " + view.camera) / (frame_name(frame) + ".png");
}

void write_camera_path(const fs::path& path, const std::vector<Mat4>& world_to_camera) {
  Json json = Json::array();
  for (const Mat4& matrix : world_to_camera) json.push_back(capture::matrix_to_json(matrix));
  const std::string text = json.dump() + "\n";
  write_file(path, text.data(), text.size());
}

std::vector<Mat4> read_camera_path(const fs::path& path) {
  const Json json = read_json(path);
  if (!json.is_array()) throw Error(ErrorCode::kBadFile, path.string() + ": is no list of matrices", "write it again");
  std::vector<Mat4> out;
  out.reserve(json.size());
  for (const Json& matrix : json) {
    out.push_back(capture::rigid_from_json(matrix, fmt::format("{}, frame {}", path.string(), out.size())));
  }
  return out;
}

}  // namespace mien
