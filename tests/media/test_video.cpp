#include <sys/resource.h>

#include <csignal>

#include "media_tools.h"
#include "mien/media/audio.h"
#include "mien/media/video.h"

namespace mien {
namespace {

class Video : public MediaFolder {
 protected:
  void SetUp() override {
    MediaFolder::SetUp();
    if (!have_ffmpeg()) GTEST_SKIP() << "this build has no FFmpeg";
  }
};

// A smooth coloured picture that changes with `frame`.
Image8 picture(int width, int height, int frame) {
  Image8 image(width, height, 3);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      std::uint8_t* p = image.at(x, y);
      p[0] = static_cast<std::uint8_t>(40 + 170 * x / width);
      p[1] = static_cast<std::uint8_t>(40 + 170 * y / height);
      p[2] = static_cast<std::uint8_t>(60 + 4 * frame % 120);
    }
  }
  return image;
}

double mean_difference(const Image8& a, const Image8& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i) sum += std::abs(int{a.pixels[i]} - b.pixels[i]);
  return sum / static_cast<double>(a.pixels.size());
}

void write(const std::filesystem::path& path, const VideoWriterOptions& options, int frames, std::size_t samples) {
  VideoWriter writer(path, options);
  const std::vector<float> sound = sine(440, options.audio_rate, samples);
  std::size_t done = 0;
  for (int i = 0; i < frames; ++i) {
    writer.write_frame(picture(options.width, options.height, i));
    const std::size_t until = samples * static_cast<std::size_t>(i + 1) / static_cast<std::size_t>(frames);
    writer.write_audio(std::span(sound).subspan(done, until - done));
    done = until;
  }
  writer.finish();
}

TEST_F(Video, BothStreamsAreEquallyLongWhateverTheSoundsLength) {
  MIEN_NEED_PROGRAM("ffprobe");
  struct Case {
    int fps, frames, rate;
    std::size_t samples;
  };
  for (const Case& c : {Case{30, 45, 16000, 24000}, Case{30, 31, 16000, 3000}, Case{25, 50, 16000, 90000},
                        Case{30, 1, 16000, 0}, Case{30, 40, 48000, 64000}, Case{24, 7, 44100, 100}}) {
    VideoWriterOptions options;
    options.width = 96;
    options.height = 64;
    options.fps = c.fps;
    options.audio_rate = c.rate;
    options.metadata = {{"title", "a test"}, {"mien_provenance", "{\"synthetic\": true}"}};
    const std::filesystem::path path = folder_ / "a.mp4";
    write(path, options, c.frames, c.samples);
    EXPECT_EQ(entries(), 1);
    const Json json = ffprobe(path);
    const double wanted = static_cast<double>(c.frames) / c.fps;
    ASSERT_EQ(json.at("streams").size(), 2u);
    for (const Json& stream : json["streams"]) {
      EXPECT_NEAR(std::stod(stream["duration"].get<std::string>()), wanted, 1.01 / c.rate) << stream["codec_name"];
      EXPECT_NEAR(std::stod(stream["start_time"].get<std::string>()), 0, 1e-6) << stream["codec_name"];
    }
    EXPECT_NEAR(std::stod(json["format"]["duration"].get<std::string>()), wanted, 1.5e-3);
    const Json& video = json["streams"][0];
    EXPECT_EQ(video["codec_name"], "h264");
    EXPECT_EQ(video["pix_fmt"], "yuv420p");
    EXPECT_EQ(video["color_space"], "bt709");
    EXPECT_EQ(video["color_range"], "tv");
    EXPECT_EQ(video["nb_read_frames"], std::to_string(c.frames));
    EXPECT_EQ(json["streams"][1]["codec_name"], "aac");
    EXPECT_EQ(json["format"]["tags"]["mien_provenance"], "{\"synthetic\": true}");
    const VideoReader reader(path);
    EXPECT_EQ(reader.info().metadata.at("mien_provenance"), "{\"synthetic\": true}");
    EXPECT_TRUE(reader.info().has_audio);
    // The sound itself is as long as the picture, to the sample, and starts where it started.
    const Audio audio = read_audio(path, c.rate);
    EXPECT_NEAR(static_cast<double>(audio.samples.size()), wanted * c.rate, 1.01);
  }
}

TEST_F(Video, SoundStaysWhereItWas) {
  VideoWriterOptions options;
  options.width = options.height = 64;
  options.audio_bitrate = 128000;
  const std::filesystem::path path = folder_ / "a.mp4";
  write(path, options, 60, 32000);
  const Audio audio = read_audio(path);
  ASSERT_EQ(audio.samples.size(), 32000u);
  EXPECT_LT(largest_difference(audio.samples, sine(440, 16000, 32000), 1500), 0.05);
}

