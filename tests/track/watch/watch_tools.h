// What the tests of watching share: small videos with the faces of docs/ada.png in them.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <memory>

#include "mien/base/error.h"
#include "mien/base/resource.h"
#include "mien/landmarks/face_descriptor.h"
#include "mien/landmarks/face_networks.h"
#include "mien/media/video.h"

namespace mien {

// ada twice, chidi twice: 400 x 400 each.
inline Image8 face_picture(int which) {
  static const Image8 sheet = read_image(std::filesystem::path(MIEN_SOURCE_DIR) / "docs/ada.png");
  Image8 out(400, 400, 3);
  for (int y = 0; y < 400; ++y) std::copy_n(sheet.at(400 * which, y), 1200, out.at(0, y));
  return out;
}

inline void paste(Image8& onto, const Image8& picture, int left, int top) {
  for (int y = std::max(0, -top); y < std::min(picture.height, onto.height - top); ++y) {
    for (int x = std::max(0, -left); x < std::min(picture.width, onto.width - left); ++x)
      std::copy_n(picture.at(x, y), 3, onto.at(left + x, top + y));
  }
}

// One picture of 256 x 256: a face that drifts slowly, as nobody is quite still.
inline Image8 drifting_face(int which, int frame, int size = 256) {
  Image8 out(size, size, 3, 120);
  paste(out, resize_image(face_picture(which), size, size), frame % 20 < 10 ? frame % 10 / 3 : 3 - frame % 10 / 3, 0);
  return out;
}

class WatchFolder : public testing::Test {
 protected:
  void SetUp() override {
    if (!have_ffmpeg()) GTEST_SKIP() << "this build has no FFmpeg";
    if (!std::filesystem::exists(cache_folder() / "npm/@mediapipe/face_mesh") ||
        !std::filesystem::exists(cache_folder() / "npm/@vladmandic/face-api"))
      GTEST_SKIP() << "the face networks are not there; run scripts/setup";
    if (!networks_) {
      networks_ = std::make_shared<FaceNetworks>();
      describer_ = std::make_shared<FaceDescriber>();
    }
    folder_ =
        std::filesystem::temp_directory_path() /
        fmt::format("mien_watch_{}_{}", ::getpid(), testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override {
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }
  static void TearDownTestSuite() {
    networks_.reset();
    describer_.reset();
  }

  std::filesystem::path video(const std::string& name, int frames, const std::function<Image8(int)>& picture,
                              int fps = 25, std::span<const float> sound = {}) const {
    const std::filesystem::path path = folder_ / (name + ".mp4");
    const Image8 first = picture(0);
    VideoWriterOptions options;
    options.width = first.width;
    options.height = first.height;
    options.fps = fps;
    options.preset = "veryfast";
    options.audio_rate = sound.empty() ? 0 : 16000;
    VideoWriter writer(path, options);
    for (int i = 0; i < frames; ++i) writer.write_frame(i == 0 ? first : picture(i));
    if (!sound.empty()) writer.write_audio(sound);
    writer.finish();
    return path;
  }

  // The message and code of the Error that `call` throws.
  template <typename Call>
  static std::string error_of(const Call& call, ErrorCode code) {
    try {
      call();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code) << error.what();
      return error.what();
    }
    ADD_FAILURE() << "no error was thrown";
    return "";
  }

  static inline std::shared_ptr<FaceNetworks> networks_;
  static inline std::shared_ptr<FaceDescriber> describer_;
  std::filesystem::path folder_;
};

}  // namespace mien
