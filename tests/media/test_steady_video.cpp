// Video of all kinds as steady, upright pictures; the ffmpeg program makes the odd files.
#include <gmock/gmock.h>

#include <cmath>

#include "media/fields.h"
#include "media/frame_times.h"
#include "media_tools.h"
#include "mien/media/steady_video.h"
#include "mien/media/video.h"

namespace mien {
namespace {

using testing::Contains;
using testing::HasSubstr;

class SteadyVideo : public MediaFolder {
 protected:
  void SetUp() override {
    MediaFolder::SetUp();
    if (!have_ffmpeg()) GTEST_SKIP() << "this build has no FFmpeg";
    if (!have_program("ffmpeg")) GTEST_SKIP() << "the ffmpeg program is not there";
  }
  // `input`: what ffmpeg makes it of. Returns the file.
  std::filesystem::path make(const std::string& name, const std::string& arguments) const {
    const std::filesystem::path path = folder_ / name;
    EXPECT_TRUE(shell(fmt::format("ffmpeg -y -v error {} '{}'", arguments, path.string()))) << arguments;
    return path;
  }
  // A frame's number is its grey level: 10 + 2 i, so that one sees which frame is read.
  static std::string counting(int frames, int fps, const std::string& size = "64x48") {
    return fmt::format(
        "-f lavfi -i \"color=black:s={}:r={}:d={},format=gbrp,geq=r='10+2*N':g='10+2*N':b='10+2*N'\" -pix_fmt gbrp ",
        size, fps, static_cast<double>(frames) / fps);
  }
  static std::vector<int> levels(SteadyVideoReader& reader) {
    std::vector<int> out;
    Image8 frame;
    while (reader.read(frame)) out.push_back(static_cast<int>(std::lround((frame.at(20, 20)[1] - 10) / 2.0)));
    return out;
  }
};

TEST_F(SteadyVideo, SteadyVideoComesAsItIs) {
  SteadyVideoReader reader(make("a.mkv", counting(20, 25) + " -c:v ffv1"));
  EXPECT_DOUBLE_EQ(reader.info().fps, 25);
  EXPECT_EQ(reader.info().frames, 20);
  EXPECT_FALSE(reader.info().has_audio);
  const std::vector<int> seen = levels(reader);
  ASSERT_EQ(seen.size(), 20u);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(seen[static_cast<std::size_t>(i)], i);
  EXPECT_EQ(reader.position(), 20);
  EXPECT_TRUE(reader.damage().empty());
}

TEST_F(SteadyVideo, FastVideoIsThinned) {
  SteadyVideoReader reader(make("a.mkv", counting(60, 120) + " -c:v ffv1"));
  EXPECT_DOUBLE_EQ(reader.info().fps, 60);
  EXPECT_THAT(reader.info().notes, Contains(HasSubstr("120 frames a second: one of 2")));
  const std::vector<int> seen = levels(reader);
  ASSERT_EQ(seen.size(), 30u);
  for (std::size_t i = 0; i < 30; ++i) EXPECT_NEAR(seen[i], 2.0 * static_cast<double>(i) + 0.5, 0.51);
}

TEST_F(SteadyVideo, SlowVideoIsNoted) {
  SteadyVideoReader reader(make("a.mkv", counting(10, 10) + " -c:v ffv1"));
  EXPECT_DOUBLE_EQ(reader.info().fps, 10);
  EXPECT_THAT(reader.info().notes, Contains(HasSubstr("only 10 frames a second")));
  EXPECT_EQ(levels(reader).size(), 10u);
}

// 20 frames at 40 ms, then 10 at 80 ms: at a steady 25, the later ones are shown twice.
TEST_F(SteadyVideo, VariableRateIsMadeSteady) {
  const auto path = make(
      "a.mkv", counting(30, 25) + " -vf \"setpts='if(lt(N,20),N,20+(N-20)*2)/25/TB'\" -fps_mode passthrough -c:v ffv1");
  SteadyVideoReader reader(path);
  EXPECT_DOUBLE_EQ(reader.info().fps, 25);
  EXPECT_THAT(reader.info().notes, Contains(HasSubstr("varies")));
  const std::vector<int> seen = levels(reader);
  ASSERT_NEAR(static_cast<double>(seen.size()), 39, 1);
  for (int i = 0; i < 39; ++i) EXPECT_EQ(seen[static_cast<std::size_t>(i)], i < 20 ? i : 20 + (i - 20) / 2) << i;
}

TEST_F(SteadyVideo, OblongPixelsBecomeSquareAndDeepColourIsRead) {
  SteadyVideoReader wide(make("a.mkv", counting(4, 25, "72x60") + " -vf setsar=16/15 -c:v ffv1"));
  EXPECT_EQ(wide.info().width, 77);  // 72 * 16 / 15 = 76.8
  EXPECT_EQ(wide.info().height, 60);
  Image8 frame;
  ASSERT_TRUE(wide.read(frame));
  EXPECT_EQ(frame.width, 77);
  EXPECT_EQ(frame.height, 60);
  SteadyVideoReader deep(
      make("b.mkv", "-f lavfi -i color=red:s=66x70:r=25:d=0.2 -vf scale=33:35 -pix_fmt yuv444p10le -c:v ffv1"));
  ASSERT_TRUE(deep.read(frame));
  EXPECT_EQ(frame.width, 33);
  EXPECT_GT(frame.at(5, 5)[0], 240);
  EXPECT_LT(frame.at(5, 5)[1], 15);
}

TEST_F(SteadyVideo, SoundThatBeginsLaterIsPlaced) {
  const auto path = make("a.mkv",
                         "-f lavfi -i color=gray:s=32x32:r=25:d=1 -itsoffset 0.4 -f lavfi -i sine=d=0.5 "
                         "-c:v ffv1 -c:a pcm_s16le");
  const SteadyVideoReader reader(path);
  EXPECT_TRUE(reader.info().has_audio);
  EXPECT_NEAR(reader.info().audio_start, 0.4, 0.002);
}

TEST_F(SteadyVideo, TruncatedVideoIsReadAsFarAsItGoes) {
  const auto path = make("a.mp4", "-f lavfi -i testsrc=s=128x96:r=25:d=4 -c:v libx264 -g 10 -movflags +faststart");
  std::filesystem::resize_file(path, std::filesystem::file_size(path) * 6 / 10);
  SteadyVideoReader reader(path);
  Image8 frame;
  int count = 0;
  while (reader.read(frame)) ++count;
  EXPECT_GT(count, 30);
  EXPECT_LT(count, 90);
  EXPECT_THAT(reader.damage(), HasSubstr("truncated"));
  std::filesystem::resize_file(path, 40);
  EXPECT_THROW(SteadyVideoReader{path}, Error);
  EXPECT_THAT(error_of([] { const SteadyVideoReader pipe("-"); }), HasSubstr("twice"));
}

// A bar that moves sideways by four pixels a field: woven plainly, its edges would be combs.
TEST_F(SteadyVideo, InterlacedVideoHasNoCombs) {
  const auto path = make("a.mkv",
                         "-f lavfi -i \"color=black:s=96x64:r=50:d=0.4,format=gray,"
                         "geq=lum='if(between(X,10+4*N,30+4*N),220,20)',interlace=lowpass=0\" "
                         "-pix_fmt yuv420p -c:v mpeg2video -flags +ildct+ilme -q:v 2");
  SteadyVideoReader reader(path);
  Image8 frame;
  int count = 0, combs = 0;
  while (reader.read(frame)) {
    ++count;
    for (int y = 8; y < 56; ++y) {
      for (int x = 0; x < 96; ++x) {
        const int a = frame.at(x, y - 1)[1], b = frame.at(x, y)[1], c = frame.at(x, y + 1)[1];
        combs += std::abs(a - c) < 40 && std::abs(b - a) > 80 ? 1 : 0;
      }
    }
  }
  EXPECT_EQ(count, 10);
  EXPECT_LT(combs, 20);
  EXPECT_THAT(reader.info().notes, Contains(HasSubstr("interlaced")));
}

TEST(SteadyRate, ReadsTimeStamps) {
  std::vector<double> times;
  for (int i = 0; i < 300; ++i) times.push_back(std::round(i * 1001 / 30.0) / 1000);  // milliseconds, as Matroska has
  const media::SteadyRate rate = media::steady_rate(times, 0, 0, 60);
  EXPECT_NEAR(rate.fps, 30000.0 / 1001, 1e-3);
  EXPECT_TRUE(rate.notes.empty());
  const media::SteadyRate unknown = media::steady_rate({}, 24, 3, 60);
  EXPECT_DOUBLE_EQ(unknown.fps, 24);
  EXPECT_DOUBLE_EQ(unknown.seconds, 3);
}

// What stands still keeps all of its lines.
TEST(Fields, StillPicturesAreWovenWhole) {
  Image8 whole(40, 60, 3);
  for (int y = 0; y < 60; ++y) {
    for (int x = 0; x < 40; ++x) std::fill_n(whole.at(x, y), 3, static_cast<std::uint8_t>(3 * y + x));
  }
  Image8 upper(40, 30, 3), lower(40, 30, 3);
  for (int y = 0; y < 30; ++y) {
    std::copy_n(whole.at(0, 2 * y), 120, upper.at(0, y));
    std::copy_n(whole.at(0, 2 * y + 1), 120, lower.at(0, y));
  }
  EXPECT_EQ(media::weave_fields(upper, lower).pixels, whole.pixels);
}

}  // namespace
}  // namespace mien