TEST_F(Video, ColoursComeBack) {
  for (const bool sound : {true, false}) {
    VideoWriterOptions options;
    options.width = 128;
    options.height = 96;
    options.crf = 10;
    options.audio_rate = sound ? 16000 : 0;
    const std::filesystem::path path = folder_ / "a.mp4";
    VideoWriter writer(path, options);
    for (int i = 0; i < 12; ++i) writer.write_frame(picture(128, 96, i));
    writer.finish();
    VideoReader reader(path);
    EXPECT_EQ(reader.info().width, 128);
    EXPECT_EQ(reader.info().height, 96);
    EXPECT_DOUBLE_EQ(reader.info().fps, 30);
    EXPECT_NEAR(reader.info().duration, 0.4, 1e-3);
    EXPECT_EQ(reader.info().has_audio, sound);
    Image8 frame;
    for (int i = 0; i < 12; ++i) {
      ASSERT_TRUE(reader.read(frame));
      EXPECT_LT(mean_difference(frame, picture(128, 96, i)), 2.0) << i;
    }
    EXPECT_FALSE(reader.read(frame));
    EXPECT_FALSE(reader.read(frame));
  }
}

TEST_F(Video, ColoursAreRightForAnotherReader) {
  MIEN_NEED_PROGRAM("ffmpeg");
  VideoWriterOptions options;
  options.width = 128;
  options.height = 96;
  options.crf = 10;
  write(folder_ / "a.mp4", options, 3, 1600);
  // The program takes the matrix from the file's tags: a wrong tag or a wrong matrix shows as a wrong colour.
  ASSERT_TRUE(shell(
      fmt::format("ffmpeg -nostdin -i '{0}/a.mp4' -vf scale=in_color_matrix=auto,format=rgb24 -frames:v 1 '{0}/a.png'",
                  folder_.string())));
  EXPECT_LT(mean_difference(read_image(folder_ / "a.png"), picture(128, 96, 0)), 2.5);
  // And the other way round, with the older matrix.
  write_image(folder_ / "b.png", picture(128, 96, 5));
  ASSERT_TRUE(
      shell(fmt::format("ffmpeg -nostdin -loop 1 -i '{0}/b.png' -frames:v 4 -vf "
                        "scale=out_color_matrix=bt601:out_range=tv -colorspace smpte170m -pix_fmt yuv420p -crf 8 "
                        "'{0}/b.mp4'",
                        folder_.string())));
  VideoReader reader(folder_ / "b.mp4");
  Image8 frame;
  ASSERT_TRUE(reader.read(frame));
  EXPECT_LT(mean_difference(frame, picture(128, 96, 5)), 2.0);
}

TEST_F(Video, TelephoneVideoStandsUpright) {
  MIEN_NEED_PROGRAM("ffmpeg");
  Image8 lying(96, 64, 3, 30);
  for (int y = 0; y < 32; ++y) {
    for (int x = 0; x < 48; ++x) lying.at(x, y)[0] = 220;  // a red mark at the top left
  }
  write_image(folder_ / "a.png", lying);
  ASSERT_TRUE(shell(fmt::format("ffmpeg -nostdin -loop 1 -i '{0}/a.png' -frames:v 4 -pix_fmt yuv420p '{0}/a.mp4'",
                                folder_.string())));
  ASSERT_TRUE(shell(
      fmt::format("ffmpeg -nostdin -i '{0}/a.mp4' -c copy -metadata:s:v:0 rotate=90 '{0}/b.mp4'", folder_.string())));
  // The program turns by itself on decoding: its picture is the truth.
  ASSERT_TRUE(shell(fmt::format("ffmpeg -nostdin -i '{0}/b.mp4' -frames:v 1 '{0}/b.png'", folder_.string())));
  const Image8 truth = read_image(folder_ / "b.png");
  VideoReader reader(folder_ / "b.mp4");
  Image8 frame;
  ASSERT_TRUE(reader.read(frame));
  ASSERT_EQ(frame.width, truth.width);
  ASSERT_EQ(frame.height, truth.height);
  EXPECT_EQ(reader.info().width, truth.width);
  EXPECT_LT(mean_difference(frame, truth), 3.0);
}

