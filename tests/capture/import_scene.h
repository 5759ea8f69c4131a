// A tiny multi-view capture of a ball, and a folder for imports of it.
#pragma once

#include <gtest/gtest.h>

#include "capture/small_capture.h"
#include "capture/vhap_layout.h"
#include "mien/base/file.h"
#include "mien/capture/import.h"

namespace mien {

// The octahedron that stands for a head.
inline HeadModel octahedron_head() {
  HeadModel model = small_head();
  model.id = "octahedron";
  model.mesh.positions = {{0.1f, 0, 0}, {-0.1f, 0, 0}, {0, 0.1f, 0}, {0, -0.1f, 0}, {0, 0, 0.1f}, {0, 0, -0.1f}};
  model.mesh.faces = {{0, 2, 4}, {2, 1, 4}, {1, 3, 4}, {3, 0, 4}, {2, 0, 5}, {1, 2, 5}, {3, 1, 5}, {0, 3, 5}};
  model.face_part.assign(8, HeadPart::kSkin);
  model.region.assign(6, HeadRegion::kFace);
  model.expression.assign(6 * kArkitCount, Vec3::Zero());
  model.expression[2 * 6 + 4] = Vec3(0, 0.01f, 0.02f);  // the third expression moves the front
  model.skin_weights.assign(6, {0.0f, 0.0f});
  return model;
}

// A disc on black with a soft edge.
inline void draw_disc(int frame, int camera, Image8& rgb, Image8& matte) {
  rgb = Image8(24, 20, 3);
  matte = Image8(24, 20, 1);
  for (int y = 0; y < 20; ++y) {
    for (int x = 0; x < 24; ++x) {
      const float from = std::hypot(static_cast<float>(x) - 11.5f, static_cast<float>(y) - 9.5f);
      const float m = std::clamp(7.5f - from, 0.0f, 1.0f);
      *matte.at(x, y) = static_cast<std::uint8_t>(255 * m);
      const int colours[] = {40 + 10 * x, 60 + 30 * frame, 90 + 50 * camera};
      for (int c = 0; c < 3; ++c) rgb.at(x, y)[c] = static_cast<std::uint8_t>(static_cast<float>(colours[c] % 256) * m);
    }
  }
}

// Writes the capture: three cameras, `sequences` of four frames.
inline Capture disc_capture(const std::filesystem::path& folder, const std::vector<std::string>& sequences) {
  Capture capture;
  capture.folder = folder;
  capture.person = "disc";
  capture.head_model = "head.safetensors";
  std::filesystem::create_directories(folder);
  SafetensorsWriter writer;
  octahedron_head().save(writer, "");
  writer.write(folder / capture.head_model);
  for (int c = 0; c < 3; ++c) {
    CaptureCamera camera;
    camera.id = fmt::format("cam{}", c);
    camera.camera = look_at(Vec3(0.3f * static_cast<float>(c - 1), 0.1f, 1), Vec3::Zero(), 0.5f, 24, 20);
    camera.camera.fx *= 1.1f;
    camera.camera.cx += 0.75f;
    capture.cameras.push_back(camera);
  }
  for (const std::string& id : sequences) {
    CaptureSequence s;
    s.id = id;
    s.fps = 25;
    s.frames = 4;
    s.motion = id + "/motion.safetensors";
    std::filesystem::create_directories(folder / id);
    HeadMotion motion;
    motion.head_model = "octahedron";
    motion.fps = 25;
    motion.expression_names.assign(kArkitNames.begin(), kArkitNames.end());
    for (int f = 0; f < 4; ++f) {
      MotionFrame frame;
      frame.expression.assign(kArkitCount, 0.0f);
      frame.expression[2] = 0.2f * static_cast<float>(f);
      frame.pose.root = Quat(Eigen::AngleAxisf(0.1f * static_cast<float>(f), Vec3::UnitY()));
      frame.pose.translation = Vec3(0.01f * static_cast<float>(f), 0, 0);
      motion.frames.push_back(frame);
    }
    motion.save(folder / s.motion);
    for (int c = 0; c < 3; ++c) {
      CaptureView view{capture.cameras[c].id, fmt::format("{}/{}/i", id, c), fmt::format("{}/{}/m", id, c), ""};
      std::filesystem::create_directories(folder / view.images);
      std::filesystem::create_directories(folder / view.masks);
      for (int f = 0; f < 4; ++f) {
        Image8 rgb, matte;
        draw_disc(f, c, rgb, matte);
        write_image(folder / view.images / (frame_name(f) + ".png"), rgb);
        write_image(folder / view.masks / (frame_name(f) + ".png"), matte);
      }
      s.views.push_back(view);
    }
    capture.sequences.push_back(s);
  }
  capture.save();
  return capture;
}

class ImportTest : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_);
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  Capture import(const std::vector<std::filesystem::path>& sources, const ImportOptions& options = {}) {
    std::filesystem::remove_all(root_ / "cap");
    report_ = import_capture(sources, root_ / "cap", options);
    return Capture::load(root_ / "cap");
  }
  // What the import of such a folder says, which must leave nothing behind.
  std::string refusal(const std::filesystem::path& source, const ImportOptions& options = {}) {
    std::filesystem::remove_all(root_ / "cap");
    std::string text = "no error";
    try {
      import_capture({source}, root_ / "cap", options);
    } catch (const Error& error) {
      text = error.what();
    }
    EXPECT_EQ(text.find('\n'), std::string::npos) << text;
    for (const auto& entry : std::filesystem::directory_iterator(root_)) {
      EXPECT_FALSE(entry.path().filename().string().starts_with("cap")) << entry.path() << " after: " << text;
    }
    return text;
  }
  // Changes transforms.json of a folder.
  template <typename Change>
  void edit(const std::filesystem::path& folder, const Change& change) {
    Json json = read_json(folder / "transforms.json");
    change(json);
    std::ofstream(folder / "transforms.json") << json.dump();
  }

  std::filesystem::path root_ = std::filesystem::temp_directory_path() / fmt::format("mien_import_{}", ::getpid());
  ImportReport report_;
};

inline bool has(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

}  // namespace mien
