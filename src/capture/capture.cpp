#include "mien/capture/capture.h"

#include <map>
#include <mutex>

#include "capture/capture_json.h"
#include "mien/base/error.h"
#include "mien/base/file.h"

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
  if (head_model.empty()) throw_bad_field("head_model", where, "is missing");
  return HeadModel::load(path_inside(folder, head_model, where));
}

HeadMotion Capture::load_motion(const CaptureSequence& sequence) const {
  const std::string where = fmt::format("{}, sequence {}", (folder / "capture.json").string(), sequence.id);
  if (sequence.motion.empty()) throw_bad_field("motion", where, "is missing");
  return HeadMotion::load(path_inside(folder, sequence.motion, where));
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
