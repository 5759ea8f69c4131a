// Training on labelled recordings: voices never heard are understood, stopping costs nothing, bad data is named.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/base/safetensors.h"
#include "mien/speech/emotion_network.h"
#include "mien/speech/emotion_training.h"
#include "speech/emotion/acted_voice.h"
#include "speech/emotion/training/labelled_voices.h"

namespace mien {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class EmotionTraining : public ::testing::Test {
 protected:
  EmotionTraining() { fs::create_directories(data()); }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path data() const { return folder_ / "data"; }
  fs::path out() const { return folder_ / "out.safetensors"; }
  void write(const std::string& name, const std::string& text) const {
    fs::create_directories((data() / name).parent_path());
    std::ofstream(data() / name) << text;
  }
  void voice(const std::string& name, Emotion emotion = Emotion::kSad) const {
    fs::create_directories((data() / name).parent_path());
    write_wav(data() / name, testing::acted_voice(0, emotion, 1, 0.5, 1));
  }
  // What training on data() is refused with.
  void refused(ErrorCode code, const std::vector<std::string>& words, EmotionTrainingOptions options = {}) const {
    options.steps = 1;
    try {
      train_emotion(data(), options, out());
      ADD_FAILURE() << words.front();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code) << error.what();
      for (const std::string& word : words) EXPECT_THAT(error.what(), HasSubstr(word));
    }
    EXPECT_FALSE(fs::exists(out()));
  }
  static EmotionTrainingOptions quick() {
    EmotionTrainingOptions options;
    options.steps = 220;
    options.batch = 10;
    options.seconds = 3;
    options.rate = 5e-3;
    return options;
  }
  fs::path folder_ = fs::temp_directory_path() / fmt::format("mien_emotion_{}", ::getpid());
};

TEST_F(EmotionTraining, VoicesThatItNeverHeard) {
  testing::write_acted_voices(data(), 5, 4, 2.5);
  EmotionTrainingOptions options = quick();
  options.leave_out = {"voice2"};
  const EmotionTrainingReport report = train_emotion(data(), options, out());
  EXPECT_TRUE(report.finished);
  EXPECT_EQ(report.files, 100);
  EXPECT_EQ(report.scored, 20);
  EXPECT_EQ(report.classes.size(), 5u);
  EXPECT_EQ(report.speakers.size(), 5u);
  EXPECT_NEAR(report.chance, 0.2, 1e-9);
  EXPECT_GE(report.accuracy, 0.75) << report.accuracy << report.json()["confusion"].dump();
  EXPECT_LT(report.intensity_error, 0.25);
  // The file hears the same, as a stream of sound that it has not met.
  const EmotionNetwork network = EmotionNetwork::load(out());
  int right = 0;
  for (const Emotion emotion : testing::kActed) {
    const Audio audio = testing::acted_voice(2, emotion, 1, 4, 777);
    EmotionNetwork::Stream stream(network);
    std::vector<EmotionStep> steps;
    stream.push(audio.samples, steps);
    const auto& p = steps.back().posteriors;
    right += std::max_element(p.begin(), p.end()) - p.begin() == static_cast<int>(emotion);
  }
  EXPECT_GE(right, 4);
  const Json said = Json::parse(SafetensorsFile::open(out()).metadata().at("training"));
  EXPECT_EQ(said["left_out"][0], "voice2");
  EXPECT_EQ(said["accuracy"], report.accuracy);
}

TEST_F(EmotionTraining, StoppedRunsEndWithTheSameBits) {
  testing::write_acted_voices(data(), 2, 2, 1);
  EmotionTrainingOptions options = quick();
  options.steps = 12;
  train_emotion(data(), options, out());
  const auto whole = read_file(out());
  fs::remove(out());
  options.checkpoint = folder_ / "checkpoint";
  options.log = folder_ / "log";
  int stops = 0;
  options.progress = [&](std::int64_t done, std::int64_t, const std::string&) { return done != 5 || stops++ > 0; };
  const EmotionTrainingReport stopped = train_emotion(data(), options, out());
  EXPECT_FALSE(stopped.finished);
  EXPECT_EQ(stopped.steps, 5);
  EXPECT_FALSE(fs::exists(out()));
  EmotionTrainingOptions other = options;
  other.rate = 1e-3;
  EXPECT_THROW(train_emotion(data(), other, out()), Error);
  const EmotionTrainingReport report = train_emotion(data(), options, out());
  EXPECT_TRUE(report.finished);
  EXPECT_FALSE(fs::exists(options.checkpoint));
  // But for the seconds it took, which stand in the file.
  const auto tensors = [](const fs::path& path) {
    const SafetensorsFile file = SafetensorsFile::open(path);
    std::vector<std::vector<std::uint8_t>> out;
    for (const std::string& name : file.names()) out.push_back(file.bytes(name));
    return out;
  };
  const auto resumed = tensors(out());
  write_file(out(), whole.data(), whole.size());
  EXPECT_EQ(resumed, tensors(out()));
  EXPECT_THAT(read_text(options.log), HasSubstr("\"accuracy\""));
}

