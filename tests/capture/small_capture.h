// A capture of a few pixels for tests: two cameras, one of them moving, two sequences of three frames.
#pragma once

#include <unistd.h>

#include <filesystem>

#include "mien/base/error.h"
#include "mien/base/safetensors.h"
#include "mien/capture/capture.h"
#include "mien/media/audio.h"

namespace mien {

inline HeadModel small_head() {
  HeadModel model;
  model.id = "triangle";
  model.mesh.positions = {Vec3(0, 0, 0), Vec3(0.1f, 0, 0), Vec3(0, 0.1f, 0)};
  model.mesh.faces = {{0, 1, 2}};
  model.face_part = {HeadPart::kSkin};
  model.region.assign(3, HeadRegion::kFace);
  model.expression_names.assign(kArkitNames.begin(), kArkitNames.end());
  model.expression.assign(3 * kArkitCount, Vec3::Zero());
  model.joints.fill(Vec3::Zero());
  model.skin_weights.assign(3, {0.0f, 0.0f});
  return model;
}

inline Image8 small_picture(int frame, int camera) {
  Image8 image(16, 12, 3);
  for (std::size_t i = 0; i < image.pixels.size(); ++i) {
    image.pixels[i] = static_cast<std::uint8_t>(i * 7 + static_cast<std::size_t>(frame * 31 + camera * 101));
  }
  return image;
}

// Head in the upper half, then a row of neck, then torso.
inline Image8 small_labels() {
  Image8 image(16, 12, 1);
  for (int y = 0; y < 12; ++y) {
    for (int x = 0; x < 16; ++x) *image.at(x, y) = y < 6 ? 1 : y < 7 ? 2 : 3;
  }
  return image;
}

inline Capture write_small_capture(const std::filesystem::path& folder) {
  Capture capture;
  capture.folder = folder;
  capture.person = "test";
  capture.head_model = "head.safetensors";
  std::filesystem::create_directories(folder);
  SafetensorsWriter writer;
  small_head().save(writer, "");
  writer.write(folder / capture.head_model);
  for (const char* id : {"F", "M"}) {
    CaptureCamera camera;
    camera.id = id;
    camera.camera = look_at(Vec3(0.1f, 0, 1), Vec3(0, 0, 0), 0.5f, 16, 12);
    camera.moving = camera.id == "M";
    camera.background = {0.5f, 0.25f, 1.0f};
    capture.cameras.push_back(camera);
  }
  for (const char* id : {"one", "two"}) {
    CaptureSequence s;
    s.id = id;
    s.emotion.keys = {{0, parse_emotion_vector("happy:0.3")}, {0.05, parse_emotion_vector("sad:0.7,fear:0.1")}};
    s.frames = 3;
    s.transcript = "Hello \"you\".";
    s.audio = s.id + ".wav";
    s.phones = s.id + ".phones.json";
    s.motion = s.id + ".motion.safetensors";
    s.split = s.id == "two" ? "test" : "train";
    Audio audio;
    audio.samples.assign(1600, 0.1f);
    write_wav(folder / s.audio, audio);
    write_phones(folder / s.phones, {{"HH", 0.0, 0.04}, {"AY", 0.04, 0.1}});
    HeadMotion motion;
    motion.head_model = "triangle";
    motion.expression_names.assign(kArkitNames.begin(), kArkitNames.end());
    motion.frames.resize(3);
    for (MotionFrame& frame : motion.frames) frame.expression.assign(kArkitCount, 0.5f);
    motion.save(folder / s.motion);
    for (int c = 0; c < 2; ++c) {
      CaptureView view;
      view.camera = capture.cameras[c].id;
      view.images = s.id + "/" + view.camera + "/images";
      view.masks = c == 0 ? s.id + "/" + view.camera + "/masks" : "";
      view.labels = c == 0 ? s.id + "/" + view.camera + "/labels" : "";
      std::filesystem::create_directories(folder / view.images);
      if (!view.masks.empty()) std::filesystem::create_directories(folder / view.masks);
      if (!view.labels.empty()) std::filesystem::create_directories(folder / view.labels);
      for (int i = 0; i < 3; ++i) {
        write_image(folder / view.images / (frame_name(i) + (c == 0 ? ".png" : ".jpg")), small_picture(i, c));
        if (!view.masks.empty()) write_image(folder / view.masks / (frame_name(i) + ".png"), Image8(16, 12, 1, 200));
        if (!view.labels.empty()) write_image(folder / view.labels / (frame_name(i) + ".png"), small_labels());
      }
      if (capture.cameras[c].moving) {
        view.camera_path = s.id + "/path.json";
        std::vector<Mat4> path;
        for (int i = 0; i < 3; ++i) {
          path.push_back(
              look_at(Vec3(0.2f * static_cast<float>(i), 0, 1), Vec3(0, 0, 0), 0.5f, 16, 12).world_to_camera);
        }
        write_camera_path(folder / view.camera_path, path);
      }
      s.views.push_back(view);
    }
    capture.sequences.push_back(s);
  }
  capture.save();
  return capture;
}

// A copy of it: writing flushes each file to the disk, copying does not.
inline Capture make_small_capture(const std::filesystem::path& folder) {
  namespace fs = std::filesystem;
  struct Master {
    fs::path folder = fs::temp_directory_path() / fmt::format("mien_master_{}", ::getpid());
    Capture capture = write_small_capture(folder);
    ~Master() { fs::remove_all(folder); }
  };
  static const Master master;
  fs::remove_all(folder);
  fs::copy(master.folder, folder, fs::copy_options::recursive);
  Capture capture = master.capture;
  capture.folder = folder;
  return capture;
}

}  // namespace mien
