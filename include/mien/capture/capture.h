// A capture: the data set on disk. A folder with capture.json that anyone can read; trainers see nothing else.
// The format is described in docs/capture.md.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mien/base/progress.h"
#include "mien/geometry/camera.h"
#include "mien/head/emotion.h"
#include "mien/head/head_motion.h"
#include "mien/head/phone.h"
#include "mien/media/image.h"

namespace mien {

class CameraPathCache;

struct CaptureCamera {
  std::string id;                               // "F", "L30", ...
  Camera camera;                                // intrinsics; extrinsics unless `moving`
  bool moving = false;                          // extrinsics per frame, in the sequence's `camera_path`
  std::array<float, 3> background = {0, 0, 0};  // colour behind the person in the stored images, [0,1] sRGB
};

// What a pixel of the person shows: the value in a labels picture.
enum class PersonPart : std::uint8_t { kBackground, kHead, kNeck, kTorso };  // hair, ears and hats are of the head
constexpr int kPersonPartCount = 4;

// One camera's view of a sequence.
struct CaptureView {
  std::string camera;       // CaptureCamera::id
  std::string images;       // folder of 000000.jpg/.png ..., relative
  std::string masks;        // folder of 000000.png (8-bit matte); may be empty
  std::string camera_path;  // JSON list of world_to_camera per frame, relative; only for moving cameras
  std::string labels = {};  // folder of 000000.png (a PersonPart a pixel), relative; may be empty
};

struct CaptureSequence {
  std::string id;
  std::string appearance = "default";
  EmotionTrack emotion;
  double fps = 30;
  int frames = 0;
  std::string audio;            // WAV, relative; may be empty
  std::string transcript;       // text
  std::string phones;           // JSON, relative; may be empty
  std::string motion;           // safetensors, relative
  std::string split = "train";  // or "test"
  std::vector<CaptureView> views;
};

// A sparse cloud of points on what the pictures show.
struct CapturePoints {
  std::vector<Vec3> positions;                       // metres, world
  std::vector<std::array<std::uint8_t, 3>> colours;  // sRGB; as many
};

struct Capture {
  std::filesystem::path folder;
  std::string person;
  bool tracked = true;     // false: pictures and cameras only, without head model and motion
  std::string points;      // safetensors with CapturePoints, relative; may be empty
  std::string head_model;  // safetensors with the person's HeadModel (identity applied), relative
  std::vector<CaptureCamera> cameras;
  std::vector<CaptureSequence> sequences;

  // Reads and checks the structure of capture.json (not every file). Throws kNotFound, kBadFile, kUnsupported (newer
  // format).
  static Capture load(const std::filesystem::path& folder);
  void save() const;  // writes capture.json atomically

  const CaptureCamera& camera(const std::string& id) const;      // throws kBadArgument, listing those that exist
  const CaptureSequence& sequence(const std::string& id) const;  // likewise
  HeadModel load_head_model() const;
  HeadMotion load_motion(const CaptureSequence& sequence) const;
  CapturePoints load_points() const;  // empty when the capture has none
  // The camera of a frame; for a moving one with that frame's extrinsics. Thread-safe.
  Camera camera_at(const CaptureSequence& sequence, const CaptureView& view, int frame) const;
  // The picture of a frame, .jpg, .jpeg or .png (throws kNotFound when there is none), and its matte ("" without
  // masks).
  std::filesystem::path image_path(const CaptureView& view, int frame) const;
  std::filesystem::path mask_path(const CaptureView& view, int frame) const;
  std::filesystem::path labels_path(const CaptureView& view, int frame) const;  // "" without labels

  std::shared_ptr<CameraPathCache> camera_paths;  // what camera_at() has read; set by load()
};

void write_capture_points(const std::filesystem::path& path, const CapturePoints& points);

// "000042": the name of a frame's files, without extension.
std::string frame_name(int frame);

// A moving camera's world_to_camera [frames], as a JSON file. Reading checks that each is a rigid transform: throws
// kBadFile naming the frame.
void write_camera_path(const std::filesystem::path& path, const std::vector<Mat4>& world_to_camera);
std::vector<Mat4> read_camera_path(const std::filesystem::path& path);

// One picture with its matte, ready for training.
struct CaptureFrame {
  Image8 rgb;     // as stored, over the camera's background
  Image8 matte;   // 1 channel; 255 everywhere when the capture has no masks
  Image8 labels;  // 1 channel of PersonPart; empty when not asked for, or when the capture has none
};

// The matte of the head alone (hair, face, ears): the matte where the labels say head, else 0. Throws kBadArgument
// when the frame has no labels.
Image8 head_matte(const CaptureFrame& frame);

// Everything that is wrong: file, sequence, frame, and the mend, one line each. Reads every file, on all threads.
// Throws kNotFound only when there is no capture.json; all else is a problem in the list.
struct CaptureProblem {
  std::string where;
  std::string what;
  std::string mend;
};
std::vector<CaptureProblem> check_capture(const std::filesystem::path& folder, const ProgressCallback& progress = {});

// Frames in memory, at most `max_bytes`, the least recently used leaving first; JPEG/PNG content is kept compressed
// when the decoded pictures do not fit. Thread-safe. get() throws kNotFound or kBadFile, naming the file.
class FrameCache {
 public:
  // `labels`: reads the labels, too, where the view has some.
  FrameCache(const Capture& capture, std::size_t max_bytes, bool labels = false);
  ~FrameCache();
  FrameCache(const FrameCache&) = delete;
  FrameCache& operator=(const FrameCache&) = delete;
  std::shared_ptr<const CaptureFrame> get(const CaptureSequence& sequence, const CaptureView& view, int frame);
  std::size_t bytes_used() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mien
