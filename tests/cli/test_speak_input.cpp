// mien speak and the recordings that people have: broken ones are refused in words, odd ones work.
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "cli/program.h"
#include "cli/sounds.h"

namespace mien::testing_cli {
namespace {

namespace fs = std::filesystem;

// Small pictures: these tests are about the sound.
Outcome speak(const fs::path& input, const fs::path& output) {
  return mien({"speak", input.string(), "-q", "--size", "64x64", "-o", output.string()});
}

class SpeakInput : public testing::Test {
 protected:
  void refused(const std::string& name, const std::vector<std::string>& words) {
    SCOPED_TRACE(name);
    expect_refusal(speak(scratch_ / name, scratch_ / "out.mp4"), 3, words);
    for (const std::string& left : scratch_.names()) EXPECT_EQ(left.find("out"), std::string::npos) << left;
  }

  // The video must have sound and pictures of equal length, to the frame, and last as long as the recording.
  void spoken(const std::string& name, double seconds) {
    SCOPED_TRACE(name);
    const Outcome outcome = speak(scratch_ / name, scratch_ / "out.mp4");
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    const auto streams = probe(scratch_ / "out.mp4");
    EXPECT_NEAR(streams.first, streams.second, 1.0 / 30) << "pictures and sound differ";
    EXPECT_NEAR(streams.first, seconds, 2.0 / 30);
  }

  // Seconds of pictures and of sound, as ffprobe says.
  static std::pair<double, double> probe(const fs::path& video) {
    Invocation what;
    what.command = {"ffprobe", "-v", "error", "-show_streams", "-of", "json", video.string()};
    const Outcome outcome = run(what);
    std::pair<double, double> seconds = {-1, -2};
    if (outcome.status != 0) {
      ADD_FAILURE() << outcome.err;
      return seconds;
    }
    const auto report = nlohmann::json::parse(outcome.out);
    for (const auto& stream : report.at("streams")) {
      const double duration = std::atof(stream.at("duration").get<std::string>().c_str());
      (stream.at("codec_type") == "video" ? seconds.first : seconds.second) = duration;
    }
    return seconds;
  }

  Scratch scratch_;
};

TEST_F(SpeakInput, MissingAndEmptyFilesAndFolders) {
  refused("absent.wav", {"absent.wav", "no such file"});
  write_bytes(scratch_ / "empty.wav", "");
  refused("empty.wav", {"empty.wav", "empty"});
  fs::create_directory(scratch_ / "folder.wav");
  refused("folder.wav", {"folder.wav", "folder"});
}

TEST_F(SpeakInput, NotSound) {
  write_bytes(scratch_ / "notes.wav", "This is a letter, not a recording.\n");
  refused("notes.wav", {"notes.wav", "not a sound or video file"});
  std::string header = wav_bytes({});
  header.resize(44);
  write_bytes(scratch_ / "silent.wav", header);
  refused("silent.wav", {"silent.wav"});
}

TEST_F(SpeakInput, Truncated) {
  const std::string whole = wav_bytes({.samples = 16000});
  write_bytes(scratch_ / "cut.wav", whole.substr(0, whole.size() / 2));
  refused("cut.wav", {"cut.wav", "truncated"});
  write_bytes(scratch_ / "good.wav", whole);
  Invocation encode;
  encode.command = {"ffmpeg", "-v", "error", "-i", (scratch_ / "good.wav").string(), (scratch_ / "good.m4a").string()};
  ASSERT_EQ(run(encode).status, 0);
  const std::string coded = read_bytes(scratch_ / "good.m4a");
  write_bytes(scratch_ / "cut.m4a", coded.substr(0, coded.size() / 2));
  refused("cut.m4a", {"cut.m4a", "truncated"});
}

TEST_F(SpeakInput, VideoWithoutSound) {
  Invocation encode;
  encode.command = {
      "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "color=c=red:s=64x64:d=1", (scratch_ / "mute.mp4").string()};
  ASSERT_EQ(run(encode).status, 0);
  refused("mute.mp4", {"mute.mp4", "holds no", "video"});
}

TEST_F(SpeakInput, EveryKindOfWav) {
  write_bytes(scratch_ / "8bit.wav", wav_bytes({.bits = 8}));
  spoken("8bit.wav", 0.5);
  write_bytes(scratch_ / "24bit.wav", wav_bytes({.bits = 24}));
  spoken("24bit.wav", 0.5);
  write_bytes(scratch_ / "stereo.wav", wav_bytes({.channels = 2, .rate = 44100, .samples = 22050}));
  spoken("stereo.wav", 0.5);
  write_bytes(scratch_ / "8khz.wav", wav_bytes({.rate = 8000, .samples = 4000}));
  spoken("8khz.wav", 0.5);
  write_bytes(scratch_ / "96khz.wav", wav_bytes({.bits = 32, .floating = true, .rate = 96000, .samples = 48000}));
  spoken("96khz.wav", 0.5);
}

TEST_F(SpeakInput, NotANumber) {
  write_bytes(scratch_ / "nan.wav", wav_bytes({.bits = 32, .floating = true, .with_nan = true}));
  spoken("nan.wav", 0.5);
}

TEST_F(SpeakInput, OneSample) {
  write_bytes(scratch_ / "one.wav", wav_bytes({.samples = 1}));
  spoken("one.wav", 1.0 / 30);
}

TEST_F(SpeakInput, StandardInput) {
  Invocation what;
  what.command = {mien_program(), "speak", "-", "-q", "--size", "64x64", "-o", (scratch_ / "out.mp4").string()};
  what.input = wav_bytes({});
  const Outcome outcome = run(what);
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_NEAR(probe(scratch_ / "out.mp4").first, 0.5, 2.0 / 30);
}

// An hour of sound may take time, but no memory; and Ctrl-C in the middle leaves nothing behind.
TEST_F(SpeakInput, AnHourInterrupted) {
  write_bytes(scratch_ / "hour.wav", wav_bytes({.bits = 8, .rate = 8000, .samples = 3600 * 8000}));
  Invocation what;
  what.command = {mien_program(), "speak", (scratch_ / "hour.wav").string(), "-q", "--size",
                  "64x64",        "-o",    (scratch_ / "out.mp4").string()};
  what.interrupt_after = 8;
  const Outcome outcome = run(what);
  expect_refusal(outcome, 130, {"interrupted"});
  EXPECT_EQ(scratch_.names(), std::vector<std::string>{"hour.wav"});
  EXPECT_LT(outcome.peak_kilobytes, 1'500'000);
}

}  // namespace
}  // namespace mien::testing_cli