TEST_F(EmotionTraining, TablesAndFolders) {
  voice("a,b.wav");
  write("labels.csv",
        "\xef\xbb\xbf"
        "speaker,file,emotion,intensity\r\neva,\"a,b.wav\",joy,0.3\r\n\r\n,a.wav,ang,\r\n");
  const std::vector<LabelledVoice> table = list_labelled_voices(data());
  ASSERT_EQ(table.size(), 2u);
  EXPECT_EQ(table[0].file, data() / "a,b.wav");
  EXPECT_EQ(table[0].emotion, Emotion::kHappy);
  EXPECT_FLOAT_EQ(table[0].intensity, 0.3f);
  EXPECT_EQ(table[0].speaker, "eva");
  EXPECT_EQ(table[1].emotion, Emotion::kAngry);
  EXPECT_EQ(table[1].intensity, 1);
  EXPECT_EQ(list_labelled_voices(data() / "labels.csv").size(), 2u);
  fs::remove_all(data());
  voice("happy-mild/x.wav");
  voice("fearful/eva/y.wav");
  voice("sad_0.7/.hidden");
  voice("sad_0.7/z.wav");
  const std::vector<LabelledVoice> folders = list_labelled_voices(data());
  ASSERT_EQ(folders.size(), 3u);
  EXPECT_EQ(folders[0].speaker, "eva");
  EXPECT_EQ(folders[0].emotion, Emotion::kFear);
  EXPECT_EQ(folders[1].intensity, 0.5f);
  EXPECT_FLOAT_EQ(folders[2].intensity, 0.7f);
}

TEST_F(EmotionTraining, BadData) {
  refused(ErrorCode::kBadFile, {"neither folders of emotions", "labels.csv"});
  fs::create_directories(data() / "sad");
  refused(ErrorCode::kBadFile, {"neither folders of emotions"});
  voice("sad/a.wav");
  refused(ErrorCode::kBadFile, {"all recordings are sad", "two emotions"});
  voice("bored/a.wav");
  refused(ErrorCode::kBadFile, {"bored", "neutral, angry, contempt, disgusted, fear, happy, sad, surprised"});
  fs::rename(data() / "bored", data() / "happy");
  write("happy/b.wav", "no sound");
  write("happy/c.wav", "no sound");
  write("sad/d.wav", "no sound");
  refused(ErrorCode::kBadFile, {"3 of 5 files", "b.wav"});
  write("labels.csv", "name,mood\na.wav,sad\n");
  refused(ErrorCode::kBadFile, {"labels.csv", "name,mood", "file,emotion"});
  write("labels.csv", "file,emotion\nsad/a.wav,sad\nhappy/a.wav,bored\n");
  refused(ErrorCode::kBadFile, {"line 3", "bored", "surprised"});
  write("labels.csv", "file,emotion,intensity\nsad/a.wav,sad,2\n");
  refused(ErrorCode::kBadFile, {"line 2", "intensity \"2\"", "0 to 1"});
  write("labels.csv", "file,emotion\nsad/a.wav\n");
  refused(ErrorCode::kBadFile, {"line 2", "1 fields"});
  write("labels.csv", "file,emotion\n");
  refused(ErrorCode::kBadFile, {"lists no sounds"});
  write("labels.csv", "file,emotion,speaker\nsad/a.wav,sad,eva\nhappy/a.wav,happy,adam\n");
  EmotionTrainingOptions options;
  options.leave_out = {"paul"};
  refused(ErrorCode::kBadArgument, {"paul", "adam, eva"}, options);
  options.leave_out = {"eva"};
  refused(ErrorCode::kBadFile, {"without speaker eva", "--all"}, options);
  fs::remove_all(data());
  refused(ErrorCode::kNotFound, {"data"});
}

TEST_F(EmotionTraining, FilesOfNoUseAreSkipped) {
  testing::write_acted_voices(data(), 2, 1, 0.8);
  write("sad-1/voice0/broken.wav", "no sound");
  write_wav(data() / "sad-1/voice0/short.wav", testing::acted_voice(0, Emotion::kSad, 1, 0.2, 1));
  Audio silence;
  silence.samples.assign(16000, 0.0f);
  write_wav(data() / "sad-1/voice0/silent.wav", silence);
  EmotionTrainingOptions options = quick();
  options.steps = 1;
  const EmotionTrainingReport report = train_emotion(data(), options, out());
  EXPECT_EQ(report.files, 10);
  EXPECT_EQ(report.skipped, 3);
}

TEST_F(EmotionTraining, BadOptions) {
  testing::write_acted_voices(data(), 1, 1, 0.5);
  EmotionTrainingOptions options;
  options.batch = 0;
  refused(ErrorCode::kBadArgument, {"batch of 0"}, options);
  options = {};
  options.seconds = NAN;
  refused(ErrorCode::kBadArgument, {"nan"}, options);
  options = {};
  options.train_on_all = true;
  options.leave_out = {"voice0"};
  refused(ErrorCode::kBadArgument, {"left out"}, options);
}

}  // namespace
}  // namespace mien
