// Sound files made by the ffmpeg program, read by us.
#include "media_tools.h"
#include "mien/media/audio.h"
#include "mien/media/video.h"

namespace mien {
namespace {

class FfmpegAudio : public MediaFolder {
 protected:
  // Two seconds of a 440 Hz sine of amplitude 1/8 (lavfi's sine), encoded with `arguments`.
  bool make(const std::string& name, const std::string& arguments) {
    return shell(fmt::format("ffmpeg -nostdin -y -f lavfi -i sine=frequency=440:sample_rate=44100:duration=2 {} '{}'",
                             arguments, (folder_ / name).string()));
  }
  void expect_sine(const std::string& name, double tolerance, double seconds_tolerance, double amplitude = 0.125) {
    const Audio audio = read_audio(folder_ / name);
    EXPECT_NEAR(audio.seconds(), 2.0, seconds_tolerance) << name;
    EXPECT_LT(largest_difference(audio.samples, sine(440, 16000, 32000, amplitude), 2000), tolerance) << name;
  }
};

TEST_F(FfmpegAudio, WavOfAnotherWriter) {
  MIEN_NEED_PROGRAM("ffmpeg");
  for (const char* codec :
       {"pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le", "pcm_alaw", "pcm_mulaw"}) {
    const std::string name = std::string(codec) + ".wav";
    ASSERT_TRUE(make(name, std::string("-ac 2 -c:a ") + codec));
    const double tolerance = name[4] == 'u' ? 0.012 : name.find("law") != std::string::npos ? 0.005 : 2e-4;
    expect_sine(name, tolerance, 1e-4, 0.125 * M_SQRT1_2);  // the program splits mono with equal power
  }
  ASSERT_TRUE(make("rf64.wav", "-rf64 always"));
  expect_sine("rf64.wav", 2e-4, 1e-4);
}

TEST_F(FfmpegAudio, CompressedFiles) {
  MIEN_NEED_PROGRAM("ffmpeg");
  if (!have_ffmpeg()) GTEST_SKIP() << "this build has no FFmpeg";
  ASSERT_TRUE(make("a.flac", ""));
  expect_sine("a.flac", 2e-4, 1e-4);
  ASSERT_TRUE(make("a.m4a", "-c:a aac -b:a 128k"));
  expect_sine("a.m4a", 0.02, 0.03);  // aligned: the codec's priming samples are left out
  ASSERT_TRUE(make("a.mp3", "-b:a 128k"));
  expect_sine("a.mp3", 0.02, 0.06);
  ASSERT_TRUE(make("a.ogg", "-c:a libvorbis"));
  expect_sine("a.ogg", 0.02, 0.03);
  ASSERT_TRUE(make("a.w64", ""));
  expect_sine("a.w64", 2e-4, 1e-4);
  ASSERT_TRUE(make("a.aiff", "-ac 6"));
  const Audio six = read_audio(folder_ / "a.aiff");
  EXPECT_NEAR(six.seconds(), 2.0, 1e-4);
  ASSERT_TRUE(make("a.g722", "-ar 16000 -ac 1"));
  EXPECT_NEAR(read_audio(folder_ / "a.g722").seconds(), 2.0, 0.01);
}

TEST_F(FfmpegAudio, StandardInputAndVideo) {
  MIEN_NEED_PROGRAM("ffmpeg");
  if (!have_ffmpeg()) GTEST_SKIP() << "this build has no FFmpeg";
  ASSERT_TRUE(make("a.mp4", "-f lavfi -i testsrc=size=64x64:rate=30:duration=2 -c:v libx264 -c:a aac"));
  expect_sine("a.mp4", 0.02, 0.03);
  // The same through a pipe: an MP4 with its index at the end must be kept aside first.
  const Audio direct = read_audio(folder_ / "a.mp4");
  std::FILE* pipe = ::popen(fmt::format("cat '{}'", (folder_ / "a.mp4").string()).c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  const int saved = ::dup(STDIN_FILENO);
  ::dup2(::fileno(pipe), STDIN_FILENO);
  const Audio piped = read_audio("-");
  ::dup2(saved, STDIN_FILENO);
  ::close(saved);
  ::pclose(pipe);
  EXPECT_EQ(piped.samples, direct.samples);
}

TEST_F(FfmpegAudio, ClearErrors) {
  MIEN_NEED_PROGRAM("ffmpeg");
  if (!have_ffmpeg()) GTEST_SKIP() << "this build has no FFmpeg";
  ASSERT_TRUE(shell(fmt::format("ffmpeg -nostdin -f lavfi -i testsrc=size=64x64:rate=30:duration=1 -c:v libx264 '{}'",
                                (folder_ / "mute.mp4").string())));
  const std::string mute = error_of([&] { read_audio(folder_ / "mute.mp4"); });
  EXPECT_NE(mute.find("holds no sound"), std::string::npos) << mute;
  EXPECT_NE(mute.find("h264 video 64x64"), std::string::npos) << mute;

  std::string text = "This is no sound.\n";
  for (int i = 0; i < 7; ++i) text += text;
  put_file(folder_ / "text.mp3", text.data(), text.size());
  const std::string prose = error_of([&] { read_audio(folder_ / "text.mp3"); });
  EXPECT_NE(prose.find("text.mp3"), std::string::npos) << prose;

  for (const char* name : {"b.m4a", "b.flac", "b.mp3"}) {
    ASSERT_TRUE(make(name, name[2] == 'm' && name[3] == '4' ? "-c:a aac -movflags +faststart" : ""));
    const std::vector<std::uint8_t> bytes = read_file(folder_ / name);
    put_file(folder_ / name, bytes.data(), bytes.size() / 3);
    const std::string cut = error_of([&] { read_audio(folder_ / name); });
    EXPECT_NE(cut.find(name), std::string::npos) << cut;
    EXPECT_NE(cut.find("truncated"), std::string::npos) << cut;
  }
}

TEST_F(FfmpegAudio, PlaylistsReachNoOtherFile) {
  MIEN_NEED_PROGRAM("ffmpeg");
  if (!have_ffmpeg()) GTEST_SKIP() << "this build has no FFmpeg";
  ASSERT_TRUE(make("secret.wav", ""));
  const std::string list = fmt::format("#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:2,\nfile:{}\n#EXT-X-ENDLIST\n",
                                       (folder_ / "secret.wav").string());
  put_file(folder_ / "list.m3u8", list.data(), list.size());
  EXPECT_THROW(read_audio(folder_ / "list.m3u8"), Error);
  const std::string concat = fmt::format("ffconcat version 1.0\nfile secret.wav\n");
  put_file(folder_ / "list.ffconcat", concat.data(), concat.size());
  EXPECT_THROW(read_audio(folder_ / "list.ffconcat"), Error);
}

}  // namespace
}  // namespace mien
