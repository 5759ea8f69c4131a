// mien capture check: everything that is wrong with a capture.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <mutex>

#include "capture/capture_json.h"
#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/base/parallel.h"
#include "mien/media/audio.h"

namespace fs = std::filesystem;

namespace mien {
namespace {

constexpr double kDurationTolerance = 0.1;  // seconds of sound more or less than picture

// Collects problems from all threads.
class Problems {
 public:
  void add(CaptureProblem problem) {
    const std::lock_guard lock(mutex_);
    list_.push_back(std::move(problem));
  }
  // Runs `body`; what it throws becomes a problem at `where`.
  template <typename Body>
  void guard(const std::string& where, const Body& body) {
    try {
      body();
    } catch (const Error& error) {
      add({where, error.message(), error.mend().empty() ? "write it again" : error.mend()});
    } catch (const std::exception& error) {
      add({where, error.what(), "write it again"});
    }
  }
  std::vector<CaptureProblem> sorted() {
    // strverscmp: frame 9 before frame 10.
    std::stable_sort(list_.begin(), list_.end(), [](const CaptureProblem& a, const CaptureProblem& b) {
      return ::strverscmp(a.where.c_str(), b.where.c_str()) < 0;
    });
    return std::move(list_);
  }

 private:
  std::mutex mutex_;
  std::vector<CaptureProblem> list_;
};

enum class Kind { kPicture, kMatte, kLabels };

// A picture, matte or labels picture that must be read and looked at.
struct PictureJob {
  std::string where;
  fs::path path;
  const Camera* camera;
  Kind kind;
};

void check_picture(const PictureJob& job, Problems& problems) {
  problems.guard(job.where, [&] {
    const Image8 image = read_image(job.path);
    if (image.width != job.camera->width || image.height != job.camera->height) {
      problems.add({job.where,
                    fmt::format("{}: {}x{} pixels; its camera has {}x{}", job.path.string(), image.width, image.height,
                                job.camera->width, job.camera->height),
                    "resize it, or correct the camera's size and intrinsics"});
    }
    if (image.channels != (job.kind == Kind::kPicture ? 3 : 1)) {
      problems.add(
          {job.where, fmt::format("{}: {} channels", job.path.string(), image.channels),
           job.kind == Kind::kPicture ? "store pictures as RGB" : "store mattes and labels as 8-bit grey PNG"});
    } else if (job.kind == Kind::kLabels) {
      const int most = *std::max_element(image.pixels.begin(), image.pixels.end());
      if (most >= kPersonPartCount) {
        problems.add({job.where, fmt::format("{}: holds the label {}", job.path.string(), most),
                      "labels are 0 background, 1 head, 2 neck, 3 torso"});
      }
    }
  });
}

// Frame number of "000042.png"; -1 when it is no frame.
int frame_of(const fs::path& file, Kind kind) {
  const std::string extension = file.extension().string();
  const std::string stem = file.stem().string();
  const bool known = extension == ".png" || (kind == Kind::kPicture && (extension == ".jpg" || extension == ".jpeg"));
  if (!known || stem.size() != 6 ||
      !std::all_of(stem.begin(), stem.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    return -1;
  }
  return std::stoi(stem);
}

// Lists a folder of frames: each there once, and nothing else.
void list_folder(const fs::path& folder, int frames, Kind kind, const std::string& where, const Camera& camera,
                 std::vector<PictureJob>& jobs, Problems& problems) {
  if (!fs::is_directory(folder)) {
    problems.add(
        {where, folder.string() + ": no such folder", "correct the path in capture.json, or restore the folder"});
    return;
  }
  std::vector<int> seen(static_cast<std::size_t>(frames), 0);
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const int frame = frame_of(entry.path(), kind);
    if (frame < 0 || frame >= frames) {
      problems.add({where,
                    fmt::format("{}: not a frame of this sequence (000000 to {})", entry.path().string(),
                                frame_name(frames - 1)),
                    "remove it, or correct the number of frames"});
      continue;
    }
    if (++seen[frame] == 2) {
      problems.add({where,
                    fmt::format("{}/{}: the frame is there twice, as JPEG and PNG", folder.string(), frame_name(frame)),
                    "remove one of them"});
    }
    jobs.push_back({fmt::format("{}, frame {}", where, frame), entry.path(), &camera, kind});
  }
  // Runs of missing frames in one line each: a lost disk should not fill the screen.
  for (int begin = 0; begin < frames; ++begin) {
    if (seen[begin] != 0) continue;
    int end = begin;
    while (end + 1 < frames && seen[end + 1] == 0) ++end;
    const std::string range =
        begin == end ? fmt::format("frame {}", begin) : fmt::format("frames {} to {}", begin, end);
    problems.add({fmt::format("{}, {}", where, range),
                  fmt::format("{}/{}{}: missing", folder.string(), frame_name(begin),
                              kind == Kind::kPicture ? ".jpg or .png" : ".png"),
                  "restore the file, or shorten the sequence"});
    begin = end;
  }
}

void check_motion(const Capture& capture, const CaptureSequence& s, const HeadModel* model, const std::string& where,
                  Problems& problems) {
  if (s.motion.empty()) {
    problems.add({where, "has no motion", "track the video, or name the motion file in capture.json"});
    return;
  }
  const HeadMotion motion = capture.load_motion(s);
  if (motion.frame_count() != s.frames) {
    problems.add({where,
                  fmt::format("{}: {} frames of motion; the sequence has {}", s.motion, motion.frame_count(), s.frames),
                  "track again, or correct the number of frames"});
  }
  if (std::abs(motion.fps - s.fps) > 1e-3) {
    problems.add({where, fmt::format("{}: motion at {} frames/s; the sequence has {}", s.motion, motion.fps, s.fps),
                  "correct the frame rate"});
  }
  for (int i = 0; i < motion.frame_count(); ++i) {
    const MotionFrame& f = motion.frames[i];
    bool sound = f.pose.translation.allFinite() && f.pose.head.coeffs().allFinite() &&
                 f.pose.neck.coeffs().allFinite() && f.pose.root.coeffs().allFinite();
    for (const float weight : f.expression) sound = sound && std::isfinite(weight);
    for (const Vec3& offset : f.offsets) sound = sound && offset.allFinite();
    if (!sound) {
      problems.add(
          {fmt::format("{}, frame {}", where, i), s.motion + ": holds values that are not numbers", "track again"});
      break;
    }
  }
  if (model == nullptr) return;
  if (motion.head_model != model->id) {
    problems.add(
        {where,
         fmt::format("{}: made for head model \"{}\"; the capture has \"{}\"", s.motion, motion.head_model, model->id),
         "track again with the capture's head model"});
  } else if (static_cast<int>(motion.expression_names.size()) > model->expression_count()) {
    problems.add({where,
                  fmt::format("{}: {} expressions; the head model has {}", s.motion, motion.expression_names.size(),
                              model->expression_count()),
                  "track again with the capture's head model"});
  }
}

void check_sound(const Capture& capture, const CaptureSequence& s, const std::string& where, Problems& problems) {
  AudioReader reader(path_inside(capture.folder, s.audio, where));
  std::vector<float> block(1 << 16);
  double seconds = 0;
  while (const std::size_t got = reader.read(block)) seconds += static_cast<double>(got) / kSpeechRate;
  const double picture = s.frames / s.fps;
  if (std::abs(seconds - picture) > kDurationTolerance + 1 / s.fps) {
    problems.add(
        {where, fmt::format("{}: {:.2f} s of sound; the {} frames last {:.2f} s", s.audio, seconds, s.frames, picture),
         "cut them to the same length"});
  }
}

void check_phones(const Capture& capture, const CaptureSequence& s, const std::string& where, Problems& problems) {
  const PhoneTrack phones = read_phones(path_inside(capture.folder, s.phones, where));
  const double seconds = s.frames / s.fps + kDurationTolerance + 1 / s.fps;
  double last = 0;
  for (const Phone& phone : phones) {
    if (!(phone.begin >= last - 1e-6) || !(phone.end >= phone.begin) || !(phone.end <= seconds)) {
      problems.add({where,
                    fmt::format("{}: phone {} from {:.3f} to {:.3f} s is out of order or outside the sequence",
                                s.phones, phone.name, phone.begin, phone.end),
                    "align the phones again"});
      return;
    }
    last = phone.end;
    if (phone.name != "SIL" && phone_index(phone.name) == 0) {
      problems.add({where, fmt::format("{}: unknown phone \"{}\"", s.phones, phone.name),
                    "use the 39 phones of CMUdict, or SIL"});
      return;
    }
  }
}

void check_sequence(const Capture& capture, const CaptureSequence& s, const HeadModel* model,
                    std::vector<PictureJob>& jobs, Problems& problems) {
  const std::string where = "sequence " + s.id;
  if (capture.tracked || !s.motion.empty())
    problems.guard(where + ", motion", [&] { check_motion(capture, s, model, where + ", motion", problems); });
  if (!s.audio.empty())
    problems.guard(where + ", audio", [&] { check_sound(capture, s, where + ", audio", problems); });
  if (!s.phones.empty())
    problems.guard(where + ", phones", [&] { check_phones(capture, s, where + ", phones", problems); });
  if (s.views.empty()) problems.add({where, "has no views", "give it at least one"});
  for (const CaptureView& view : s.views) {
    const std::string at = fmt::format("{}, camera {}", where, view.camera);
    problems.guard(at, [&] {
      const CaptureCamera& camera = capture.camera(view.camera);
      list_folder(path_inside(capture.folder, view.images, at), s.frames, Kind::kPicture, at, camera.camera, jobs,
                  problems);
      if (!view.masks.empty()) {
        list_folder(path_inside(capture.folder, view.masks, at), s.frames, Kind::kMatte, at + ", masks", camera.camera,
                    jobs, problems);
      }
      if (!view.labels.empty()) {
        list_folder(path_inside(capture.folder, view.labels, at), s.frames, Kind::kLabels, at + ", labels",
                    camera.camera, jobs, problems);
      }
      if (!camera.moving) return;
      const std::size_t matrices = read_camera_path(path_inside(capture.folder, view.camera_path, at)).size();
      if (matrices != static_cast<std::size_t>(s.frames)) {
        problems.add({at,
                      fmt::format("{}: {} matrices; the sequence has {} frames", view.camera_path, matrices, s.frames),
                      "write one for each frame"});
      }
    });
  }
}

// Two views that name the same folder are a copying mistake.
void check_shared_folders(const Capture& capture, Problems& problems) {
  std::map<std::string, std::string> owner;
  for (const CaptureSequence& s : capture.sequences) {
    for (const CaptureView& view : s.views) {
      const std::string where = fmt::format("sequence {}, camera {}", s.id, view.camera);
      const auto [found, fresh] = owner.emplace(fs::path(view.images).lexically_normal().string(), where);
      if (!fresh) {
        problems.add(
            {where, fmt::format("{}: the same folder as {}", view.images, found->second), "correct one of the paths"});
      }
    }
  }
}

}  // namespace

std::vector<CaptureProblem> check_capture(const fs::path& folder, const ProgressCallback& progress) {
  Problems problems;
  const fs::path file = folder / "capture.json";
  if (!fs::exists(file)) {
    throw Error(ErrorCode::kNotFound, file.string() + ": no such file", "name the folder of a capture");
  }
  Capture capture;
  bool parsed = false;
  problems.guard(file.string(), [&] {
    capture = capture::parse_capture(read_json(file), folder, [&](CaptureProblem p) { problems.add(std::move(p)); });
    parsed = true;
  });
  if (!parsed) return problems.sorted();
  if (capture.cameras.empty()) problems.add({file.string(), "has no cameras", "describe at least one"});
  if (capture.sequences.empty()) problems.add({file.string(), "has no sequences", "describe at least one"});

  HeadModel model;
  bool have_model = false;
  if (capture.tracked || !capture.head_model.empty()) {
    problems.guard("head model", [&] {
      model = capture.load_head_model();
      have_model = true;
    });
  }
  problems.guard("points", [&] { capture.load_points(); });
  std::vector<PictureJob> jobs;
  for (const CaptureSequence& s : capture.sequences) {
    check_sequence(capture, s, have_model ? &model : nullptr, jobs, problems);
  }
  check_shared_folders(capture, problems);
  for (const CaptureCamera& c : capture.cameras) {
    if (!c.moving && !(c.camera.world_to_camera(2, 3) > 0)) {
      problems.add({"camera " + c.id, "looks away from the head, which is at the origin",
                    "correct world_to_camera (OpenCV's axes: z points to what the camera sees)"});
    }
  }

  const auto total = static_cast<std::int64_t>(jobs.size());
  constexpr std::int64_t kBatch = 256;
  for (std::int64_t begin = 0; begin < total; begin += kBatch) {
    if (progress && !progress(begin, total, "pictures")) break;
    const std::int64_t count = std::min(kBatch, total - begin);
    parallel_for(count, 1, [&](std::int64_t i) { check_picture(jobs[begin + i], problems); });
  }
  return problems.sorted();
}

}  // namespace mien
