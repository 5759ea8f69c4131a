// All of tracking, on small videos of ada and chidi.
#include <gmock/gmock.h>

#include <fstream>

#include "mien/base/file.h"
#include "mien/capture/capture.h"
#include "mien/media/audio.h"
#include "mien/track/tracker.h"
#include "track/tracker/write_capture.h"
#include "track/watch/watch_tools.h"

namespace mien {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

class TrackerTest : public WatchFolder {
 protected:
  void SetUp() override {
    WatchFolder::SetUp();
    if (IsSkipped()) return;
    options_.size = 128;
    options_.device = "cpu";
    output_ = folder_ / "cap";
    try {
      find_head_asset();
    } catch (const Error&) {
      GTEST_SKIP() << "the head is not built";
    }
  }
  fs::path person(const std::string& name, int which, int frames = 20) const {
    return video(name, frames, [which](int i) { return drifting_face(which, i); });
  }

  TrackOptions options_;
  fs::path output_;
};

TEST_F(TrackerTest, MakesACaptureOfTheOneWhoIsSeenMost) {
  const std::vector<fs::path> videos = {person("kitchen", 0, 30), person("office", 1), person("friend", 2)};
  Audio sound;
  sound.samples.assign(kSpeechRate, 0.25f);
  write_wav(folder_ / "kitchen.wav", sound);
  const TrackResult result = track_videos(videos, output_, options_);
  ASSERT_EQ(result.videos.size(), 2u);
  ASSERT_EQ(result.left_out.size(), 1u);
  EXPECT_THAT(result.left_out[0], HasSubstr("friend.mp4"));
  EXPECT_EQ(result.frames, 50);
  EXPECT_TRUE(check_capture(output_).empty());

  const Capture capture = Capture::load(output_);
  EXPECT_EQ(capture.person, "cap");
  ASSERT_EQ(capture.sequences.size(), 2u);
  EXPECT_EQ(capture.sequences[0].id, "kitchen");
  EXPECT_EQ(capture.sequences[0].frames, 30);
  EXPECT_EQ(read_audio(output_ / capture.sequences[0].audio).samples.size(), 30u * kSpeechRate / 25);
  EXPECT_EQ(capture.sequences[1].audio, "");
  EXPECT_TRUE(fs::exists(output_ / "report.html"));
  EXPECT_TRUE(fs::exists(output_ / "report.json"));

  // Labels: the nose is the head's, the lowest row the torso's, and what the matte holds has one.
  const CaptureFrame frame =
      *FrameCache(capture, 1 << 20, true).get(capture.sequences[0], capture.sequences[0].views[0], 12);
  EXPECT_EQ(*frame.labels.at(64, 55), static_cast<int>(PersonPart::kHead));
  EXPECT_EQ(*frame.labels.at(64, 126), static_cast<int>(PersonPart::kTorso));
  for (std::size_t i = 0; i < frame.labels.pixels.size(); ++i) {
    EXPECT_EQ(frame.labels.pixels[i] > 0, frame.matte.pixels[i] > 0) << i;
  }

  // Seen through the capture's camera, the head is where the landmarks were.
  const CaptureSequence& sequence = capture.sequences[0];
  const HeadModel head = capture.load_head_model();
  const HeadMotion motion = capture.load_motion(sequence);
  std::vector<Vec3> vertices;
  motion.vertices(head, 12, vertices);
  const Camera camera = capture.camera_at(sequence, sequence.views[0], 12);
  const SightedVideo& sighted = result.videos[0].sighted;
  const CutWindow& window = sighted.stretches[0].window;
  double apart = 0;
  for (int i = 0; i < kSightedPoints; ++i) {
    const SurfacePoint& place = head.landmarks[static_cast<std::size_t>(i)];
    Vec3 p = Vec3::Zero();
    for (int k = 0; k < 3; ++k) p += place.barycentric[k] * vertices[head.mesh.faces[place.face][k]];
    const auto& seen = sighted.stretches[0].frames[12].points[static_cast<std::size_t>(i)];
    const double scale = options_.size / window.size;
    apart += std::hypot(camera.project(p).x() - (seen[0] - window.left) * scale,
                        camera.project(p).y() - (seen[1] - window.top) * scale) /
             kSightedPoints;
  }
  EXPECT_LT(apart, 1.5) << "pixels of 128";

  // Again: nothing changes. With other videos: refused.
  const auto before = read_file(output_ / "capture.json");
  track_videos(videos, output_, options_);
  EXPECT_EQ(read_file(output_ / "capture.json"), before);
  EXPECT_THAT(error_of([&] { track_videos({videos[0]}, output_, options_); }, ErrorCode::kBadArgument),
              HasSubstr("was begun with other videos or options"));
}

TEST_F(TrackerTest, GoesOnWhereItWasStopped) {
  const std::vector<fs::path> videos = {person("one", 0)};
  const fs::path whole = folder_ / "whole";
  track_videos(videos, whole, options_);
  for (const char* step : {"seeing", "cutting", "fitting"}) {
    TrackOptions stopped = options_;
    stopped.progress = [step](const std::string& name) -> ProgressCallback {
      const bool stop = name.starts_with(step);
      return [stop](std::int64_t done, std::int64_t, const std::string&) { return !stop || done < 3; };
    };
    error_of([&] { track_videos(videos, output_, stopped); }, ErrorCode::kInterrupted);
    EXPECT_FALSE(fs::exists(output_ / "capture.json")) << step;
  }
  options_.person = "whole";
  track_videos(videos, output_, options_);
  for (const char* file : {"capture.json", "head.safetensors", "one/motion.safetensors", "one/images/000011.jpg"}) {
    EXPECT_EQ(read_file(output_ / file), read_file(whole / file)) << file;
  }
}

TEST_F(TrackerTest, OneClearLineForWhatCannotBe) {
  const fs::path nobody = video("wall", 20, [](int) { return Image8(256, 256, 3, 90); });
  error_of([&] { track_videos({nobody}, output_, options_); }, ErrorCode::kNotFound);
  EXPECT_THAT(error_of([&] { track_videos({}, output_, options_); }, ErrorCode::kBadArgument), HasSubstr("no video"));
  error_of([&] { track_videos({folder_ / "none.mp4"}, output_, options_); }, ErrorCode::kNotFound);
  error_of([&] { track_videos({nobody, nobody}, output_, options_); }, ErrorCode::kBadArgument);
  options_.appearances = {"a", "b"};
  EXPECT_THAT(error_of([&] { track_videos({nobody}, output_, options_); }, ErrorCode::kBadArgument),
              HasSubstr("2 appearances for 1 video"));
  options_.appearances.clear();
  const fs::path other = folder_ / "full";
  fs::create_directories(other / "things");
  EXPECT_THAT(error_of([&] { track_videos({nobody}, other, options_); }, ErrorCode::kBadArgument),
              HasSubstr("was not made by tracking"));
}

TEST(CutCamera, IsTheFullCameraOfAPart) {
  Camera frame = look_at(Vec3(0, 0, 1), Vec3::Zero(), 0.4f, 1280, 720);
  const CutWindow window = {300, -40, 640};
  const Camera part = cut_camera(frame, window, 512);
  const Vec3 point(0.05f, 0.02f, 0.01f);
  EXPECT_NEAR(part.project(point).x(), (frame.project(point).x() - 300) * 0.8, 1e-3);
  EXPECT_NEAR(part.project(point).y(), (frame.project(point).y() + 40) * 0.8, 1e-3);
}

}  // namespace
}  // namespace mien