TEST_F(Video, NothingIsLeftWithoutFinishOrOnAFullDisk) {
  VideoWriterOptions options;
  options.width = options.height = 64;
  {
    VideoWriter writer(folder_ / "a.mp4", options);
    writer.write_frame(picture(64, 64, 0));
  }
  EXPECT_EQ(entries(), 0);
  {
    VideoWriter writer(folder_ / "a.mp4", options);
    EXPECT_THROW(writer.finish(), Error);  // no frame
  }
  EXPECT_EQ(entries(), 0);

  // A limit on the size of files stands for the full disk.
  rlimit saved = {};
  ::getrlimit(RLIMIT_FSIZE, &saved);
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);
  rlimit small = saved;
  small.rlim_cur = 20000;
  ::setrlimit(RLIMIT_FSIZE, &small);
  std::string message;
  try {
    options.crf = 1;
    VideoWriter writer(folder_ / "a.mp4", options);
    for (int i = 0; i < 200; ++i) {
      Image8 frame = picture(64, 64, i);
      for (std::size_t k = 0; k < frame.pixels.size(); k += 3)
        frame.pixels[k] = static_cast<std::uint8_t>(k * 7919 * (i + 1) >> 5);
      writer.write_frame(std::move(frame));
    }
    writer.finish();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kIo);
    message = error.what();
  }
  ::setrlimit(RLIMIT_FSIZE, &saved);
  ::signal(SIGXFSZ, handler);
  EXPECT_NE(message.find("a.mp4"), std::string::npos) << message;
  EXPECT_NE(message.find("disk is full"), std::string::npos) << message;
  EXPECT_EQ(entries(), 0);
}

TEST_F(Video, WriterRefusesBadArguments) {
  VideoWriterOptions options;
  options.width = 63;
  EXPECT_THROW(VideoWriter(folder_ / "a.mp4", options), Error);
  options.width = 64;
  options.preset = "lightning";
  EXPECT_NE(error_of([&] { VideoWriter(folder_ / "a.mp4", options); }).find("x264"), std::string::npos);
  options.preset = "veryfast";
  EXPECT_NE(error_of([&] { VideoWriter(folder_ / "absent" / "a.mp4", options); }).find("absent"), std::string::npos);
  EXPECT_NE(error_of([&] { VideoWriter(folder_ / "a.avi", options); }).find(".mp4"), std::string::npos);
  VideoWriter writer(folder_ / "a.mp4", options);
  EXPECT_THROW(writer.write_frame(Image8(32, 64, 3)), Error);
  EXPECT_THROW(writer.write_frame(Image8(64, 64, 4)), Error);
}

TEST(VideoWithoutFfmpeg, SaysWhatToInstall) {
  if (have_ffmpeg()) GTEST_SKIP() << "this build has FFmpeg";
  try {
    VideoWriter("a.mp4", {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kMissingFeature);
    EXPECT_NE(std::string(error.what()).find("libavformat-dev"), std::string::npos);
  }
}

TEST_F(Video, ReaderRefusesWhatIsNoVideo) {
  Audio audio;
  audio.samples = sine(440, 16000, 16000);
  write_wav(folder_ / "a.wav", audio);
  EXPECT_NE(error_of([&] { VideoReader(folder_ / "a.wav"); }).find("holds no video"), std::string::npos);
  EXPECT_NE(error_of([&] { VideoReader(folder_ / "none.mp4"); }).find("no such file"), std::string::npos);
  put_file(folder_ / "text.mp4", "hello", 5);
  EXPECT_NE(error_of([&] { VideoReader(folder_ / "text.mp4"); }).find("text.mp4"), std::string::npos);
}

TEST_F(Video, TruncatedAndDamagedVideoIsRefusedOrReadNeverACrash) {
  VideoWriterOptions options;
  options.width = options.height = 64;
  const std::filesystem::path path = folder_ / "a.mp4";
  write(path, options, 30, 16000);
  const std::vector<std::uint8_t> whole = read_file(path);
  const auto read_all = [&] {
    VideoReader reader(folder_ / "b.mp4");
    Image8 frame;
    while (reader.read(frame)) {
    }
  };
  for (const double share : {0.02, 0.2, 0.5, 0.8}) {
    put_file(folder_ / "b.mp4", whole.data(), static_cast<std::size_t>(share * static_cast<double>(whole.size())));
    EXPECT_THROW(read_all(), Error) << share;
  }
  for (std::size_t i = 0; i < whole.size(); i += 97) {
    std::vector<std::uint8_t> damaged = whole;
    damaged[i] ^= 0x5a;
    put_file(folder_ / "b.mp4", damaged.data(), damaged.size());
    try {
      read_all();
    } catch (const Error&) {
    }
  }
}

}  // namespace
}  // namespace mien
