// mien speak with wrong options and outputs that cannot be written: one line that lists what exists, and nothing left.
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include "cli/program.h"
#include "cli/sounds.h"
#include "speech/hubert/tiny_model.h"

namespace mien::testing_cli {
namespace {

namespace fs = std::filesystem;

class SpeakOptions : public ::testing::Test {
 protected:
  void SetUp() override { write_bytes(scratch_ / "in.wav", wav_bytes({})); }

  Invocation speak(std::vector<std::string> more, const fs::path& output) const {
    Invocation what;
    what.command = {mien_program(), "speak", (scratch_ / "in.wav").string(), "-q", "-o", output.string()};
    what.command.insert(what.command.end(), more.begin(), more.end());
    return what;
  }
  void refused(const std::vector<std::string>& options, int status, const std::vector<std::string>& words) {
    SCOPED_TRACE(options.back());
    expect_refusal(run(speak(options, scratch_ / "out.mp4")), status, words);
    EXPECT_EQ(scratch_.names(), std::vector<std::string>{"in.wav"});
  }
  Scratch scratch_;
};

TEST_F(SpeakOptions, UnknownEmotionListsThose) {
  refused({"--emotion", "joyful"}, 2,
          {"joyful", "neutral", "angry", "contempt", "disgusted", "fear", "happy", "sad", "surprised"});
}

TEST_F(SpeakOptions, IntensityOutOfRange) {
  refused({"--emotion", "happy:1.5"}, 2, {"1.5", "0 to 1"});
  refused({"--emotion", "sad:-0.1"}, 2, {"-0.1", "0 to 1"});
  refused({"--emotion", "sad:much"}, 2, {"much"});
  refused({"--emotion", "happy:nan"}, 2, {"nan"});
}

TEST_F(SpeakOptions, UnknownNamesListThose) {
  refused({"--camera", "above"}, 2, {"above", "front", "orbit"});
  refused({"--camera", "400"}, 2, {"400"});
  refused({"--appearance", "beach"}, 2, {"beach", "default"});
  refused({"--avatar", "nobody"}, 3, {"nobody", "ada"});
  refused({"--avatar", (scratch_ / "nobody.mien").string()}, 3, {"nobody.mien"});
}

TEST_F(SpeakOptions, MotionFromAFile) {
  const auto curves = [&](const std::string& text) {
    write_bytes(scratch_ / "take.csv", {text.begin(), text.end()});
    return (scratch_ / "take.csv").string();
  };
  const std::string head = "Timecode,BlendShapeCount,JawOpen\n00:00:00:00,61,0\n";
  const Outcome made = run(speak({"--motion", curves(head + "00:00:00:02,61,0.5\n00:00:00:04,61,1\n"), "--size",
                                  "64x64", "--emotion", "happy", "--json"},
                                 scratch_ / "out.mp4"));
  EXPECT_EQ(made.status, 0) << made.err;
  EXPECT_NE(made.out.find("\"frames\":3"), std::string::npos) << made.out;
  EXPECT_TRUE(fs::remove(scratch_ / "out.mp4"));
  for (const auto& [options, status, words] :
       std::vector<std::tuple<std::vector<std::string>, int, std::vector<std::string>>>{
           {{"--motion", curves(head + "00:00:00:02,61,open\n")}, 3, {"take.csv", "line 3", "open"}},
           {{"--motion", (scratch_ / "absent.csv").string()}, 3, {"absent.csv"}},
           {{"--motion", (scratch_ / "in.wav").string()}, 3, {"in.wav"}},
           {{"--motion", (scratch_ / "in.wav").string(), "--emotion", "auto"}, 2, {"--motion", "auto"}}}) {
    expect_refusal(run(speak(options, scratch_ / "out.mp4")), status, words);
    EXPECT_FALSE(fs::exists(scratch_ / "out.mp4"));
  }
}

TEST_F(SpeakOptions, EmotionByItselfNeedsANetwork) {
  refused({"--emotion", "auto", "--emotion-model", (scratch_ / "absent").string()}, 3, {"absent", "config.json"});
  Invocation what = speak({"--emotion", "auto"}, scratch_ / "out.mp4");
  what.environment = {"MIEN_MODELS=" MIEN_SOURCE_DIR "/models"};
  expect_refusal(run(what), 5, {"--emotion-model", "mien train emotion", "ForSequenceClassification", "MIEN_MODELS"});
  refused({"--emotion", "auto", "--emotion-model", (scratch_ / "in.wav").string()}, 3, {"in.wav"});
  EXPECT_EQ(scratch_.names(), std::vector<std::string>{"in.wav"});
}

TEST_F(SpeakOptions, EmotionByAClassifier) {
  testing::TinyModel model;
  model.classifier = true;
  model.make(2);
  model.write(scratch_ / "classifier");
  const Outcome outcome = run(
      speak({"--emotion", "auto", "--emotion-model", (scratch_ / "classifier").string(), "--size", "64x64", "--json"},
            scratch_ / "out.mp4"));
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("\"emotion_latency_seconds\":2.5"), std::string::npos) << outcome.out;
}

TEST_F(SpeakOptions, SpeechNetworks) {
  refused({"--speech", (scratch_ / "absent.safetensors").string()}, 3, {"absent.safetensors"});
  refused({"--speech", (scratch_ / "in.wav").string()}, 3, {"in.wav"});
  refused({"--person", "eve"}, 2, {"eve"});
  refused({"--encoder-model", (scratch_ / "absent").string()}, 3, {"absent", "config.json"});
}

TEST_F(SpeakOptions, SizesAndRates) {
  refused({"--size", "wide"}, 2, {"wide"});
  refused({"--size", "511x512"}, 2, {"511x512"});
  refused({"--size", "99999x99999"}, 2, {"99999"});
  refused({"--fps", "0"}, 2, {"0 frames per second"});
  refused({"--mouth-gain", "7"}, 2, {"7"});
}

TEST_F(SpeakOptions, OutputThatCannotBe) {
  expect_refusal(run(speak({}, scratch_ / "absent" / "out.mp4")), 4, {"absent"});
  expect_refusal(run(speak({}, scratch_ / "out.txt")), 2, {"out.txt", ".mp4"});
  fs::create_directory(scratch_ / "dir.mp4");
  const Outcome folder = run(speak({}, scratch_ / "dir.mp4"));
  expect_refusal(folder, 4, {"dir.mp4"});
  EXPECT_EQ(scratch_.names(), (std::vector<std::string>{"dir.mp4", "in.wav"}));
}

TEST_F(SpeakOptions, FolderNotWritable) {
  // Root may write anywhere but into /sys.
  fs::path folder = "/sys/kernel";
  if (::geteuid() != 0) {
    folder = scratch_ / "locked";
    fs::create_directory(folder);
    fs::permissions(folder, fs::perms::owner_read | fs::perms::owner_exec);
  } else if (!fs::is_directory(folder)) {
    GTEST_SKIP() << "no /sys to be refused by";
  }
  expect_refusal(run(speak({}, folder / "out.mp4")), 4, {"out.mp4"});
  EXPECT_TRUE(::geteuid() == 0 || fs::is_empty(folder));
}

// A limit on the size of files stands for the full disk (the kernel says "file too large" instead of "no space").
TEST_F(SpeakOptions, DiskFull) {
  Invocation what = speak({}, scratch_ / "out.mp4");
  what.file_size_limit = 4096;
  expect_refusal(run(what), 4, {"out.mp4"});
  EXPECT_EQ(scratch_.names(), std::vector<std::string>{"in.wav"});
}

TEST_F(SpeakOptions, DiskReallyFull) {
  const fs::path disk = scratch_ / "disk";
  fs::create_directory(disk);
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=8k") != 0) GTEST_SKIP() << "only root can mount a small disk";
  const Outcome outcome = run(speak({}, disk / "out.mp4"));
  const bool left = !fs::is_empty(disk);
  ::umount2(disk.c_str(), MNT_DETACH);
  expect_refusal(outcome, 4, {"out.mp4", "disk is full"});
  EXPECT_FALSE(left);
}

TEST_F(SpeakOptions, NeitherSoundNorText) {
  expect_refusal(mien({"speak", "-o", (scratch_ / "out.mp4").string()}), 2, {"--text"});
  expect_refusal(
      mien({"speak", (scratch_ / "in.wav").string(), "--text", "Hello", "-o", (scratch_ / "out.mp4").string()}), 2,
      {"--text"});
  expect_refusal(mien({"speak", (scratch_ / "in.wav").string()}), 2, {"--output"});
}

}  // namespace
}  // namespace mien::testing_cli
