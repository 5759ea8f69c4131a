// Second pass: pictures, mattes, sound, and going on after a kill.
#include <gmock/gmock.h>

#include <cmath>

#include "mien/base/file.h"
#include "mien/media/audio.h"
#include "mien/track/cut_video.h"
#include "mien/track/sight_video.h"
#include "track/watch/watch_tools.h"
#include "track/watch/window_sampler.h"

namespace mien {
namespace {

namespace fs = std::filesystem;

class CutVideo : public WatchFolder {
 protected:
  // A click at the beginning of frame 30; the face is there from frame 20 on.
  fs::path clicking_video() const {
    std::vector<float> sound(60 * 640, 0);
    for (int i = 0; i < 320; ++i)
      sound[static_cast<std::size_t>(30 * 640 + i)] = 0.8f * static_cast<float>(std::sin(i));
    return video(
        "click", 60, [](int i) { return i < 20 ? Image8(256, 256, 3, 90) : drifting_face(0, i); }, 25, sound);
  }
  CutStretch target(const std::string& name) const {
    return {0, folder_ / name / "images", folder_ / name / "masks", folder_ / name / "audio.wav"};
  }
};

TEST_F(CutVideo, WritesAStretchAsACaptureStoresIt) {
  const fs::path path = clicking_video();
  const SightedVideo video = sight_video(path, *networks_);
  ASSERT_EQ(video.stretches.size(), 1u);
  const Stretch& stretch = video.stretches[0];
  EXPECT_EQ(stretch.first, 20);
  ASSERT_EQ(stretch.frames.size(), 40u);
  const CutStretch to = target("cut");
  CutOptions options;
  options.size = 192;
  const CutResult result = cut_video(path, video, std::span(&to, 1), *networks_, options);
  EXPECT_EQ(result.written, 40);
  EXPECT_EQ(result.kept, 0);

  // The sound: as long as the frames, the click where it was, ten frames in.
  const Audio audio = read_audio(to.audio);
  ASSERT_EQ(audio.samples.size(), 40u * 640);
  const auto loud =
      std::find_if(audio.samples.begin(), audio.samples.end(), [](float v) { return std::abs(v) > 0.2f; });
  EXPECT_NEAR(static_cast<double>(loud - audio.samples.begin()), 10 * 640, 40);

  // The matte: face in, corners at the top out, a clear edge; and steady from frame to frame.
  for (const int i : {0, 39}) {
    const Image8 image = read_image(to.images / fmt::format("{:06}.jpg", i));
    const Image8 matte = read_image(to.masks / fmt::format("{:06}.png", i));
    ASSERT_EQ(image.width, 192);
    ASSERT_EQ(image.channels, 3);
    ASSERT_EQ(matte.width, 192);
    ASSERT_EQ(matte.channels, 1);
    const auto& nose = stretch.frames[static_cast<std::size_t>(i)].points[1];
    const double scale = 192 / stretch.window.size;
    EXPECT_EQ(*matte.at(static_cast<int>((nose[0] - stretch.window.left) * scale),
                        static_cast<int>((nose[1] - stretch.window.top) * scale)),
              255);
    EXPECT_LT(*matte.at(2, 2), 10);
    EXPECT_LT(*matte.at(189, 2), 10);
    int grey = 0;
    for (const std::uint8_t v : matte.pixels) grey += v > 25 && v < 230 ? 1 : 0;
    EXPECT_LT(grey, 192 * 192 / 12);
  }
}

TEST_F(CutVideo, GoesOnWhereAKilledRunStopped) {
  const fs::path path = clicking_video();
  const SightedVideo video = sight_video(path, *networks_);
  CutOptions options;
  options.size = 128;
  const CutStretch whole = target("whole"), killed = target("killed");
  cut_video(path, video, std::span(&whole, 1), *networks_, options);
  options.progress = [](std::int64_t done, std::int64_t, const std::string&) { return done < 30; };
  error_of([&] { cut_video(path, video, std::span(&killed, 1), *networks_, options); }, ErrorCode::kInterrupted);
  fs::resize_file(killed.masks / "000025.png", 100);  // as after a crash of the machine
  options.progress = {};
  const CutResult result = cut_video(path, video, std::span(&killed, 1), *networks_, options);
  EXPECT_EQ(result.kept, 25);
  EXPECT_EQ(result.written, 15);
  for (int i = 0; i < 40; ++i) {
    EXPECT_EQ(read_file(whole.images / fmt::format("{:06}.jpg", i)),
              read_file(killed.images / fmt::format("{:06}.jpg", i)));
    const Image8 a = read_image(whole.masks / fmt::format("{:06}.png", i)),
                 b = read_image(killed.masks / fmt::format("{:06}.png", i));
    int most = 0;
    for (std::size_t k = 0; k < a.pixels.size(); ++k) most = std::max(most, std::abs(a.pixels[k] - b.pixels[k]));
    EXPECT_LE(most, 2) << i;
  }
  EXPECT_EQ(read_file(whole.audio), read_file(killed.audio));
  EXPECT_EQ(cut_video(path, video, std::span(&killed, 1), *networks_, options).kept, 40);
}

TEST_F(CutVideo, RefusesAnotherVideoAndBadOptions) {
  const fs::path path = clicking_video();
  SightedVideo video = sight_video(path, *networks_);
  const CutStretch to = target("cut");
  video.width = 300;
  error_of([&] { cut_video(path, video, std::span(&to, 1), *networks_); }, ErrorCode::kBadFile);
  video.width = 256;
  CutOptions options;
  options.size = 10;
  error_of([&] { cut_video(path, video, std::span(&to, 1), *networks_, options); }, ErrorCode::kBadArgument);
  CutStretch beyond = to;
  beyond.stretch = 1;
  error_of([&] { cut_video(path, video, std::span(&beyond, 1), *networks_); }, ErrorCode::kBadArgument);
}

TEST_F(CutVideo, FolderThatCannotBeWrittenIsSaid) {
  const fs::path path = clicking_video();
  const SightedVideo video = sight_video(path, *networks_);
  CutStretch to = target("cut");
  to.images = "/proc/mien";  // nothing can be written there
  error_of([&] { cut_video(path, video, std::span(&to, 1), *networks_); }, ErrorCode::kIo);
}

// A ramp in both directions: what is cut must show its values at the places the documentation says.
TEST(WindowSampler, PutsPixelsWhereTheyBelong) {
  Image8 frame(200, 100, 3);
  for (int y = 0; y < 100; ++y) {
    for (int x = 0; x < 200; ++x) {
      frame.at(x, y)[0] = static_cast<std::uint8_t>(x);
      frame.at(x, y)[1] = static_cast<std::uint8_t>(2 * y);
      frame.at(x, y)[2] = 77;
    }
  }
  for (const double size : {20.0, 64.0, 90.5}) {  // larger, equal, smaller
    const CutWindow window{50.25, 4.5, size};
    const Image8 cut = track::WindowSampler(window, 64, {0, 0, 200, 100}).cut(frame);
    for (const int i : {0, 13, 40, 63}) {
      const double x = 50.25 + (i + 0.5) * size / 64, y = 4.5 + (i + 0.5) * size / 64;
      EXPECT_NEAR(cut.at(i, i)[0], x - 0.5, 0.75);
      EXPECT_NEAR(cut.at(i, i)[1], 2 * (y - 0.5), 0.75);
      EXPECT_EQ(cut.at(i, i)[2], 77);
    }
  }
  // Beyond the picture its edge is repeated, not what lies there.
  const Image8 beyond = track::WindowSampler({-30, 0, 64}, 64, {10, 0, 200, 100}).cut(frame);
  EXPECT_EQ(beyond.at(0, 5)[0], 10);
  EXPECT_EQ(beyond.at(35, 5)[0], 10);
}

}  // namespace
}  // namespace mien
